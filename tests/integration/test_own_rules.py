"""The rule of docs/extending.md, and one that fails, in a live bot."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import time_machine
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from tests.extending import write_programs
from tests.integration.hands import refusals
from tests.integration.rig import BTC, ETH, ZEN, Rig, force_entry, naked_max
from tests.integration.test_status import shown, told

#: Funding is paid that often, from midnight UTC on.
_FUNDING = timedelta(hours=8)

BREAKS = """
    from qt_protections import QTGuard
    from tests.integration.strategies import Quiet

    class Breaks:
        broken = False

        def check(self, entry, now):
            return 1 / 0 if self.broken else None

    class Breaking(QTGuard, Quiet):
        entry_rules = (Breaks(),)
"""


@pytest.fixture
def minutes_to_funding(request: pytest.FixtureRequest, quiet_hour: None) -> Iterator[int]:
    """Begin so many minutes before a payment; to be asked for before an exchange."""
    minutes = int(request.param)
    now = datetime.now(UTC)
    paid = now - (now - datetime(2000, 1, 1, tzinfo=UTC)) % _FUNDING
    with time_machine.travel(paid - timedelta(minutes=minutes), tick=True):
        yield minutes


@pytest.fixture
def strategies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python and Freqtrade load strategies from."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("minutes_to_funding", [8, 30], indirect=True)
def test_no_entry_near_a_large_payment(
    minutes_to_funding: int,
    strategies: Path,
    rig: Rig,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither by signal nor forced; every payment of this exchange is 0.01 %.

    Half an hour before, the same bot enters.
    """
    caplog.set_level(logging.INFO)
    write_programs(strategies, "from tests.integration.strategies import Always as MyStrategy")
    mine = strategies / "mine.py"
    mine.write_text(mine.read_text().replace("NearFunding()", "NearFunding(large=0.00005)"))
    rig.strategies = strategies
    bot = rig.bot("Mine", timeframe="15m")
    if minutes_to_funding > 10:
        assert Trade.get_open_trades()
        assert "funding_near" not in {code for _, code in refusals(bot)}
        return
    for _ in range(2):
        with pytest.raises(EntryRefused, match=r"funding_near: funding is paid at \d\d:00 UTC"):
            force_entry(bot, BTC)
        bot.process()
    assert Trade.get_open_trades() == []
    assert rig.events("stop_accepted", "order_accepted") == []
    seen = told(rig, bot)
    assert seen.totals == {"funding_near": len({pair for pair, _ in refusals(bot)})}
    assert seen.refusals[0].facts["rate"] == 0.0001
    said = [line for line in caplog.messages if "Skipping BTCUSDT: funding is paid" in line]
    assert len(said) == 1
    assert "funding_near" in shown(rig, capsys)


def test_a_rule_that_fails_keeps_entries_out_and_nothing_else(
    strategies: Path, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """New and further entries hear why; exits go out, and stops stay and fire."""
    caplog.set_level(logging.INFO)
    (strategies / "breaking.py").write_text(dedent(BREAKS))
    rig.strategies = strategies
    bot = rig.bot("Breaking", timeframe="15m")
    held, stopped = force_entry(bot, BTC), force_entry(bot, ZEN)
    assert held is not None
    assert stopped is not None
    strategy: Any = bot.strategy
    strategy.entry_rules[0].broken = True
    for pair in (ETH, BTC, ETH):
        with pytest.raises(EntryRefused, match="the entry rule Breaks failed, so the entry is ref"):
            force_entry(bot, pair)
    assert refusals(bot) == {(ETH, "Breaks_failed"): 1, (BTC, "Breaks_failed"): 1}
    assert len([line for line in caplog.messages if "Skipping ETHUSDT: the entry" in line]) == 1
    assert rig.position("ETHUSDT") == 0
    assert len(rig.live_stops("BTCUSDT")) == 1
    rig.move("ZENUSDT", 0.97)
    RPC(bot)._rpc_force_exit(str(held.id))
    bot.process()
    assert [rig.position("BTCUSDT"), rig.position("ZENUSDT")] == [0, 0]
    assert Trade.get_open_trades() == []
    assert naked_max(rig) == 0
