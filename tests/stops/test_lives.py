"""Random lives of a guarded bot hold what the guard promises, and would show if they did not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qt_protections.rules.cover import Need
from qt_protections.stops.book import EntryOrder, Fill, Held, Intent
from qt_protections.stops.bookkeeping import Bookkeeping
from qt_protections.stops.entry_door import EntryDoor
from qt_protections.stops.keeper import Keeper
from qt_protections.stops.line import CcxtOrder
from qt_protections.stops.stop import Stop
from tests.stops.hand_clock import HandClock
from tests.stops.lives import GROUPS, campaign, draw, failure, quiet, shorten
from tests.stops.paper import BTC

#: Lives of the suite: so many blocks, which may run at once, of so many lives each.
BLOCKS, LIVES = 6, 3


@pytest.fixture(autouse=True)
def nothing_logged(tmp_path: Path) -> Iterator[None]:
    """Let the lives be quiet."""
    with quiet(tmp_path):
        yield


@pytest.mark.parametrize("block", range(BLOCKS))
def test_lives_hold_what_is_promised(block: int, tmp_path: Path) -> None:
    """What fails runs again, shortened, by `python -m tests.stops.lives 1 --seed ... --first ...`."""
    lives = range(block * LIVES, (block + 1) * LIVES)
    fault = campaign("suite", lives, tuple(GROUPS), tmp_path)
    assert fault is None, f"--seed suite --first {fault[0]}: {fault[2]}"


def breaks_before_it_makes(patch: pytest.MonkeyPatch) -> None:
    """Cancel the old stop first, then place the new one."""
    move = Keeper.move

    def broken(self: Keeper, held: Held, trigger: float) -> bool:
        for stop in list(held.stops):
            self.cancel(held, stop.order_id)
        return move(self, held, trigger)

    patch.setattr(Keeper, "move", broken)


def leaves_over(patch: pytest.MonkeyPatch) -> None:
    """Believe a stop is gone without having cancelled it."""

    def broken(self: Keeper, held: Held, order_id: str) -> bool:
        held.drop(order_id)
        return True

    patch.setattr(Keeper, "cancel", broken)


def covers_what_filled_alone(patch: pytest.MonkeyPatch) -> None:
    """Place a stop for what has filled, as if the rest of an entry never came."""
    patch.setattr(Intent, "share", property(lambda intent: intent.left))


def sells_a_strangers(patch: pytest.MonkeyPatch) -> None:
    """Take whatever is on the pair for this bot's own."""
    patch.setattr(Held, "own_need", property(lambda held: held.need))


def sends_twice(patch: pytest.MonkeyPatch) -> None:
    """Send an entry again when its answer is lost."""
    settle = EntryDoor._settle_entry

    def broken(self: EntryDoor, intent: Intent, error: Exception) -> CcxtOrder:
        try:
            return settle(self, intent, error)
        except Exception:
            entry = intent.entry
            side = "sell" if entry.is_short else "buy"
            with self._names.given(intent.client_id):
                return self._create_order(
                    pair=entry.pair, ordertype="market", side=side, amount=entry.amount,
                    rate=entry.rate, leverage=entry.leverage,
                )

    patch.setattr(EntryDoor, "_settle_entry", broken)


def books_no_close(patch: pytest.MonkeyPatch) -> None:
    """Close a position at market, and tell no trade of it."""
    patch.setattr(Held, "book_close", lambda *_: None)


def forgets_what_waits(patch: pytest.MonkeyPatch) -> None:
    """Forget the entries that wait when a part of the position is closed."""
    reduce = Held._reduce

    def broken(self: Held, amount: float) -> None:
        reduce(self, amount)
        self.intents.clear()

    patch.setattr(Held, "_reduce", broken)


PLANTED: dict[Callable[[pytest.MonkeyPatch], None], tuple[str, ...]] = {
    breaks_before_it_makes: (),
    leaves_over: (),
    covers_what_filled_alone: (),
    sells_a_strangers: ("hands", "answers"),
    sends_twice: ("answers",),
    books_no_close: ("answers", "stops"),
    forgets_what_waits: ("stops", "answers"),
}
