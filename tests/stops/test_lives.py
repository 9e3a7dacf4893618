"""Random lives of a guarded bot hold what the guard promises, and would show if they did not."""

import re
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import pytest
from freqtrade.persistence import Order

from qt_protections.stops import book, names
from qt_protections.stops.book import EntryOrder, Held, Intent
from qt_protections.stops.entries import Entries
from qt_protections.stops.entry_door import EntryDoor
from qt_protections.stops.keeper import Keeper
from qt_protections.stops.line import CcxtOrder
from tests.stops.hand_clock import HandClock
from tests.stops.lives import GROUPS, campaign, draw, failure, quiet, shorten
from tests.stops.paper import BTC

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
    move = Keeper.move

    def broken(self: Keeper, held: Held, trigger: float) -> bool:
        for each in list(held.stops):
            self.cancel(held, each.order_id)
        return move(self, held, trigger)

    patch.setattr(Keeper, "move", broken)


def leaves_over(patch: pytest.MonkeyPatch) -> None:
    """Believe a stop is gone without having cancelled it."""

    def broken(self: Keeper, held: Held, order_id: str) -> bool:
        held.drop(order_id)
        return True

    patch.setattr(Keeper, "cancel", broken)


def withdraws_what_is_not_shown(patch: pytest.MonkeyPatch) -> None:
    """Take a position that one list does not show for closed."""

    def broken(self: Keeper, held: Held, at_most: float = inf, *, with_exits: bool = False) -> bool:
        held.base = 0.0
        self.mend(held)
        return True

    patch.setattr(Keeper, "book_closes", broken)


def takes_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Make a trade of whatever somebody else entered."""

    def broken(self: Entries, order: CcxtOrder) -> bool:
        return Order.order_by_id(str(order["id"]), order["symbol"]) is None

    patch.setattr(Entries, "_is_stray", broken)


def sells_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Close whatever is on the pair when no stop can be placed."""
    patch.setattr(Held, "own_need", property(lambda held: held.need))


def sends_twice(patch: pytest.MonkeyPatch) -> None:
    """Send an entry again when nobody knows what became of it."""
    settle = EntryDoor._settle_entry

    def broken(self: EntryDoor, intent: Intent, error: Exception) -> CcxtOrder:
        try:
            return settle(self, intent, error)
        except Exception:
            entry = intent.entry
            with self._names.given(intent.client_id):
                return self._create_order(
                    pair=entry.pair,
                    ordertype="market",
                    side="sell" if entry.is_short else "buy",
                    amount=entry.amount,
                    rate=entry.rate,
                    leverage=entry.leverage,
                )

    patch.setattr(EntryDoor, "_settle_entry", broken)


def books_no_close(patch: pytest.MonkeyPatch) -> None:
    """Close a position at market, and tell no trade of it."""
    patch.setattr(Held, "book_close", lambda *_: None)


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
        intent = Intent(EntryOrder(BTC, False, 1.0, 100.0, 1.0), "name", True)
        clock.sleep(7.0)
        assert intent.age_s == 7.0
        assert book.monotonic() == clock.now
        assert names.time.monotonic() == clock.now
    assert intent.age_s != 7.0
