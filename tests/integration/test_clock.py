"""A machine whose clock is wrong, or is set while the bot runs: what protects goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from tests.inside import manager
from tests.integration.hands import cancel_by_hand
from tests.integration.rig import BTC, ETH, Rig, force_entry, held_market, until


@pytest.fixture(params=["before_entry", "on_fill"])
def placement(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Either way to place stops."""
    return {"qt": {"trail_callback": None, "stop_placement": request.param}}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """An exchange without limits."""
    with Rig(tmp_path, held_market("uptrend"), unlimited=True) as opened:
        yield opened


def fall_behind(rig: Rig, seconds: int) -> None:
    """Let the exchange's clock be so far ahead of the bot's."""
    clock = rig.venue._clock
    rig.venue._clock = lambda: clock() + seconds * 1000
    rig.report()


@pytest.mark.parametrize("seconds", [7, 20])
def test_a_bot_that_falls_behind_covers_and_closes(
    rig: Rig, placement: dict[str, Any], seconds: int
) -> None:
    """Freqtrade's exits are taken as well: both sign by the exchange's clock. Entries wait."""
    bot = rig.bot(**placement)
    force_entry(bot, BTC)
    fall_behind(rig, seconds)
    (stop,) = rig.live_stops("BTCUSDT")
    cancel_by_hand(rig, stop.algo_id)
    bot.process()
    until(lambda: rig.live_stops("BTCUSDT"))
    bot.process()
    if seconds > 10:  # less is within the window, and nobody is refused or measures anew
        with pytest.raises(EntryRefused) as refused:
            force_entry(bot, ETH)
        assert refused.value.denial.code is DenyCode.CLOCK_SKEW
    RPC(bot)._rpc_force_exit("all")
    bot.process()
    assert (rig.position("BTCUSDT"), rig.position("ETHUSDT")) == (0, 0)
    assert Trade.get_open_trades() == []


def test_a_bot_that_is_behind_from_the_start_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Freqtrade itself would start 7 s behind, and may be refused at any moment."""
    skew = '[[fault]]\nkind = "clock_skew"\nahead_ms = 7000\n'
    with Rig(tmp_path, held_market("uptrend"), unlimited=True, faults=skew) as rig:
        bot = rig.bot()
        assert manager(bot).venue.clock_skew_s == pytest.approx(-7, abs=0.8)
        assert caplog.text.count("[ALERT] This machine's clock is") == 1
        difference = bot.exchange._api.options["timeDifference"]
        assert difference == pytest.approx(-7000, abs=800)
        bot.exchange.reload_markets(force=True, load_leverage_tiers=False)
        assert bot.exchange._api.options["timeDifference"] == difference
        with pytest.raises(EntryRefused, match="clock_skew"):
            force_entry(bot, BTC)
