"""A running bot tells what its guard knows, and `qt-guard status` shows it."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade

from qt_protections.cli.command import main
from qt_protections.cli.package_data import base_config
from qt_protections.errors import EntryRefused
from qt_protections.reporting.status_file import Snapshot, read, status_path
from qt_protections.stops.state.client_ids import identity
from tests.inside import runtime, stop_service
from tests.integration.hands import trade_by_hand
from tests.integration.rig import BTC, ETH, SOL, ZEN, Rig, force_entry, until


def status_file(rig: Rig, bot: FreqtradeBot) -> Path:
    """Return where a bot's snapshot is."""
    return status_path(rig.folder, identity(bot.config["bot_name"], bot.config["db_url"]))


def told(rig: Rig, bot: FreqtradeBot) -> Snapshot:
    """Run a loop, and return what the bot told in it."""
    bot.process()
    return read(status_file(rig, bot))


def refused(bot: FreqtradeBot, pair: str, side: str = "long") -> str:
    """Try to enter, and return the code of the refusal."""
    with pytest.raises(EntryRefused) as refusal:
        force_entry(bot, pair, side)
    return str(refusal.value.denial.code)


def shown(rig: Rig, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command prints of the rig's bot."""
    capsys.readouterr()
    files = ("-c", str(base_config()), "-c", str(rig.folder / "overlay.json"))
    folder = ("--user-data-dir", str(rig.folder), "--db-url", "sqlite://")
    assert main(["status", *files, *folder]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_positions_and_refusals_of_a_live_bot(
    rig: Rig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own position, one opened by hand, and what three rules refused."""
    monkeypatch.setenv("COLUMNS", "160")
    trade_by_hand(rig, "ETHUSDT", -0.5)
    bot = rig.bot(qt={"max_positions_per_symbol": 1, "trail_callback": None, "max_group_risk": 2})
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert [refused(bot, BTC), refused(bot, ETH)] == ["symbol_full", "symbol_full"]
    assert refused(bot, SOL, "short") == "short_in_uptrend"
    PairLocks.lock_pair(ZEN, datetime.now(UTC) + timedelta(hours=1), "by hand")
    assert refused(bot, ZEN) == "pair_locked"
    until(lambda: stop_service(bot).health.looked_s is not None)
    seen = told(rig, bot)
    assert (seen.bot.mode, seen.bot.strategy, seen.is_running) == ("live", "GuardedQuiet", True)
    assert (seen.regime.regime, seen.regime.pair) == ("UPTREND", BTC)
    mine, foreign = seen.positions
    assert (mine.pair, mine.side, mine.amount, mine.is_foreign) == (
        BTC,
        "long",
        trade.amount,
        False,
    )
    assert (mine.stop, mine.stop_state) == (trade.stop_loss, "live")
    assert mine.risk.pct_of_equity == pytest.approx(0.75, rel=0.02)
    assert (foreign.pair, foreign.side, foreign.amount) == (ETH, "short", 0.5)
    assert foreign.is_foreign
    assert foreign.stop_state == "live"
    assert seen.risk.equity == pytest.approx(9_900, rel=0.01)
    assert seen.risk.open.amount == pytest.approx(mine.risk.amount + foreign.risk.amount)
    assert seen.risk.max_open.pct_of_equity == pytest.approx(3)
    assert seen.risk.max_group is not None
    assert seen.totals == {"symbol_full": 2, "short_in_uptrend": 1, "pair_locked": 1}
    assert seen.watch is not None
    assert {thread.state for thread in seen.watch.threads} == {"running"}
    assert seen.watch.looked_s is not None
    text = shown(rig, capsys)
    assert "threads running: monitor, user-stream, watch-1" in text
    assert "rehearsal (" in text
    assert "LIVE GuardedQuiet" in text
    assert f"BTCUSDT long {trade.amount:,.8g} {trade.open_rate:,.8g}" in text
    assert "live foreign" in text
    assert "Already at max 1 positions for this symbol" in text


def test_the_file_follows_the_bot_to_its_end(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """The last one says that it is the last, with what was known then."""
    bot = rig.bot()
    assert told(rig, bot).positions == ()
    force_entry(bot, ZEN)
    assert [each.pair for each in told(rig, bot).positions] == [ZEN]
    bot.cleanup()
    rig.forget(bot)
    last = read(status_file(rig, bot))
    assert not last.is_running
    assert last.watch is not None
    assert {thread.state for thread in last.watch.threads} == {"ended"}
    assert [each.pair for each in last.positions] == [ZEN]
    assert "The bot ended at" in shown(rig, capsys)


def test_a_dry_run_tells_too(rig: Rig) -> None:
    """Its stops are simulated, its refusals are not."""
    bot = rig.bot(dry_run=True)
    force_entry(bot, BTC)
    assert refused(bot, ETH, "short") == "short_in_uptrend"
    seen = told(rig, bot)
    assert seen.bot.mode == "dry_run"
    assert [(each.pair, each.stop_state) for each in seen.positions] == [(BTC, "live")]
    assert seen.totals == {"short_in_uptrend": 1}
    assert seen.watch is None


@pytest.mark.parametrize("broken", ["folder", "snapshot"])
def test_what_cannot_be_told_disturbs_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    """One line in the log; the bot trades, covers and ends as ever."""
    (rig.folder / "qt_guard").write_text("a file where the folder should be")
    bot = rig.bot()
    if broken == "snapshot":
        running = runtime(bot)
        running.market._rule = None
        running.market._histories.clear()
    force_entry(bot, BTC)
    for _ in range(3):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert len(Trade.get_open_trades()) == 1
    bot.cleanup()
    rig.forget(bot)
    lines = [r for r in caplog.records if "qt-guard status is out of date" in r.getMessage()]
    assert len(lines) == 1
    assert lines[0].levelno == logging.WARNING


def test_telling_asks_nothing_of_the_exchange(rig: Rig) -> None:
    """What is in memory is enough."""
    bot = rig.bot()
    force_entry(bot, BTC)
    running = runtime(bot)
    before = read(status_file(rig, bot))
    running.stops._monitor.stop()  # it asks on a thread of its own
    asked = len(rig.requests())
    running._status.write(is_running=True)
    assert len(rig.requests()) == asked
    after = read(status_file(rig, bot))
    assert after.positions != before.positions
    assert after.bot == before.bot
