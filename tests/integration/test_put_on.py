"""The guard put on a bot whose trades began without one."""

from typing import Any

import pytest
from freqtrade.persistence import Trade

from tests.integration.rig import BTC, Rig, force_entry


def test_a_stop_farther_than_the_exchange_takes_closes_nothing(
    rig: Rig, same: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It stands at the lowest price of the contract; plain Freqtrade keeps the position as well."""
    plain = rig.bot("FarStop", **same)
    force_entry(plain, BTC)
    plain.process()
    rig.forget(plain)
    plain.cleanup()
    lowest = float(rig.venue.tape.instrument("BTCUSDT").min_price)
    bot = rig.bot("GuardedFarStop", **same)
    for _ in range(2):
        (trade,) = Trade.get_open_trades()
        (stop,) = rig.live_stops("BTCUSDT")
        assert float(stop.request.trigger_price or 0) == lowest == trade.stop_loss
        assert rig.position("BTCUSDT") == trade.amount > 0
        bot.process()
    assert rig.live_stops("BTCUSDT") == [stop]
    assert "EMERGENCY CLOSE" not in caplog.text
