"""A dry run: orders are Freqtrade's imitation, and the guard covers them as it would real ones."""

import logging
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.cli.subprocesses import running
from qt_protections.rules.pairs import symbol_of
from tests.integration.commands import INHERITED, ROOT
from tests.integration.hands import unlock
from tests.integration.rig import BTC, ZEN, Rig, force_entry
from tests.patience import COMMAND_S, PATIENCE_S, until


@pytest.fixture(autouse=True)
def _nothing_goes_wrong(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No line of any test here is an error."""
    yield
    errors = [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.ERROR]
    assert errors == []


def dry(rig: Rig, strategy: str = "GuardedQuiet", **changes: Any) -> FreqtradeBot:
    """Start a dry run."""
    return rig.bot(strategy, dry_run=True, **changes)


def entered(bot: FreqtradeBot, pair: str = BTC, side: str = "long") -> Trade:
    """Enter, and return the trade."""
    trade = force_entry(bot, pair, side)
    assert trade is not None
    return trade


def loops(bot: FreqtradeBot, count: int = 3) -> None:
    """Run some loops."""
    for _ in range(count):
        bot.process()


def simulated(bot: FreqtradeBot) -> list[dict[str, Any]]:
    """Return the live stops of Freqtrade's imitation, oldest first."""
    orders = bot.exchange._dry_run_open_orders.values()
    return [o for o in orders if o.get("ft_order_type") == "stoploss" and o["status"] == "open"]


def agrees(bot: FreqtradeBot, trade: Trade) -> dict[str, Any]:
    """Return the trade's one stop, which covers it all and stands where the trade says."""
    (stop,) = simulated(bot)
    (row,) = trade.open_sl_orders
    assert row.order_id == stop["id"]
    assert stop["amount"] == pytest.approx(trade.amount)
    assert stop["stopPrice"] == trade.stop_loss
    return stop


@pytest.mark.parametrize(("pair", "side"), [(BTC, "long"), (ZEN, "short")])
def test_an_entry_has_its_stop(
    rig: Rig, caplog: pytest.LogCaptureFixture, pair: str, side: str
) -> None:
    """The trade takes the simulated stop over and keeps it, loop after loop."""
    caplog.set_level(logging.INFO)
    bot = dry(rig)
    assert "[OK] Stops on binance futures, dry run: stop before the entry" in caplog.text
    trade = entered(bot, pair, side)
    first = agrees(bot, trade)
    loops(bot)
    assert agrees(bot, trade)["id"] == first["id"]
    assert trade.stop_loss == trade.initial_stop_loss


def test_a_stop_that_is_hit_closes_the_trade(rig: Rig) -> None:
    """And nothing is left of it for the next one."""
    bot = dry(rig)
    trade = entered(bot)
    rig.move("BTCUSDT", 0.975)
    loops(bot)
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    assert simulated(bot) == []
    unlock(trade.pair)
    again = entered(bot)
    agrees(bot, again)
    loops(bot)
    assert again.is_open
    agrees(bot, again)


def test_a_stop_that_is_hit_before_its_entry_ends_the_trade(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The imitation knows no refused reduce-only order: the stop counts as having done its work."""
    bot = dry(rig)
    imitate = bot.exchange.create_dry_run_order

    def late(*order: Any, **more: Any) -> Any:
        if not more.get("stop_loss"):
            rig.move("BTCUSDT", 0.97)
        return imitate(*order, **more)

    with monkeypatch.context() as patch:
        patch.setattr(bot.exchange, "create_dry_run_order", late)
        trade = entered(bot)
    loops(bot)
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    assert simulated(bot) == []


def test_a_second_entry_is_covered_in_full(rig: Rig) -> None:
    """By one stop; the one for the first entry goes."""
    bot = dry(rig)
    first = agrees(bot, entered(bot))
    trade = entered(bot)
    assert agrees(bot, trade)["amount"] > first["amount"]
    loops(bot)
    agrees(bot, trade)


def test_a_part_sold_leaves_the_rest_covered(rig: Rig) -> None:
    """Whatever Freqtrade did to the stop to sell it."""
    bot = dry(rig)
    trade = entered(bot)
    RPC(bot)._rpc_force_exit(str(trade.id), amount=trade.amount / 2)
    loops(bot)
    assert trade.is_open
    (row,) = trade.open_sl_orders
    (stop,) = simulated(bot)
    assert row.order_id == stop["id"]
    assert stop["amount"] >= trade.amount * (1 - 1e-9)
    RPC(bot)._rpc_force_exit(str(trade.id))
    loops(bot)
    assert not trade.is_open
    assert simulated(bot) == []


def test_a_custom_stop_moves_the_simulated_one_at_once(rig: Rig) -> None:
    """In the loop that moved it, to the tick; and that is the one that is hit."""
    bot = dry(rig, "GuardedClose")
    trade = entered(bot)
    first = agrees(bot, trade)["stopPrice"]
    rig.move("BTCUSDT", 1.02)
    bot.process()
    assert agrees(bot, trade)["stopPrice"] > first
    rig.move("BTCUSDT", 0.98)
    loops(bot, 2)
    assert not trade.is_open
    assert simulated(bot) == []


def test_the_simulated_trailing_stop_moves_it_too(rig: Rig) -> None:
    """No exchange trails here, so the guard does."""
    bot = dry(rig, qt={"trail_callback": 1.5, "trail_activation": 1.0})
    trade = entered(bot)
    rig.move("BTCUSDT", 1.05)
    bot.process()
    assert trade.max_rate is not None
    assert agrees(bot, trade)["stopPrice"] == pytest.approx(trade.max_rate * 0.985, rel=1e-5)
    rig.move("BTCUSDT", 0.98)
    loops(bot, 2)
    assert not trade.is_open
    assert simulated(bot) == []


def test_a_limit_entry_is_covered_before_it_fills(rig: Rig) -> None:
    """The stop stands while it rests, and is the trade's once it filled."""
    bot = dry(rig, "GuardedNeverFills", max_open_trades=1)
    (stop,) = simulated(bot)
    (trade,) = Trade.get_open_trades()
    assert not trade.has_open_position
    symbol = trade.pair.split(":")[0].replace("/", "")
    rig.move(symbol, 1.016 if trade.is_short else 0.984)
    bot.process()
    assert trade.has_open_position
    assert agrees(bot, trade)["id"] == stop["id"]


def test_a_limit_entry_that_times_out_takes_its_stop_along(rig: Rig) -> None:
    """Nothing filled, nothing left."""
    bot = dry(rig, "GuardedNeverFills")
    assert simulated(bot)
    bot.config["max_open_trades"] = 0
    loops(bot, 4)
    assert simulated(bot) == []
    assert Trade.get_open_trades() == []


def test_a_restart_covers_again(rig: Rig) -> None:
    """Freqtrade forgets simulated stops at its start; the first loop has one, and it moves on."""
    config = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}"}
    first = dry(rig, "GuardedClose", **config)
    entered(first)
    first.process()
    trigger = agrees(first, entered(first))["stopPrice"]
    first.cleanup()
    bot = dry(rig, "GuardedClose", **config)
    (trade,) = Trade.get_open_trades()
    assert agrees(bot, trade)["stopPrice"] == trigger
    rig.move("BTCUSDT", 1.02)
    bot.process()
    assert agrees(bot, trade)["stopPrice"] > trigger
    rig.move("BTCUSDT", 0.98)
    loops(bot, 2)
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    assert simulated(bot) == []


def test_a_restart_knows_the_entries_that_wait(rig: Rig) -> None:
    """Each is covered again, and each stop ends with its entry."""
    config = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}"}
    first = dry(rig, "GuardedNeverFills", **config)
    waiting = len(simulated(first))
    assert waiting
    first.cleanup()
    bot = dry(rig, "GuardedNeverFills", max_open_trades=waiting, **config)
    assert len(simulated(bot)) == waiting
    bot.config["max_open_trades"] = 0
    loops(bot, 4)
    assert simulated(bot) == []
    assert Trade.get_open_trades() == []


def test_custom_data_show_the_stop(rig: Rig) -> None:
    """`/list_custom_data` prints what stands, and what it took."""
    bot = dry(rig)
    trade = entered(bot)
    bot.process()
    (listed,) = RPC(bot)._rpc_list_custom_data(trade.id)
    shown = {entry["key"]: entry["value"] for entry in listed["custom_data"]}["qt_stop"]
    assert shown["id"] == simulated(bot)[0]["id"]
    assert shown["price"] == trade.stop_loss
    assert shown["amount"] == pytest.approx(trade.amount)
    assert (shown["state"], shown["placement"]) == ("live", "before_entry")
    assert shown["latency_ms"] >= 0
    assert (shown["steps"], shown["trailing"]) == ([], [])


@pytest.mark.freqtrade
@pytest.mark.usefixtures("real_time")
def test_the_real_command_runs_dry(rig: Rig) -> None:
    """It enters, a stop is hit, and that is booked; nothing reaches the exchange or goes wrong."""
    log, console, database = (rig.folder / name for name in ("bot.log", "console", "trades.sqlite"))
    rig.config(
        "QTDemo",
        dry_run=True,
        db_url=f"sqlite:///{database}",
        internals={"process_throttle_secs": 1},
    )
    command = [
        sys.executable, "-m", "freqtrade", "trade", f"--config={ROOT / 'config.json'}",
        f"--config={rig.folder / 'overlay.json'}", "--strategy=QTDemo", f"--logfile={log}",
        f"--strategy-path={ROOT / 'user_data/strategies'}", f"--userdir={rig.folder}",
    ]  # fmt: skip
    with running(command, console, INHERITED) as process:

        def told(query: str) -> list[tuple[Any, ...]]:
            assert process.poll() is None, console.read_text()
            return recorded(database, query)

        until(lambda: told("is_open = 1 and stop_loss > 0"), COMMAND_S)
        pair, is_short = told("is_open = 1 and stop_loss > 0")[0]
        rig.move(symbol_of(pair), 1.01 if is_short else 0.99)
        until(lambda: told("exit_reason = 'stoploss_on_exchange'"), COMMAND_S)
        # Not what it says of its end, which may come in the midst of a transaction.
        text = log.read_text()
    assert "[OK] Stops on binance futures, dry run: stop before the entry" in text
    assert "[OK] SL placed successfully: order ID dry_run" in text
    assert rig.events("order_accepted", "stop_accepted") == []
    assert " - ERROR - " not in text
    assert "Traceback" not in text


def recorded(database: Path, which: str) -> list[tuple[Any, ...]]:
    """Return pair and side of the trades in a database that may not be made yet."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(database, timeout=PATIENCE_S)) as connection:
        tables = connection.execute("select 1 from sqlite_master where name = 'trades'").fetchall()
        asked = f"select pair, is_short from trades where {which}"  # noqa: S608  the test's own
        return connection.execute(asked).fetchall() if tables else []
