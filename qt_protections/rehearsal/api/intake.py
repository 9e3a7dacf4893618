"""Orders as they arrive: read, given a name, placed. Every refusal is written down once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from qt_protections.rehearsal.api.params import Params, algo_request, order_request, told_facts
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoType, Order
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.venue import Venue


def place_order(venue: Venue, params: Params) -> Order:
    """Place the plain order that `params` describe.

    A type of the conditional service, which this endpoint refuses, counts as a refused stop.

    Raises:
        VenueError: With the code Binance refuses it with; the journal has it then.
    """
    with _noting_refusal(venue, _rejection(params, algo=False), params):
        request = order_request(params)
        if not request.client_id:
            request = replace(request, client_id=f"web_{venue.now_ms}_{venue.desk.orders.added}")
        return venue.place_order(request)


def place_algo(venue: Venue, params: Params) -> AlgoOrder:
    """Place the conditional order that `params` describe.

    Raises:
        VenueError: With the code Binance refuses it with; the journal has it then.
    """
    with _noting_refusal(venue, _rejection(params, algo=True), params):
        request = algo_request(params)
        if not request.client_id:
            count = venue.conditional.algos.added
            request = replace(request, client_id=f"web_{venue.now_ms}_{count}")
        return venue.place_algo(request)


def refuse(
    venue: Venue,
    method: str,
    name: str,
    params: Params,
    draw: Callable[[], VenueError | None],
) -> None:
    """Refuse a request as a script says; a malformed order is refused for what it is.

    Args:
        venue: The exchange.
        method: HTTP method.
        name: Path behind `/fapi/`.
        params: The request's parameters.
        draw: Returns the refusal, None to let the request pass.

    Raises:
        VenueError: The refusal; the journal has it then, if it was an order's.
    """
    order = (method, name) == ("POST", "v1/order")
    algo = (method, name) == ("POST", "v1/algoOrder")
    noting = _noting_refusal(venue, _rejection(params, algo=algo), params)
    with noting if order or algo else nullcontext():
        if order:
            order_request(params)
        if algo:
            algo_request(params)
        refusal = draw()
        if refusal is not None:
            raise refusal


def _rejection(params: Params, *, algo: bool) -> EventKind:
    type_ = (params.maybe_text("type") or "").upper()
    is_stop = algo or type_ in set(AlgoType)
    return EventKind.STOP_REJECTED if is_stop else EventKind.ORDER_REJECTED


@contextmanager
def _noting_refusal(venue: Venue, kind: EventKind, params: Params) -> Iterator[None]:
    try:
        yield
    except VenueError as refusal:
        symbol, facts = told_facts(params)
        facts.update({"code": refusal.code, "reason": refusal.msg})
        venue.journal.add(kind, symbol, **facts)
        raise
