"""The signed endpoints."""

from dataclasses import replace

from qt_protections.rehearsal.api import intake, wire
from qt_protections.rehearsal.api.batches import batch, batch_cancel
from qt_protections.rehearsal.api.paging import asked_page
from qt_protections.rehearsal.api.params import Params, amend_request, order_request
from qt_protections.rehearsal.api.routes_market import Route
from qt_protections.rehearsal.engine.orders import Order
from qt_protections.rehearsal.errors import VenueError, missing
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.venue import Venue


def post_order(venue: Venue, params: Params) -> object:
    """Place a plain order."""
    order = intake.place_order(venue, params)
    full = params.maybe_text("newOrderRespType") == "RESULT"
    return wire.order_json(order) if full else wire.acknowledgement_json(order)


def try_order(venue: Venue, params: Params) -> object:
    """Check a plain order without placing it."""
    request = order_request(params)
    venue.desk.filters.check(request)
    now_ms = venue.now_ms
    return wire.acknowledgement_json(Order(request, 0, now_ms, now_ms, request.quantity))


def put_order(venue: Venue, params: Params) -> object:
    """Amend a resting limit order."""
    asked, modify_id = amend_request(params), params.maybe_integer("modifyId")
    order = venue.amendments.amend(asked)
    extra: JsonObject = {"pair": order.request.symbol}
    if modify_id is not None:
        extra["modifyId"] = modify_id
    return wire.order_json(order) | extra


def order_amendments(venue: Venue, params: Params) -> object:
    """List the amendments of a plain order, latest first."""
    order = venue.desk.find(*_order_key(venue, params))
    if order is None:
        raise VenueError(-2013)
    page = asked_page(params, None, default=50, most=100, week=False)
    rows = page.select(order.amendments, lambda row: row.ms, lambda row: row.number)
    return [wire.amendment_json(row) for row in reversed(rows)]


def post_countdown(venue: Venue, params: Params) -> object:
    """Arm, renew or stop the countdown after which a symbol's resting orders are cancelled."""
    symbol, countdown_ms = known_symbol(venue, params), params.integer("countdownTime")
    if countdown_ms < 0:
        raise missing("countdownTime")
    venue.countdowns.set(symbol, countdown_ms)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def get_order(venue: Venue, params: Params) -> object:
    """Look up a plain order."""
    symbol, order_id, client_id = _order_key(venue, params)
    order = venue.desk.find(symbol, order_id, client_id)
    if order is None:
        raise VenueError(-2013)
    return wire.order_json(order)


def delete_order(venue: Venue, params: Params) -> object:
    """Cancel a plain order."""
    return wire.order_json(venue.desk.cancel(*_order_key(venue, params)))


def open_order(venue: Venue, params: Params) -> object:
    """Look up a plain order that rests."""
    order = venue.desk.find(*_order_key(venue, params))
    if order is None or not order.is_open:
        raise VenueError(-2013)
    return wire.order_json(order)


def open_orders(venue: Venue, params: Params) -> object:
    """List the resting orders."""
    return [wire.order_json(order) for order in venue.desk.open_orders(asked_symbol(venue, params))]


def all_orders(venue: Venue, params: Params) -> object:
    """List plain orders of every status."""
    symbol, page = known_symbol(venue, params), asked_page(params, "orderId")
    found = [order for order in venue.desk.orders if order.request.symbol == symbol]
    rows = page.select(found, lambda order: order.created_ms, lambda order: order.order_id)
    return [wire.order_json(order) for order in rows]


def delete_all_orders(venue: Venue, params: Params) -> object:
    """Cancel the resting orders of a symbol."""
    venue.desk.cancel_all(known_symbol(venue, params))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def post_algo(venue: Venue, params: Params) -> object:
    """Place a conditional order."""
    return wire.algo_json(intake.place_algo(venue, params))


def get_algo(venue: Venue, params: Params) -> object:
    """Look up a conditional order."""
    algo = venue.conditional.find(*_algo_key(params))
    if algo is None:
        raise VenueError(-2013)
    return wire.algo_query_json(algo)


def delete_algo(venue: Venue, params: Params) -> object:
    """Cancel a conditional order."""
    algo = venue.conditional.cancel(*_algo_key(params))
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.request.client_id,
        "code": "200",
        "msg": "success",
    }


def open_algos(venue: Venue, params: Params) -> object:
    """List the conditional orders that wait for their trigger."""
    live = venue.conditional.live(asked_symbol(venue, params))
    return [wire.algo_query_json(algo) for algo in live]


def all_algos(venue: Venue, params: Params) -> object:
    """List conditional orders of every status."""
    symbol, page = known_symbol(venue, params), asked_page(params, "algoId")
    found = [algo for algo in venue.conditional.algos if algo.request.symbol == symbol]
    rows = page.select(found, lambda algo: algo.created_ms, lambda algo: algo.algo_id)
    return [wire.algo_query_json(algo) for algo in rows]


def delete_all_algos(venue: Venue, params: Params) -> object:
    """Cancel the conditional orders of a symbol."""
    venue.conditional.cancel_all(known_symbol(venue, params))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def user_trades(venue: Venue, params: Params) -> object:
    """List our fills in a symbol."""
    symbol, order_id = known_symbol(venue, params), params.maybe_integer("orderId")
    page = asked_page(params, "fromId")
    if page.first_id is not None and (params.has("startTime") or params.has("endTime")):
        raise VenueError(-1128)
    found = [
        trade
        for trade in venue.ledger.trades
        if trade.symbol == symbol and order_id in {None, trade.order_id}
    ]
    rows = page.select(found, lambda trade: trade.ms, lambda trade: trade.trade_id)
    return [wire.trade_json(trade) for trade in rows]


def income(venue: Venue, params: Params) -> object:
    """List the income history."""
    symbol, kind = asked_symbol(venue, params), params.maybe_text("incomeType")
    found = [
        line
        for line in venue.ledger.incomes
        if symbol in {None, line.symbol} and kind in {None, line.kind}
    ]
    number = params.maybe_integer("page")
    if number is not None and number < 1:
        raise VenueError(-1130, "Data sent for parameter 'page' is not valid.")
    page = replace(asked_page(params, None, default=100, week=False), number=number or 1)
    rows = page.select(found, lambda line: line.ms, lambda line: line.number)
    return [wire.income_json(line) for line in rows]


def known_symbol(venue: Venue, params: Params) -> str:
    """Return the mandatory symbol; refuse (-1102, -1121) if absent or unknown."""
    return venue.tape.instrument(params.text("symbol")).symbol


def asked_symbol(venue: Venue, params: Params) -> str | None:
    """Return the symbol if one was sent; refuse (-1121) an unknown one."""
    return known_symbol(venue, params) if params.has("symbol") else None


def _order_key(venue: Venue, params: Params) -> tuple[str, int | None, str | None]:
    order_id, client_id = params.maybe_integer("orderId"), params.maybe_text("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    return known_symbol(venue, params), order_id, client_id


def _algo_key(params: Params) -> tuple[int | None, str | None]:
    algo_id, client_id = params.maybe_integer("algoId"), params.maybe_text("clientAlgoId")
    if algo_id is None and client_id is None:
        raise missing("algoId")
    return algo_id, client_id


TRADE_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "v1/order"): Route(post_order),
    ("POST", "v1/order/test"): Route(try_order),
    ("GET", "v1/order"): Route(get_order),
    ("DELETE", "v1/order"): Route(delete_order),
    ("PUT", "v1/order"): Route(put_order),
    ("GET", "v1/orderAmendment"): Route(order_amendments),
    ("POST", "v1/batchOrders"): Route(batch(post_order)),
    ("PUT", "v1/batchOrders"): Route(batch(put_order)),
    ("DELETE", "v1/batchOrders"): Route(batch_cancel(delete_order)),
    ("GET", "v1/openOrder"): Route(open_order),
    ("GET", "v1/openOrders"): Route(open_orders),
    ("GET", "v1/allOrders"): Route(all_orders),
    ("DELETE", "v1/allOpenOrders"): Route(delete_all_orders),
    ("POST", "v1/countdownCancelAll"): Route(post_countdown),
    ("POST", "v1/algoOrder"): Route(post_algo),
    ("GET", "v1/algoOrder"): Route(get_algo),
    ("DELETE", "v1/algoOrder"): Route(delete_algo),
    ("GET", "v1/openAlgoOrders"): Route(open_algos),
    ("GET", "v1/allAlgoOrders"): Route(all_algos),
    ("DELETE", "v1/algoOpenOrders"): Route(delete_all_algos),
    ("GET", "v1/userTrades"): Route(user_trades),
    ("GET", "v1/income"): Route(income),
}
