"""What a loop in which nothing happens costs the machine, and that nothing that happens is missed.

Counted, not timed: objects loaded from the database, and statements executed.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from freqtrade.persistence import Order, Trade
from sqlalchemy import event, update
from sqlalchemy.exc import SQLAlchemyError

from qt_protections.stops.reconciliation.trade_reader import TradeReader
from qt_protections.stops.reconciliation.trade_updater import TradeUpdater
from qt_protections.stops.state.booking import book_close
from qt_protections.stops.state.ledger import Ledger
from qt_protections.stops.state.page import is_under_way, page
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.records import STOP_RECORD
from qt_protections.stops.state.trouble import Trouble
from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes

PAIR = "C0/USDT:USDT"
Act = Callable[[Minutes], object]


@pytest.fixture
def minutes(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot that hears everything."""
    with quiet(tmp_path):
        yield Minutes(tmp_path, clock)


class Work:
    """What the database was asked for.

    Attributes:
        statements: How many were executed.
        loaded: Trades and orders made of what was read.
    """

    def __init__(self) -> None:
        self.statements = 0
        self.loaded: list[object] = []


@contextmanager
def watched() -> Iterator[Work]:
    """Count what is asked of the database within."""
    work = Work()

    def executed(*_: object) -> None:
        work.statements += 1

    def loaded(instance: object, *_: object) -> None:
        work.loaded.append(instance)

    engine = Trade.session.get_bind()
    listened: list[tuple[Any, str, Callable[..., None]]] = [
        (engine, "before_cursor_execute", executed),
        *((kind, name, loaded) for kind in (Trade, Order) for name in ("load", "refresh")),
    ]
    for target, name, hear in listened:
        event.listen(target, name, hear)
    try:
        yield work
    finally:
        for target, name, hear in listened:
            event.remove(target, name, hear)


def guards_loop(minutes: Minutes) -> Work:
    """Run the guard's part of a loop, in which Freqtrade has read the trades before."""
    known = Trade.get_open_trades()
    with watched() as work:
        minutes.bot.stops.loop()
    assert known is not None
    return work


def until_idle(minutes: Minutes) -> Work:
    """Run loops until one finds all as the one before left it; return what that one took."""
    work = guards_loop(minutes)
    for _ in range(5):
        if not work.loaded:
            return work
        work = guards_loop(minutes)
    raise AssertionError("no loop is idle")


def by_another_thread(act: Callable[[], object]) -> None:
    """Change the database as remote control does: in a session of its own."""

    def run() -> None:
        act()
        Trade.commit()
        Trade.session.remove()

    thread = Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.parametrize("pairs", [1, 2, 8])
def test_an_idle_loop_is_flat(minutes: Minutes, pairs: int) -> None:
    """However many trades are open: two statements, and no trade and no order is loaded."""
    minutes.hold(pairs, settle_s=60.0)
    work = until_idle(minutes)
    assert not work.loaded
    assert work.statements == 2  # the open trades' rows, and exits that outlived their trade


def test_a_loop_goes_through_all_pairs_every_now_and_then(
    minutes: Minutes, clock: HandClock
) -> None:
    """Should anything be missed, that has an end."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    clock.sleep(30.0)
    assert guards_loop(minutes).loaded


CHANGED_BY_REMOTE_CONTROL: list[tuple[type[Trade] | type[Order], str, object]] = [
    (Trade, "amount", 0.5),
    (Trade, "open_rate", 77.0),
    (Trade, "stop_loss", 3.0),
    (Trade, "leverage", 2.0),
    (Order, "filled", 0.5),
    (Order, "status", "expired"),
    (Order, "ft_is_open", False),
    (Order, "average", 77.0),
    (Order, "order_id", "another"),
]


@pytest.mark.parametrize(("kind", "column", "value"), CHANGED_BY_REMOTE_CONTROL)
def test_what_another_thread_changed_is_read(
    minutes: Minutes, kind: type[Trade] | type[Order], column: str, value: object
) -> None:
    """In the next loop, though this thread has read the trades before that change."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    (trade,) = Trade.get_open_trades()
    read = trade if kind is Trade else trade.orders[-1]
    row_id = read.id

    def change() -> None:
        Trade.session.execute(update(kind).where(kind.id == row_id).values({column: value}))

    by_another_thread(change)
    assert getattr(read, column) != value  # this thread does not know
    assert guards_loop(minutes).loaded


def test_what_another_thread_changed_reaches_the_book(minutes: Minutes) -> None:
    """A trade that holds less needs less."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    held = minutes.bot.monitor.book.of(PAIR)
    assert held.base == 1.0
    by_another_thread(lambda: Trade.session.execute(update(Trade).values(amount=0.5)))
    guards_loop(minutes)
    assert held.base == 0.5


def test_a_trade_that_another_thread_deleted_is_missed(minutes: Minutes) -> None:
    """The position is kept, as one whose trade was deleted."""

    def delete_trade() -> None:
        Trade.get_open_trades()[0].delete()

    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    by_another_thread(delete_trade)
    guards_loop(minutes)
    assert minutes.bot.monitor.book.of(PAIR).trade_deleted


CHANGED_IN_THE_BOOK: list[Callable[[PairState], object]] = [
    PairState.touch,
    lambda held: held.drop(held.stops[0].order_id),
    lambda held: held.stops[0].track.hear(StopEvent.UNKNOWN),
    lambda held: held.steps.append("closed at market"),
    lambda held: book_close(held, {"id": "1", "filled": 0.1}),
    lambda held: setattr(held, "trigger", held.trigger + 1),
    lambda held: held.exits.update({"an id": 0.0}),
    lambda held: setattr(held, "trailing_unsupported", True),
]


@pytest.mark.parametrize("change", CHANGED_IN_THE_BOOK)
def test_what_changed_in_the_book_is_told(
    minutes: Minutes, change: Callable[[PairState], object]
) -> None:
    """In the next loop."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    change(minutes.bot.monitor.book.of(PAIR))
    assert guards_loop(minutes).loaded


#: What neither `TradeReader.learn` nor `TradeUpdater.write` goes by while nothing is under way.
NOT_THE_LOOPS = {
    "lock", "ended_orders", "largest", "looked", "more_shown",
}  # fmt: skip
NOT_THE_LOOPS_OF_TROUBLE = {"naked_since", "quiet_until", "passed_since", "priced"}
NOT_THE_LOOPS_OF_LEDGER = {
    "children", "written_off", "booked_stops", "parts", "heard", "heard_until",
}  # fmt: skip


def test_each_field_of_the_book_is_the_loops_or_is_not() -> None:
    """A field that the loop goes by belongs into `page`, or `is_under_way`."""
    codes = (page.__code__, PairState.all_stops.fget.__code__, is_under_way.__code__)  # type: ignore[attr-defined]
    read = {name for code in codes for name in code.co_names}
    assert {each.name for each in fields(PairState)} - read == NOT_THE_LOOPS
    assert {each.name for each in fields(Trouble)} - read == NOT_THE_LOOPS_OF_TROUBLE
    assert {each.name for each in fields(Ledger)} - read == NOT_THE_LOOPS_OF_LEDGER


@pytest.mark.parametrize(
    ("room", "part"), [(TradeReader, "learn"), (TradeUpdater, "write")], ids=["learn", "tell"]
)
def test_what_failed_is_done_again(
    minutes: Minutes, monkeypatch: pytest.MonkeyPatch, room: type, part: str
) -> None:
    """In each of the next loops, until it no longer fails."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    done, fails = [], [True]
    real = getattr(room, part)

    def may_fail(self: object, *args: Any) -> None:
        done.append(part)
        if fails:
            raise ValueError(part)
        real(self, *args)

    monkeypatch.setattr(room, part, may_fail)
    minutes.bot.monitor.book.of(PAIR).touch()
    logging.disable()
    try:
        for _ in range(3):
            guards_loop(minutes)
    finally:
        logging.disable(logging.NOTSET)
    assert len(done) == 3
    fails.clear()
    until_idle(minutes)
    assert len(done) in (4, 5)


def test_what_could_not_be_put_on_record_is_put_there(
    minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the next loop, though nothing else has changed since."""
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)
    real = Trade.set_custom_data

    def refuse(*_: object) -> None:
        raise SQLAlchemyError("locked")

    monkeypatch.setattr(Trade, "set_custom_data", refuse)
    minutes.bot.monitor.book.of(PAIR).steps.append("tried")
    for _ in range(3):
        guards_loop(minutes)
    monkeypatch.setattr(Trade, "set_custom_data", real)
    guards_loop(minutes)
    (trade,) = Trade.get_open_trades()
    assert trade.get_custom_data(STOP_RECORD)["steps"][-1] == "tried"


def test_a_commit_that_a_signal_ended_half_way_ends_well(minutes: Minutes) -> None:
    """SIGTERM is an exception in Freqtrade, and may come out of any statement.

    A session that is left between commit and its end takes no rollback either.
    """
    minutes.hold(1, settle_s=60.0)
    until_idle(minutes)

    def ends(_: object) -> None:
        raise KeyboardInterrupt

    session = Trade.session()
    event.listen(session, "after_commit", ends)
    with pytest.raises(KeyboardInterrupt):
        Trade.commit()
    event.remove(session, "after_commit", ends)
    minutes.bot.monitor.book.of(PAIR).steps.append("tried")
    logging.disable()
    try:
        minutes.bot.stops.loop()  # a last time, as Freqtrade cleans up
    finally:
        logging.disable(logging.NOTSET)
    (trade,) = Trade.get_open_trades()
    assert trade.get_custom_data(STOP_RECORD)["steps"][-1] == "tried"
