"""From plain to guarded to plain, with kills between; `qt-guard detach` is the way out."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.cli.command import main
from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.engine.orders import AlgoType
from qt_protections.reporting.status_file import StatusFile, read, status_path
from qt_protections.stops.state.client_ids import identity
from tests.inside import manager
from tests.integration.hands import Killed, kill, move_stop
from tests.integration.rig import BTC, ETH, Rig, enter_by_limit, force_entry, naked_max
from tests.integration.test_kills import die_at_entry

PLAIN, GUARDED = "OnExchange", "GuardedOnExchange"
TRAILS = {"qt": {"trail_callback": 1.5, "max_open_risk": 100}}


def detach(
    rig: Rig, same: dict[str, Any], capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, dict[str, Any], str]:
    """Run the command; return its exit code, its JSON and what it complains of."""
    capsys.readouterr()
    files = ("-c", str(base_config()), "-c", str(rig.folder / "overlay.json"))
    folder = ("--userdir", str(rig.folder), "--db-url", same["db_url"])
    code = main(["detach", *files, *folder, "--json", *options])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else {}, err


def verdicts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return kind and end of each order."""
    return sorted((order["kind"], order["verdict"]) for order in told["orders"])


def let_a_minute_pass(rig: Rig, bot: FreqtradeBot) -> None:
    """Make what a killed bot wrote down last a minute older."""
    path = status_path(rig.folder, identity(bot.config["bot_name"], bot.config["db_url"]))
    old = read(path)
    StatusFile(path).write(lambda: replace(old, written_at=old.written_at - timedelta(minutes=2)))


def standing(rig: Rig) -> list[tuple[str, str, AlgoType]]:
    """Return what waits for its trigger on either symbol."""
    live = rig.live_stops("BTCUSDT") + rig.live_stops("ETHUSDT")
    return [(str(o.algo_id), o.request.symbol, o.request.type) for o in live]


def test_plain_to_guarded_to_plain(
    rig: Rig, same: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the guard nothing is left but stops that the plain bot knows, moves and cancels."""
    plain = rig.bot(PLAIN, **same)
    force_entry(plain, BTC)
    plain.process()
    rig.forget(plain)
    plain.cleanup()
    guarded = rig.bot(GUARDED, **same, **TRAILS)
    force_entry(guarded, ETH)
    guarded.process()
    before = standing(rig)
    kill(rig, guarded)
    code, told, said = detach(rig, same, capsys)
    assert (code, told) == (2, {})
    assert "Stop the bot first" in said
    let_a_minute_pass(rig, guarded)
    code, told, _ = detach(rig, same, capsys, "--dry-run")
    assert standing(rig) == before
    assert told["locks"] == 1  # no shorts in an uptrend
    stops = [each for each in before if each[2] is AlgoType.STOP_MARKET]
    trails = [each for each in before if each[2] is AlgoType.TRAILING_STOP_MARKET]
    assert (len(stops), len(trails)) == (2, 2)
    # The other stop is plain Freqtrade's own, which the guard had taken over.
    expected = [("stop", "stays")] + [("trailing stop", "withdrawn")] * 2
    assert verdicts(told) == expected
    code, told, _ = detach(rig, same, capsys)
    assert (code, verdicts(told), told["locks"]) == (0, expected, 1)
    assert standing(rig) == stops
    code, told, _ = detach(rig, same, capsys)
    assert (code, verdicts(told), told["locks"]) == (0, [("stop", "stays")], 0)
    plain = rig.bot(PLAIN, **same)
    for _ in range(3):
        plain.process()
    assert standing(rig) == stops
    trades = Trade.get_open_trades()
    assert sorted(o.order_id for t in trades for o in t.open_sl_orders) == sorted(
        stop[0] for stop in stops
    )
    assert naked_max(rig) < 10  # the plain bot's own first entry
    for trade in trades:
        RPC(plain)._rpc_force_exit(str(trade.id))
    plain.process()
    assert standing(rig) == []


def test_the_way_in_after_a_kill(rig: Rig, same: dict[str, Any]) -> None:
    """A plain bot that died before its stop went out leaves a position that the guard covers."""
    plain = rig.bot(PLAIN, **same)
    force_entry(plain, BTC)
    assert standing(rig) == []
    rig.forget(plain)
    rig.bot(GUARDED, **same)
    ((order_id, _, kind),) = standing(rig)
    (trade,) = Trade.get_open_trades()
    assert (kind, [o.order_id for o in trade.open_sl_orders]) == (AlgoType.STOP_MARKET, [order_id])


def kill_before_the_record(rig: Rig, bot: FreqtradeBot) -> None:
    """The entry filled, and no trade knows of it."""
    die_at_entry(rig, bot, sent=True)


def kill_before_the_entry(rig: Rig, bot: FreqtradeBot) -> None:
    """The stop went out, the entry did not."""
    die_at_entry(rig, bot, sent=False)


def kill_amid_a_move(rig: Rig, bot: FreqtradeBot) -> None:
    """Two stops stand, the tighter one on no record."""
    trade = force_entry(bot, BTC)
    assert trade is not None
    tighter = trade.stop_loss * 1.005

    def die(*_: object) -> None:
        raise Killed

    manager(bot).venue.cancel = die
    with pytest.raises(Killed):
        move_stop(bot, BTC, tighter)
    kill(rig, bot)


def kill_while_an_entry_waits(rig: Rig, bot: FreqtradeBot) -> None:
    """The stop stands before its entry, which rests in the book, on record."""
    enter_by_limit(bot, 0.99)
    force_entry(bot, BTC)
    kill(rig, bot)


def kill_before_a_resting_entry_is_on_record(rig: Rig, bot: FreqtradeBot) -> None:
    """It rests in the book and no trade knows of it."""
    enter_by_limit(bot, 0.99)
    die_at_entry(rig, bot, sent=True)


@pytest.mark.parametrize(
    ("killing", "code", "expected", "left"),
    [
        (kill_before_the_record, 1, [("stop", "left to you")], 1),
        (kill_before_the_entry, 0, [("stop", "withdrawn")], 0),
        (kill_amid_a_move, 0, [("stop", "stays"), ("stop", "withdrawn")], 1),
        (kill_while_an_entry_waits, 0, [("entry", "stays"), ("stop", "stays, put on record")], 1),
        (
            kill_before_a_resting_entry_is_on_record,
            0,
            [("entry", "withdrawn"), ("stop", "withdrawn")],
            0,
        ),
    ],
)
def test_after_a_kill(
    rig: Rig,
    same: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    killing: Callable[[Rig, FreqtradeBot], None],
    code: int,
    expected: list[tuple[str, str]],
    left: int,
) -> None:
    """What may protect stays; what nobody knows and protects nothing goes; again is no harm."""
    bot = rig.bot(GUARDED, **same)
    killing(rig, bot)
    let_a_minute_pass(rig, bot)
    ended, told, _ = detach(rig, same, capsys)
    assert (ended, verdicts(told)) == (code, expected)
    assert len(rig.live_stops("BTCUSDT")) == left
    again, told, _ = detach(rig, same, capsys)
    assert again == code
    assert not any(verdict == "withdrawn" for _, verdict in verdicts(told))
    assert len(rig.live_stops("BTCUSDT")) == left
    plain = rig.bot(PLAIN, **same)
    for _ in range(2):
        plain.process()
    on_record = {o.order_id for t in Trade.get_open_trades() for o in t.open_sl_orders}
    if code == 0:
        assert {str(stop.algo_id) for stop in rig.live_stops("BTCUSDT")} == on_record
    assert naked_max(rig) == 0
