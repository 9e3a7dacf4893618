"""What has to stand follows from what is known of a pair."""

import threading
from dataclasses import replace

import pytest

from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.stop_plan import RequiredStop
from qt_protections.stops.state.exposures import unaccounted
from qt_protections.stops.state.external import External
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.protocol import Position
from tests.patience import PATIENCE_S
from tests.stops.paper import BTC, ETH


def held(**known: object) -> PairState:
    """Return a long of one that has to be stopped at 98."""
    return PairState(BTC, **({"base": 1.0, "trigger": 98.0} | known))  # type: ignore[arg-type]


def pending(amount: float = 2.0, *, stop_first: bool = True, filled: float = 0.0) -> PendingEntry:
    """Return an entry under way."""
    entry = EntryRequest(BTC, False, 100.0, 10.0, amount)
    return PendingEntry(entry, "name", stop_first, "7", filled)


def stop(order_id: str, *, is_short: bool = False) -> Stop:
    """Return a stop as the exchange told of it."""
    side = "buy" if is_short else "sell"
    return Stop.of(BTC, {"id": order_id, "side": side, "amount": 1.0, "stopPrice": 98.0})


@pytest.mark.parametrize(
    ("known", "amount"),
    [
        ({}, 1.0),
        ({"trigger": 0.0}, None),
        ({"base": 0.0}, None),
        ({"pending_entries": [pending()]}, 3.0),
        ({"pending_entries": [pending(stop_first=False)]}, 1.0),
        ({"pending_entries": [pending(stop_first=False, filled=0.5)]}, 3.0),
        ({"base": 0.0, "pending_entries": [pending()]}, 2.0),
        ({"external": External(Position(BTC, False, 5.0, 100.0, 10.0))}, 5.0),
        ({"external": External(Position(BTC, False, 0.5, 100.0, 10.0))}, 1.0),
        ({"base": 0.1, "pending_entries": [pending(0.2)]}, 0.3),
    ],
    ids=[
        "trade",
        "nothing-known",
        "no-position",
        "entry-on-its-way",
        "covered-on-the-fill",
        "filled-in-part",
        "entry-alone",
        "larger-than-the-trade",
        "smaller-than-the-trade",
        "exact-to-the-lot",
    ],
)
def test_the_need(known: dict[str, object], amount: float | None) -> None:
    """The whole position, with what entries may add; nothing if there is nothing."""
    wanted = None if amount is None else RequiredStop(False, amount, 98.0)
    assert held(**known).required_stop == wanted


def test_a_dead_entry_needs_what_it_filled() -> None:
    """And no more."""
    entry = pending(filled=0.5)
    entry.hear("7", 0.5, is_over=True)
    assert held(pending_entries=[entry]).required_stop == RequiredStop(False, 1.5, 98.0)


@pytest.mark.parametrize(
    ("is_short", "wanted", "stands"), [(False, 97.0, 98.0), (False, 99.0, 99.0), (True, 97.0, 97.0)]
)
def test_a_trigger_moves_toward_the_price_only(
    is_short: bool, wanted: float, stands: float
) -> None:
    """While there is something to protect."""
    pair = held(is_short=is_short)
    pair.tighten(wanted)
    assert pair.trigger == stands


def test_a_trigger_of_nothing_is_forgotten() -> None:
    """The next position stands somewhere else."""
    pair = held(base=0.0)
    pair.tighten(90.0)
    assert pair.trigger == 90.0


def test_stops_of_the_other_side_do_not_stand() -> None:
    """They cover nothing, and only the rest counts as cover."""
    pair = held(
        stops=[stop("1"), stop("2", is_short=True)], trailing_stops=[stop("3", is_short=True)]
    )
    assert [standing.order_id for standing in pair.standing] == ["1"]
    assert [astray.order_id for astray in pair.wrong_side_stops] == ["2", "3"]
    assert pair.active_stop is not None
    assert pair.active_stop.order_id == "1"


def test_what_is_dropped_is_gone_from_everywhere_and_remembered() -> None:
    """Its trade has yet to learn; and a list made before counts no more."""
    pair = held(stops=[stop("1"), stop("2")])
    pair.stops[0].track.hear(StopEvent.UNKNOWN)
    before = pair.changed
    pair.drop("1")
    assert (pair.stop_of("1"), pair.is_in_doubt, pair.released) == (None, False, {"1"})
    assert pair.changed > before


def test_an_entry_is_known_by_either_name() -> None:
    """And an empty name is nobody's."""
    entry = pending()
    nameless = PendingEntry(entry.entry, "", True)
    pair = held(pending_entries=[nameless, entry])
    assert pair.pending_of("7") is entry
    assert pair.pending_of("", "name") is entry
    assert pair.pending_of("8", "other") is None
    assert pair.pending_of("", "") is None


def test_what_no_trade_accounts_for() -> None:
    """An unbooked entry is the bot's own; of a stranger's position the part that no trade has."""
    lost = pending()
    stranger = Position(BTC, False, 3.0, 110.0, 1.0)
    own, foreign = unaccounted(
        held(base=1.0, pending_entries=[lost, pending()], external=External(stranger)), [lost]
    )
    assert own == Exposure(BTC, False, lost.entry.amount, lost.entry.rate, own.stop)
    assert foreign == Exposure(BTC, False, 2.0, 110.0, foreign.stop, is_foreign=True)
    (turned,) = unaccounted(held(base=1.0, external=External(replace(stranger, is_short=True))), [])
    assert (turned.amount, turned.is_foreign) == (3.0, True)
    assert unaccounted(held(base=3.0, external=External(stranger)), []) == []


def test_all_threads_get_the_same_page() -> None:
    """Or two of them would hold two locks for one pair."""
    book, found = PairStates(), []
    ready = threading.Barrier(8)

    def turn() -> None:
        ready.wait(PATIENCE_S)
        found.append(book.of(BTC))

    threads = [threading.Thread(target=turn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len({id(page) for page in found}) == 1
    book.of(ETH)
    assert [page.pair for page in book] == [BTC, ETH]
