"""Orders as they arrive: read, given a name, placed. Every refusal is written down once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.orders import AlgoOrder, AlgoType, Order
from qt_protections.rehearsal.params import Params, algo_request, order_request, told_facts
from qt_protections.rehearsal.venue import Venue


def place_order(venue: Venue, params: Params) -> Order:
    """Place the plain order that `params` describe.

    A type of the conditional service, which this endpoint refuses, counts as a refused stop.

    Raises:
        VenueError: With the code Binance refuses it with; the journal has it then.
    """
    type_ = (params.maybe_text("type") or "").upper()
    kind = EventKind.STOP_REJECTED if type_ in set(AlgoType) else EventKind.ORDER_REJECTED
    with _noting_refusal(venue, kind, params):
        request = order_request(params)
        if not request.client_id:
            request = replace(request, client_id=f"web_{venue.now_ms}_{venue.desk.orders.added}")
        return venue.place_order(request)


def place_algo(venue: Venue, params: Params) -> AlgoOrder:
    """Place the conditional order that `params` describe.

    Raises:
        VenueError: With the code Binance refuses it with; the journal has it then.
    """
    with _noting_refusal(venue, EventKind.STOP_REJECTED, params):
        request = algo_request(params)
        if not request.client_id:
            count = venue.conditional.algos.added
            request = replace(request, client_id=f"web_{venue.now_ms}_{count}")
        return venue.place_algo(request)


@contextmanager
def _noting_refusal(venue: Venue, kind: EventKind, params: Params) -> Iterator[None]:
    try:
        yield
    except VenueError as refusal:
        symbol, facts = told_facts(params)
        facts.update({"code": refusal.code, "reason": refusal.msg})
        venue.journal.add(kind, symbol, **facts)
        raise
