"""Random lives of a guarded bot hold what the guard promises, and would show if they did not."""

import re
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import pytest
from freqtrade.persistence import Order

from qt_protections.rules.entries import EntryRequest
from qt_protections.stops import emergency, order_history
from qt_protections.stops.close_booking import CloseBooking
from qt_protections.stops.intercept.entries import EntryInterceptor
from qt_protections.stops.mover import StopMover
from qt_protections.stops.outcomes import StopOutcomes
from qt_protections.stops.reconciliation import recovery
from qt_protections.stops.reconciliation.strays import StrayEntries
from qt_protections.stops.state import client_ids
from qt_protections.stops.state import pair as book
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import CcxtOrder
from tests.stops.hand_clock import HandClock
from tests.stops.lives import GROUPS, Event, campaign, draw, failure, quiet, shorten
from tests.stops.paper import BTC, ETH

pytestmark = pytest.mark.long

Plant = Callable[[pytest.MonkeyPatch], None]

#: Lives of the suite: so many blocks, which may run at once, of so many lives each.
BLOCKS, LIVES = 6, 3
#: Groups of events with a life that fails still.
NOT_YET: tuple[str, ...] = ()
#: Lives in which a planted fault has to show.
ENOUGH = BLOCKS * LIVES


@pytest.fixture(autouse=True)
def nothing_logged(tmp_path: Path) -> Iterator[None]:
    """Let the lives be quiet."""
    with quiet(tmp_path):
        yield


@pytest.mark.parametrize("block", range(BLOCKS))
def test_lives_hold_what_is_promised(block: int, tmp_path: Path) -> None:
    """`python -m tests.stops.lives 1 --seed suite --first N` tells one that fails, shortened."""
    groups = [group for group in GROUPS if group not in NOT_YET]
    fault = campaign("suite", range(block * LIVES, (block + 1) * LIVES), groups, tmp_path)
    assert fault is None, (
        f"--seed suite --without {' '.join(NOT_YET)} --first {fault[0]}: {fault[2]}"
    )


def breaks_before_it_makes(patch: pytest.MonkeyPatch) -> None:
    """Cancel the old stop first, then place the new one."""
    move = StopMover.move

    def broken(self: StopMover, held: PairState, trigger: float) -> bool:
        for each in list(held.stops):
            self._manager.outcomes.cancel(held, each.order_id)
        return move(self, held, trigger)

    patch.setattr(StopMover, "move", broken)


def leaves_over(patch: pytest.MonkeyPatch) -> None:
    """Believe a stop is gone without having cancelled it."""

    def broken(self: StopOutcomes, held: PairState, order_id: str) -> bool:
        held.drop(order_id)
        return True

    patch.setattr(StopOutcomes, "cancel", broken)


def withdraws_what_is_not_shown(patch: pytest.MonkeyPatch) -> None:
    """Take a position that one list does not show for closed."""

    def broken(self: CloseBooking, held: PairState, at_most: float = inf, **_: object) -> bool:
        held.base = 0.0
        return True

    patch.setattr(CloseBooking, "book", broken)


def takes_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Make a trade of whatever somebody else entered."""

    def broken(self: StrayEntries, order: CcxtOrder) -> bool:
        return Order.order_by_id(str(order["id"]), order["symbol"]) is None

    patch.setattr(StrayEntries, "_is_stray", broken)


def sells_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Close whatever is on the pair when no stop can be placed."""
    patch.setattr(PairState, "own_required_stop", property(lambda held: held.required_stop))


def sends_twice(patch: pytest.MonkeyPatch) -> None:
    """Send an entry again when nobody knows what became of it."""
    settle = EntryInterceptor._settle_entry

    def broken(self: EntryInterceptor, pending: PendingEntry, error: Exception) -> CcxtOrder:
        try:
            return settle(self, pending, error)
        except Exception:
            entry = pending.entry
            with self._names.given(pending.client_id):
                return self._create_order(
                    pair=entry.pair,
                    ordertype="market",
                    side="sell" if entry.is_short else "buy",
                    amount=entry.amount,
                    rate=entry.rate,
                    leverage=entry.leverage,
                )

    patch.setattr(EntryInterceptor, "_settle_entry", broken)


def books_no_close(patch: pytest.MonkeyPatch) -> None:
    """Close a position at market, and tell no trade of it."""
    for room in (emergency, order_history, recovery):
        patch.setattr(room, "book_close", lambda *_: None)


#: What is planted, what it needs to show beside trading, and what the lives say of it.
PLANTED: list[tuple[Plant, tuple[str, ...], str]] = [
    (breaks_before_it_makes, (), "laid bare"),
    (leaves_over, (), "left over"),
    (withdraws_what_is_not_shown, ("lists",), "laid bare"),
    (takes_a_strangers, ("hands",), "its trade books"),
    (sells_a_strangers, ("hands", "services"), "somebody else's"),
    (sends_twice, ("late",), "sent twice"),
    (books_no_close, ("services",), "its trade books"),
]


@pytest.mark.parametrize(("plant", "groups", "said"), PLANTED, ids=[p[0].__name__ for p in PLANTED])
def test_planted_faults_are_found(
    plant: Plant,
    groups: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who finds none of these would find nothing else either."""
    plant(monkeypatch)
    lives = (draw(f"planted-{n}", ("trade", "time", *groups)) for n in range(ENOUGH))
    assert any(re.search(said, failure(life, tmp_path)) for life in lives)


#: Lives that failed once, in their shortest form, by what was wrong.
MENDED: dict[str, list[Event]] = {
    "an entry that arrives while a trade of the other side waits is never asked for again": [
        ("begin", "auto"),
        ("delay", "create_order", 7),
        ("enter", BTC, 3.0, True, True, 0.0),
        ("enter", BTC, 1.0, True, False, 0.5),
        ("lose_database",),
        ("stop_fires", BTC, 2, 1.0),
        ("enter", BTC, 2.0, False, False, 0.0),
        ("calm",),
    ],
    "the history fails when a close is heard, and the position has grown again since": [
        ("begin", "auto"),
        ("enter", ETH, 2.0, False, True, 1.0),
        ("outage", "orders", False, 10),
        ("deleverage", ETH, 9.0),
        ("by_hand", ETH, 2.0),
        ("calm",),
    ],
    "the history fails when a close is heard, and an exit waits since": [
        ("begin", "auto"),
        ("lose", "orders_since", False, 3),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("deleverage", BTC, 0.5),
        ("exit", BTC, 0.5, False),
        ("calm",),
    ],
    "an exit rests on though a stop has closed its trade": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("tighten", BTC, 1),
        ("by_hand", BTC, -1.0),
        ("loop",),
        ("exit", BTC, 0.5, False),
        ("move", BTC, 3),
        ("calm",),
    ],
    "a trade is deleted while an entry waits that has filled in part": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, True, 0.5),
        ("enter", BTC, 3.0, True, False, 1.0),
        ("fill", BTC, 0.5),
        ("forget", BTC),
        ("tighten", BTC, 1),
        ("loop",),
    ],
    "an entry arrives after a restart, rests, and a trade without any fill is of the other side": [
        ("begin", "on_fill"),
        ("delay", "create_order", 7),
        ("refuse", "cancel_order", -4116, 3),
        ("enter", BTC, 3.0, False, False, 0.0),
        ("loop",),
        ("loop",),
        ("kill",),
        ("wait", 1),
        ("enter", BTC, 2.0, True, False, 1.0),
        ("fill", BTC, 1.0),
        ("wait", 15),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("enter", BTC, 3.0, False, False, 0.0),
        ("calm",),
    ],
    "a stop fired before a kill, and its order is not named yet when it is cancelled": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("fires_unknown", BTC, False, 15),
        ("exit", BTC, 0.5, True),
        ("kill",),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("calm",),
    ],
    "a late entry joins a trade whose close is not booked yet": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("delay", "create_order", 4),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("deleverage", BTC, 9.0),
        ("wait", 15),
    ],
    "the position cannot be asked for when a close is heard, and its entry waits": [
        ("begin", "on_fill"),
        ("enter", BTC, 1.0, False, False, 0.0),
        ("fill", BTC, 0.5),
        ("outage", "account", False, 2),
        ("deleverage", BTC, 1.0),
        ("calm",),
    ],
    "what others left of their own was known, and is not taken off once more": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, False, 0.0),
        ("fill", BTC, 3.0),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("by_hand", BTC, 2.0),
        ("by_hand", BTC, -1.0),
        ("by_hand", BTC, -2.0),
        ("deleverage", BTC, 0.5),
        ("calm",),
    ],
    "the history is empty when an unknown position is first seen": [
        ("begin", "auto"),
        ("shows_nothing", "orders_since", 40),
        ("kill_at", "find_stop", True),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("calm",),
    ],
    "an exit arrives late, beside what somebody else holds": [
        ("begin", "on_fill"),
        ("delay", "create_order", 4),
        ("enter", BTC, 2.0, False, True, 0.0),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("wait", 6),
        ("delay", "create_order", 5),
        ("by_hand", BTC, 2.0),
        ("exit", BTC, 0.5, True),
        ("calm",),
    ],
    "a close before the last fill on record is not booked before a kill": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, True, False, 0.0),
        ("fill", BTC, 0.5),
        ("deleverage", BTC, 9.0),
        ("loop",),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("deleverage", BTC, 0.5),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 3.0),
        ("kill",),
        ("calm",),
    ],
    "two closes within the time in which the history is asked once, and then an entry by hand": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, False, 0.5),
        ("fill", BTC, 1.0),
        ("deleverage", BTC, 0.5),
        ("deleverage", BTC, 1.0),
        ("by_hand", BTC, 1.0),
        ("calm",),
    ],
    "the history does not tell yet of a close that was heard, and an entry by hand follows": [
        ("begin", "auto"),
        ("shows_nothing", "orders_since", 40),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("deleverage", BTC, 0.5),
        ("by_hand", BTC, 1.0),
        ("calm",),
    ],
    "an exit that a kill kept off the record, beside what somebody else holds": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("by_hand", BTC, 1.0),
        ("loop",),
        ("kill_at", "create_order", True),
        ("exit", BTC, 0.5, True),
        ("calm",),
    ],
    "a close is heard while a stop's order is not known": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("fires_unknown", BTC, True, 15),
        ("deleverage", BTC, 0.5),
        ("by_hand", BTC, 2.0),
        ("calm",),
    ],
    "an exit arrives after a restart, beside what somebody else holds": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("by_hand", BTC, 1.0),
        ("loop",),
        ("delay", "create_order", 9),
        ("exit", BTC, 0.5, True),
        ("kill",),
        ("calm",),
    ],
    "a stop fired before its trade was first looked at, and its order is booked again": [
        ("begin", "auto"),
        ("outage", "account", True, 60),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("stop_fires", BTC, 2, 0.5),
        ("outage", "orders", True, 2),
        ("fires_unknown", BTC, True, 40),
        ("loop",),
        ("enter", ETH, 2.0, True, False, 1.0),
        ("calm",),
    ],
    "a list of positions that lacks more than a close explains decides nothing": [
        ("begin", "on_fill"),
        ("by_hand", BTC, -3.0),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("shows_nothing", "positions", 10),
        ("deleverage", BTC, 1.0),
        ("calm",),
    ],
    "a close of a deleted trade is no close of the entry that arrives later": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("fill", BTC, 1.0),
        ("delay", "create_order", 9),
        ("fill", BTC, 1.0),
        ("enter", BTC, 1.0, False, False, 0.0),
        ("forget", BTC),
        ("deleverage", BTC, 1.0),
        ("calm",),
    ],
    "a stop of an earlier run and of the other side stands while an entry rests": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, False, 0.0),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("delay", "create_order", 7),
        ("enter", BTC, 1.0, False, True, 0.5),
        ("move", BTC, 4),
        ("calm",),
        ("delay", "place_stop", 8),
        ("lose_database",),
        ("lose_database",),
        ("exit", BTC, 0.0, True),
        ("enter", BTC, 3.0, True, False, 0.0),
        ("calm",),
    ],
    "an entry that rests puts no comparison off": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("stream", "down"),
        ("deleverage", BTC, 1.0),
        ("enter", BTC, 2.0, True, False, 0.5),
        ("calm",),
    ],
    "a late entry is closed before any trade has booked it": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("delay", "create_order", 9),
        ("tighten", BTC, 1),
        ("outage", "account", False, 10),
        ("enter", BTC, 3.0, False, True, 0.0),
        ("loop",),
        ("move", BTC, -4),
        ("calm",),
    ],
    "a stop fires while the order of the one before is not known": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("fill", BTC, 0.5),
        ("restart",),
        ("fires_unknown", BTC, True, 3),
        ("enter", BTC, 1.0, True, False, 0.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("stop_fires", BTC, 1, 0.5),
        ("calm",),
    ],
    "a stop closed a part of an entry that rests, and nobody knows": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, True, False, 1.0),
        ("fill", BTC, 0.5),
        ("fires_unknown", BTC, True, 3),
        ("restart",),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 0.5),
        ("calm",),
    ],
    "an exit that rests has filled in part beside what somebody else holds": [
        ("begin", "auto"),
        ("by_hand", BTC, 1.0),
        ("tighten", BTC, 3),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("loop",),
        ("exit", BTC, 0.5, False),
        ("deleverage", BTC, 0.5),
        ("fill", BTC, 3.0),
        ("deleverage", BTC, 0.5),
        ("calm",),
    ],
    "one order closed a trade and an entry of it that rests": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("deleverage", BTC, 1.0),
        ("fill", BTC, 3.0),
        ("enter", BTC, 1.0, False, False, 0.5),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 1.0),
        ("by_hand", BTC, -3.0),
        ("fill", BTC, 0.5),
        ("deleverage", BTC, 9.0),
        ("calm",),
    ],
    "an exit rests while another hand closes a part unheard": [
        ("begin", "auto"),
        ("stream", "down"),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("deleverage", BTC, 1.0),
        ("exit", BTC, 0.5, False),
        ("calm",),
    ],
    "the entries of a deleted trade are taken up with what closed of them": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, False, 1.0),
        ("fill", BTC, 3.0),
        ("by_hand", BTC, 1.0),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("loop",),
        ("forget", BTC),
        ("by_hand", BTC, -3.0),
        ("calm",),
    ],
    "others leave what they entered before, and the list of positions is empty": [
        ("begin", "auto"),
        ("by_hand", BTC, 2.0),
        ("shows_part", "positions", BTC, 10),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("by_hand", BTC, -2.0),
    ],
    "an entry was heard to fill and is not found when asked for": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("delay", "create_order", 8),
        ("enter", BTC, 1.0, False, True, 0.5),
        ("fires_unknown", BTC, True, 15),
        ("called_off", BTC),
        ("shows_part", "positions", BTC, 40),
        ("untold", BTC, 2, 2),
        ("shows_part", "positions", BTC, 10),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("shows_the_past", "positions", 25),
        ("loop",),
        ("move", ETH, 4),
        ("move", BTC, -1),
        ("called_off", ETH),
        ("enter", BTC, 3.0, True, False, 0.5),
        ("delay", "place_stop", 8),
        ("delay", "place_stop", 2),
        ("stop_ends", BTC, 0, "canceled"),
        ("loop",),
    ],
    "an exit is heard after its trade has booked it": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("exit", BTC, 0.5, True),
        ("deleverage", BTC, 9.0),
        ("calm",),
    ],
    "an earlier trade of the other side was closed by another hand": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, True, False, 1.0),
        ("enter", BTC, 3.0, False, True, 0.5),
        ("deleverage", BTC, 9.0),
        ("loop",),
        ("enter", BTC, 1.0, False, False, 0.5),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("deleverage", BTC, 1.0),
        ("calm",),
    ],
    "a stop fires before a list shows the entry that a kill kept off the record": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("shows_part", "positions", BTC, 10),
        ("tighten", BTC, 2),
        ("loop",),
        ("kill_at", "cancel", False),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("move", BTC, 2),
        ("calm",),
    ],
    "a close that was not booked before a kill, and then an entry that is on no record": [
        ("begin", "auto"),
        ("kill_at", "cancel", True),
        ("enter", BTC, 3.0, True, False, 0.0),
        ("fill", BTC, 3.0),
        ("kill_at", "cancel", True),
        ("enter", BTC, 3.0, True, False, 1.0),
        ("deleverage", BTC, 1.0),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("calm",),
    ],
    "a stop closes its trade, and with that an entry that no trade has booked": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 3.0),
        ("enter", ETH, 3.0, False, False, 1.0),
        ("delay", "create_order", 5),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("delay", "create_order", 2),
        ("fill", ETH, 3.0),
        ("enter", ETH, 2.0, False, True, 0.5),
        ("loop",),
        ("move", BTC, -4),
        ("fill", BTC, 0.5),
        ("move", BTC, -3),
        ("calm",),
    ],
    "an entry counts as cancelled because nobody could tell of the entry at a start": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("enter", BTC, 1.0, False, False, 0.5),
        ("refuse", "find_order", -4509, 3),
        ("kill",),
        ("fill", BTC, 3.0),
        ("calm",),
    ],
    "a close that was not booked before a kill, and an exit after that close is on record": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("kill",),
        ("by_hand", BTC, -1.0),
        ("exit", BTC, 1.0, False),
        ("fill", BTC, 3.0),
        ("kill_at", "find_stop", True),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("calm",),
    ],
    "a close by others and the next entry are both off the record because of a kill": [
        ("begin", "on_fill"),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("by_hand", BTC, 3.0),
        ("kill_at", "find_stop", True),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("calm",),
    ],
    "a kill comes with a cancel of what covered somebody else's position by chance": [
        ("begin", "auto"),
        ("kill_at", "cancel", True),
        ("by_hand", BTC, -1.0),
        ("enter", BTC, 1.0, True, True, 0.0),
    ],
    "an entry arrives after a restart and joins what somebody else holds": [
        ("begin", "auto"),
        ("delay", "create_order", 8),
        ("kill_at", "find_order", False),
        ("by_hand", BTC, -2.0),
        ("enter", BTC, 3.0, True, True, 0.5),
        ("calm",),
    ],
    "the history is empty after a kill, and tells later of a close and of an entry": [
        ("begin", "on_fill"),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("by_hand", BTC, 3.0),
        ("shows_nothing", "orders_since", 10),
        ("kill_at", "find_stop", True),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("calm",),
    ],
    "the exchange takes less in one order than a while ago": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, True, False, 1.0),
        ("fill", BTC, 3.0),
        ("enter", BTC, 3.0, False, False, 0.5),
        ("stream", "dead"),
        ("limit_size", BTC, 2.0),
        ("fill", BTC, 0.5),
        ("calm",),
    ],
    "a stop's order was told too late, beside a stranger's part": [
        ("begin", "auto"),
        ("by_hand", BTC, -3.0),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("fires_unknown", BTC, True, 3),
        ("wait", 3),
        ("calm",),
    ],
    "such an order was told beside an entry that waits": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("by_hand", BTC, -1.0),
        ("fires_unknown", BTC, True, 15),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("loop",),
        ("calm",),
    ],
    "such an order was told after the entry expired in part": [
        ("begin", "on_fill"),
        ("by_hand", BTC, 2.0),
        ("enter", BTC, 3.0, False, True, 0.5),
        ("fires_unknown", BTC, True, 3),
        ("wait", 1),
        ("wait", 1),
        ("calm",),
    ],
    "an exit followed such an order": [
        ("begin", "auto"),
        ("by_hand", BTC, -1.0),
        ("enter", BTC, 2.0, True, False, 1.0),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("fires_unknown", BTC, True, 3),
        ("wait", 15),
        ("exit", BTC, 1.0, True),
    ],
    "a part of a close was booked by a run that ended at once": [
        ("begin", "auto"),
        ("by_hand", BTC, 1.0),
        ("deleverage", BTC, 0.5),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("deleverage", BTC, 1.0),
        ("restart",),
        ("calm",),
    ],
    "an exit of a deleted trade closed some of its entries": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("exit", BTC, 1.0, True),
        ("by_hand", BTC, 2.0),
        ("wait", 15),
        ("forget", BTC),
        ("by_hand", BTC, 2.0),
        ("calm",),
    ],
    "a stop fired for a deleted trade, beside an entry it had not booked": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 3.0),
        ("forget", BTC),
        ("fires_unknown", BTC, False, 3),
        ("calm",),
    ],
    "an entry of a deleted trade began another one": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("enter", BTC, 2.0, True, False, 0.5),
        ("wait", 6),
        ("limit_size", BTC, 2.0),
        ("fill", BTC, 0.5),
        ("forget", BTC),
        ("loop",),
    ],
    "an entry came after its database was lost, and was only just shown": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("delay", "create_order", 7),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("lose_database",),
        ("tighten", BTC, 2),
        ("calm",),
    ],
    "a stop moved before a fill was heard of": [
        ("begin", "on_fill"),
        ("loop",),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("stream", "late"),
        ("loop",),
        ("enter", BTC, 3.0, True, False, 0.5),
        ("fill", BTC, 1.0),
        ("tighten", BTC, 2),
        ("wait", 15),
    ],
    "a bot looked at a fill before it knew of what an earlier one sent": [
        ("begin", "auto"),
        ("limit_size", BTC, 2.0),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("enter", BTC, 3.0, False, False, 0.0),
        ("kill_at", "find_stop", False),
        ("fill", BTC, 1.0),
        ("wait", 3),
        ("enter", BTC, 1.0, False, True, 0.5),
    ],
    "a stop closed another's part before its entry came": [
        ("begin", "auto"),
        ("delay", "create_order", 8),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("by_hand", BTC, 3.0),
        ("fires_unknown", BTC, True, 15),
        ("calm",),
    ],
    "a stop closed an entry beside another that waits": [
        ("begin", "auto"),
        ("outage", "account", False, 60),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("stop_fires", BTC, 1, 0.5),
        ("enter", BTC, 1.0, True, False, 1.0),
        ("calm",),
    ],
    "somebody's own stop closed a part of what that was for": [
        ("begin", "auto"),
        ("by_hand", ETH, -3.0),
        ("stop_by_hand", ETH),
        ("calm",),
        ("stop_fires", ETH, 2, 0.5),
        ("calm",),
    ],
    "two stops became orders that were told too late": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("fires_unknown", BTC, False, 3),
        ("fires_unknown", BTC, True, 15),
        ("outage", "orders", True, 10),
        ("restart",),
        ("wait", 15),
    ],
    "a stop moved before a fill at market was heard of": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, False, False, 0.5),
        ("fill", BTC, 1.0),
        ("enter", ETH, 1.0, False, False, 1.0),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("enter", BTC, 1.0, False, False, 0.0),
        ("enter", BTC, 3.0, True, True, 0.5),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("fill", BTC, 0.5),
        ("exit", BTC, 0.5, True),
        ("loop",),
        ("move", BTC, 4),
        ("calm",),
        ("enter", BTC, 3.0, False, True, 1.0),
    ],
    "what a stop became was told later still, beside another's part": [
        ("begin", "auto"),
        ("by_hand", ETH, 1.0),
        ("fires_unknown", BTC, False, 15),
        ("enter", ETH, 2.0, False, True, 0.5),
        ("fires_unknown", ETH, True, 3),
        ("wait", 6),
        ("loop",),
        ("calm",),
    ],
    "somebody's own stop stood beside those of an earlier run": [
        ("begin", "auto"),
        ("fires_unknown", BTC, True, 40),
        ("by_hand", BTC, 3.0),
        ("kill",),
        ("by_hand", BTC, -1.0),
        ("stop_by_hand", BTC),
        ("fires_unknown", BTC, False, 15),
        ("limit_size", BTC, 2.0),
        ("wait", 6),
        ("kill",),
        ("calm",),
    ],
    "an entry was refused beside a stop that had triggered": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("enter", BTC, 3.0, False, True, 0.5),
        ("fires_unknown", BTC, False, 3),
        ("enter", BTC, 2.0, True, False, 0.5),
        ("fires_unknown", BTC, True, 15),
        ("called_off", BTC),
        ("limit_size", BTC, 2.0),
        ("enter", BTC, 3.0, True, True, 0.0),
    ],
    "remote control deletes a trade whose stop Freqtrade has not written down yet": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, False, False, 1.0),
        ("outage", "account", False, 60),
        ("fill", BTC, 3.0),
        ("wait", 6),
        ("forget", BTC),
        ("calm",),
    ],
    "a stop fired unheard, and the close for want of a stop would take somebody else's": [
        ("begin", "on_fill"),
        ("tighten", BTC, 1),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("calm",),
        ("stream", "dead"),
        ("move", BTC, 4),
        ("by_hand", BTC, -3.0),
        ("enter", BTC, 2.0, True, True, 0.5),
    ],
    "a trade begins before a loop has let go of the last one's orders": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("stop_fires", BTC, 0, 0.5),
        ("stop_fires", BTC, 2, 1.0),
        ("wait", 6),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("untold", BTC, 0, 8),
        ("fill", BTC, 3.0),
        ("stop_fires", BTC, 1, 1.0),
        ("calm",),
    ],
    "the history lags behind the trade's own orders, and fits the position by chance": [
        ("begin", "on_fill"),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("kill_at", "cancel", False),
        ("shows_the_past", "orders_since", 5),
        ("deleverage", BTC, 0.5),
        ("exit", BTC, 0.0, True),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("calm",),
    ],
    "an entry was heard of, cannot be found, and fills long after": [
        ("begin", "on_fill"),
        ("delay", "create_order", 7),
        ("fires_unknown", BTC, True, 40),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("wait", 15),
        ("fill", BTC, 3.0),
        ("deleverage", BTC, 9.0),
        ("calm",),
    ],
    "a kill comes right after remote control has deleted a trade": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, True, False, 0.0),
        ("kill_at", "positions", False),
        ("outage", "orders", False, 10),
        ("fill", BTC, 1.0),
        ("forget", BTC),
        ("deleverage", BTC, 1.0),
        ("calm",),
    ],
    "a stop fired before an entry was sent, and is heard of after its fill": [
        ("begin", "auto"),
        ("stream", "late"),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("by_hand", BTC, 1.0),
        ("stop_fires", BTC, 1, 1.0),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("calm",),
    ],
    "others sell more than there is, buy it back, and the trade has grown since": [
        ("begin", "auto"),
        ("stream", "dead"),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("by_hand", BTC, -3.0),
        ("by_hand", BTC, 2.0),
        ("enter", BTC, 2.0, False, True, 0.5),
        ("calm",),
        ("deleverage", BTC, 9.0),
        ("calm",),
    ],
    "a stop that nobody can tell of has fired beside what somebody else holds": [
        ("begin", "auto"),
        ("enter", ETH, 3.0, True, True, 1.0),
        ("untold", ETH, 2, 2),
        ("by_hand", ETH, -1.0),
        ("stop_fires", ETH, 2, 0.5),
        ("calm",),
    ],
    "a kill and an old list hide an entry that the next one, of the other side, closes": [
        ("begin", "on_fill"),
        ("shows_the_past", "positions", 25),
        ("kill_at", "place_stop", False),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("enter", BTC, 3.0, True, False, 0.5),
        ("fill", BTC, 3.0),
        ("calm",),
    ],
    "a kill leaves nobody who knows an entry, and others have closed a part of theirs since": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, False, 1.0),
        ("delay", "create_order", 7),
        ("delay", "create_order", 5),
        ("fill", BTC, 0.5),
        ("by_hand", BTC, -3.0),
        ("kill_at", "orders_since", False),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("loop",),
        ("exit", BTC, 0.0, False),
        ("wait", 3),
        ("by_hand", BTC, 1.0),
        ("calm",),
    ],
    "an entry that outlived its trade is closed with the next trade, before either is booked": [
        ("begin", "on_fill"),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 1.0),
        ("deleverage", BTC, 1.0),
        ("loop",),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("fill", BTC, 3.0),
        ("deleverage", BTC, 9.0),
        ("by_hand", BTC, 3.0),
        ("loop",),
        ("calm",),
    ],
    "a kill forgets that a close was an unrecorded entry's in part, and others hold as much": [
        ("begin", "on_fill"),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("fill", BTC, 1.0),
        ("deleverage", BTC, 1.0),
        ("loop",),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("fill", BTC, 3.0),
        ("deleverage", BTC, 9.0),
        ("by_hand", BTC, 3.0),
        ("loop",),
        ("kill",),
        ("calm",),
    ],
    "a close of long ago is found once the trade has grown": [
        ("begin", "auto"),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("stream", "dead"),
        ("deleverage", BTC, 1.0),
        ("by_hand", BTC, -3.0),
        ("deleverage", BTC, 9.0),
        ("by_hand", BTC, 1.0),
        ("calm",),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("deleverage", BTC, 1.0),
    ],
    "a stop that fired unheard took somebody else's, and its entry fills unheard too": [
        ("begin", "auto"),
        ("stream", "late"),
        ("enter", BTC, 2.0, False, False, 1.0),
        ("by_hand", BTC, 1.0),
        ("stop_fires", BTC, 1, 1.0),
        ("fill", BTC, 3.0),
        ("calm",),
    ],
    "an exit comes before a close that was heard is booked, and an entry before that": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("restart",),
        ("by_hand", BTC, -3.0),
        ("enter", BTC, 1.0, False, True, 0.5),
        ("exit", BTC, 0.0, True),
        ("calm",),
    ],
    "a deleted trade's stop closed nothing of the other side": [
        ("begin", "auto"),
        ("wait", 15),
        ("enter", BTC, 2.0, False, True, 1.0),
        ("fires_unknown", ETH, True, 40),
        ("forget", BTC),
        ("stop_fires", BTC, 0, 1.0),
        ("loop",),
        ("enter", BTC, 2.0, True, True, 0.5),
        ("calm",),
    ],
    "a stop that was heard to fire covers nothing, though its service does not answer": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, False, True, 1.0),
        ("outage", "stops", False, 60),
        ("fires_unknown", BTC, True, 40),
        ("wait", 15),
        ("wait", 6),
        ("wait", 6),
    ],
    "a stop closed a part of the trade, and of an entry without one, beside somebody else's": [
        ("begin", "auto"),
        ("by_hand", BTC, -1.0),
        ("limit_size", BTC, 1.0),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("stop_ends", BTC, 1, "rejected"),
        ("fill", BTC, 3.0),
        ("deleverage", BTC, 0.5),
        ("stop_fires", BTC, 1, 1.0),
        ("wait", 1),
        ("deleverage", BTC, 1.0),
    ],
    "what fired was not told of while two services were down": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, True, False, 0.0),
        ("by_hand", BTC, -3.0),
        ("fill", BTC, 1.0),
        ("outage", "orders", False, 10),
        ("fires_unknown", BTC, False, 3),
        ("outage", "stops", False, 10),
        ("wait", 6),
    ],
    "a list lacked somebody's position after the first look": [
        ("begin", "on_fill"),
        ("by_hand", BTC, 3.0),
        ("enter", ETH, 1.0, False, True, 1.0),
        ("wait", 6),
        ("shows_part", "positions", BTC, 10),
        ("wait", 15),
        ("shows_part", "positions", BTC, 10),
        ("wait", 6),
        ("loop",),
        ("enter", BTC, 3.0, False, False, 1.0),
        ("calm",),
    ],
    "a killed entry was not listed after the start": [
        ("begin", "on_fill"),
        ("kill_at", "create_order", True),
        ("shows_part", "positions", BTC, 10),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("wait", 6),
        ("wait", 6),
        ("calm",),
    ],
    "somebody else's position hid that an entry was closed while no bot ran": [
        ("begin", "auto"),
        ("enter", BTC, 3.0, True, False, 0.5),
        ("outage", "orders", False, 10),
        ("fill", BTC, 0.5),
        ("kill",),
        ("kill_at", "positions", True),
        ("deleverage", BTC, 9.0),
        ("restart",),
        ("loop",),
        ("loop",),
        ("loop",),
        ("by_hand", BTC, -3.0),
        ("calm",),
    ],
    "a trade is deleted while an entry has a part of a close": [
        ("begin", "auto"),
        ("tighten", BTC, 2),
        ("enter", BTC, 2.0, True, True, 1.0),
        ("loop",),
        ("enter", BTC, 2.0, False, False, 0.5),
        ("fill", BTC, 3.0),
        ("move", BTC, 4),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("forget", BTC),
    ],
    "two entries of a deleted trade became two trades": [
        ("begin", "on_fill"),
        ("outage", "account", True, 10),
        ("enter", BTC, 1.0, True, True, 1.0),
        ("enter", BTC, 2.0, False, False, 0.5),
        ("outage", "orders", False, 60),
        ("forget", BTC),
        ("fill", BTC, 1.0),
        ("calm",),
        ("called_off", BTC),
        ("calm",),
    ],
    "an exit was replaced that had closed its trade": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("refuse", "find_order", -2019, 3),
        ("exit", BTC, 0.0, False),
        ("by_hand", BTC, -2.0),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("fill", BTC, 0.5),
        ("enter", ETH, 3.0, True, False, 1.0),
        ("exit", BTC, 0.0, True),
    ],
    "an entry filled after a stop whose order nobody told of": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, True, False, 0.0),
        ("by_hand", BTC, -3.0),
        ("fill", BTC, 1.0),
        ("outage", "orders", False, 10),
        ("fires_unknown", BTC, False, 3),
        ("fill", BTC, 1.0),
        ("calm",),
    ],
    "an entry filled again after a close at the deadline": [
        ("begin", "on_fill"),
        ("enter", BTC, 3.0, True, False, 0.0),
        ("by_hand", BTC, -3.0),
        ("fill", BTC, 1.0),
        ("outage", "orders", False, 10),
        ("fires_unknown", BTC, False, 3),
        ("outage", "stops", False, 10),
        ("wait", 6),
        ("fill", BTC, 1.0),
        ("calm",),
    ],
    "an exit was replaced that had filled a part": [
        ("begin", "auto"),
        ("enter", BTC, 1.0, True, True, 0.5),
        ("enter", BTC, 1.0, False, True, 1.0),
        ("refuse", "find_order", -2019, 3),
        ("exit", BTC, 0.0, False),
        ("by_hand", BTC, -2.0),
        ("enter", BTC, 3.0, True, True, 1.0),
        ("fill", BTC, 0.5),
        ("enter", ETH, 3.0, True, False, 1.0),
        ("exit", BTC, 0.0, True),
    ],
    "a stop fired over an entry that had filled nothing, beside somebody's part not seen yet": [
        ("begin", "auto"),
        ("by_hand", ETH, -2.0),
        ("enter", ETH, 2.0, True, False, 1.0),
        ("refuse", "cancel_order", -4116, 1),
        ("fires_unknown", ETH, False, 3),
        ("calm",),
    ],
    "an entry filled after its stop had fired, beside somebody's part not seen yet": [
        ("begin", "auto"),
        ("by_hand", BTC, 2.0),
        ("enter", BTC, 1.0, False, False, 1.0),
        ("stop_fires", BTC, 0, 1.0),
        ("fill", BTC, 1.0),
        ("calm",),
    ],
    "an entry that could not be called off filled after its stop had fired": [
        ("begin", "auto"),
        ("by_hand", BTC, 2.0),
        ("enter", BTC, 1.0, False, False, 1.0),
        ("refuse", "cancel_order", -4116, 3),
        ("stop_fires", BTC, 0, 1.0),
        ("fill", BTC, 1.0),
        ("calm",),
    ],
}


@pytest.mark.parametrize("events", MENDED.values(), ids=MENDED)
def test_what_was_mended_stays_so(events: list[Event], tmp_path: Path) -> None:
    """Each of these lives failed for its own reason."""
    assert not failure(events, tmp_path)


def test_a_life_that_fails_is_shortened() -> None:
    """Nothing is left that could be left out, and how it begins stays."""
    events = [("begin", "auto"), *(("event", number) for number in range(20))]
    needed = {("event", 3), ("event", 17)}
    short = shorten(events, lambda some: needed <= set(some))
    assert short == [("begin", "auto"), ("event", 3), ("event", 17)]


def test_every_clock_is_moved_by_hand() -> None:
    """Whether a module holds the clock by name, by its module, as a default or for a dataclass."""
    clock = HandClock()
    with clock.in_place():
        pending = PendingEntry(EntryRequest(BTC, False, 100.0, 1.0, 1.0), "name", True)
        clock.sleep(7.0)
        assert pending.age_s == 7.0
        assert book.monotonic() == clock.now
        assert client_ids.time.monotonic() == clock.now
    assert pending.age_s != 7.0
