"""The signed endpoints about the account: balances, positions, leverage and margin type."""

from collections.abc import Callable

from qt_protections.rehearsal.api import wire, wire_account
from qt_protections.rehearsal.api.paging import asked_page
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_market import Route
from qt_protections.rehearsal.api.routes_trade import asked_symbol, known_symbol
from qt_protections.rehearsal.api.wire_contracts import brackets_json, order_limits_json
from qt_protections.rehearsal.engine.orders import Cause
from qt_protections.rehearsal.errors import VenueError, missing
from qt_protections.rehearsal.venue import Venue

ADD, REDUCE = 1, 2


def account_config(_venue: Venue, _params: Params) -> object:
    """Answer accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "dualSidePosition": False,
        "multiAssetsMargin": False,
        "updateTime": 0,
        "tradeGroupId": -1,
    }


def post_leverage(venue: Venue, params: Params) -> object:
    """Choose the leverage of a symbol."""
    symbol, leverage = known_symbol(venue, params), params.integer("leverage")
    limit = venue.margin_settings.set_leverage(symbol, leverage)
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": wire.number(limit)}


def post_margin_type(venue: Venue, params: Params) -> object:
    """Choose the margin type of a symbol."""
    kind = params.text("marginType")
    if kind not in {"ISOLATED", "CROSSED"}:
        raise missing("marginType")
    venue.margin_settings.set_isolated(known_symbol(venue, params), kind == "ISOLATED")
    return {"code": 200, "msg": "success"}


def post_position_margin(venue: Venue, params: Params) -> object:
    """Add to an isolated margin (type 1) or take out of it (type 2)."""
    symbol, amount = known_symbol(venue, params), params.decimal("amount")
    kind = params.integer("type")
    if kind not in {ADD, REDUCE}:
        raise missing("type")
    if amount <= 0:
        raise VenueError(-4055)
    venue.margin_settings.move_margin(symbol, amount if kind == ADD else -amount)
    return {
        "code": 200,
        "msg": "Successfully modify position margin.",
        "amount": float(amount),
        "type": kind,
    }


def margin_history(venue: Venue, params: Params) -> object:
    """List what went into the isolated margin of a symbol, and out of it."""
    symbol, kind = known_symbol(venue, params), params.maybe_integer("type")
    found = [
        change
        for change in venue.ledger.margin_changes
        if change.symbol == symbol and kind in {None, ADD if change.amount > 0 else REDUCE}
    ]
    page = asked_page(params, None, week=False)
    rows = page.select(found, lambda change: change.ms, lambda change: change.number)
    return [wire_account.margin_change_json(change) for change in rows]


def force_orders(venue: Venue, params: Params) -> object:
    """List the orders by which the exchange closed our positions."""
    symbol, kind = asked_symbol(venue, params), params.maybe_text("autoCloseType")
    if kind not in {None, "LIQUIDATION", "ADL"}:
        raise VenueError(-1130, "Data sent for parameter 'autoCloseType' is not valid.")
    causes = [Cause.LIQUIDATION, Cause.ADL] if kind is None else [Cause[kind]]
    found = [
        order
        for order in venue.desk.orders
        if order.request.cause in causes and symbol in {None, order.request.symbol}
    ]
    page = asked_page(params, None, default=50, most=100)
    rows = page.select(found, lambda order: order.created_ms, lambda order: order.order_id)
    return [wire_account.force_order_json(order) for order in rows]


def adl_quantile(venue: Venue, params: Params) -> object:
    """List the place of each position in the queue for auto-deleveraging: always the last one."""
    symbol = asked_symbol(venue, params)
    return [
        {"symbol": name, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}}
        for name, _ in venue.account.held()
        if symbol in {None, name}
    ]


def post_dual(_venue: Venue, params: Params) -> object:
    """Refuse hedge mode: only one-way positions exist here."""
    if params.flag("dualSidePosition"):
        raise VenueError(-4084, "Method is not allowed currently. Coming soon.")
    raise VenueError(-4059)


def post_multi_assets(_venue: Venue, params: Params) -> object:
    """Refuse multi-assets mode: positions are margined in their own quote asset."""
    if params.flag("multiAssetsMargin"):
        raise VenueError(-4084, "Method is not allowed currently. Coming soon.")
    raise VenueError(-4171)


def leverage_brackets(venue: Venue, params: Params) -> object:
    """List the leverage tables."""
    symbol = asked_symbol(venue, params)
    names = venue.tape.symbols if symbol is None else (symbol,)
    return [brackets_json(venue.tape.instrument(name)) for name in names]


def symbol_config(venue: Venue, params: Params) -> object:
    """List leverage and margin type of each symbol."""
    symbol = asked_symbol(venue, params)
    names = venue.tape.symbols if symbol is None else (symbol,)
    rows = []
    for name in names:
        leverage = venue.account.leverage_of(name)
        limit = venue.tape.instrument(name).largest_notional(leverage)
        rows.append(
            {
                "symbol": name,
                "marginType": "ISOLATED" if name in venue.account.isolated else "CROSSED",
                "isAutoAddMargin": False,
                "leverage": leverage,
                "maxNotionalValue": wire.number(limit),
            }
        )
    return rows


def open_listen_key(venue: Venue, _params: Params) -> object:
    """Answer POST listenKey: the present key, or a new one."""
    return {"listenKey": venue.listen_keys.open()}


def extend_listen_key(venue: Venue, _params: Params) -> object:
    """Answer PUT listenKey."""
    return {"listenKey": venue.listen_keys.extend()}


def close_listen_key(venue: Venue, _params: Params) -> object:
    """Answer DELETE listenKey."""
    venue.listen_keys.close()
    return {}


def _positions(*, v2: bool) -> Callable[[Venue, Params], object]:
    return lambda venue, params: wire_account.positions_json(
        venue, asked_symbol(venue, params), v2=v2
    )


ACCOUNT_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "v1/accountConfig"): Route(account_config),
    ("POST", "v1/leverage"): Route(post_leverage),
    ("POST", "v1/marginType"): Route(post_margin_type),
    ("GET", "v1/positionSide/dual"): Route(lambda _v, _p: {"dualSidePosition": False}),
    ("POST", "v1/positionMargin"): Route(post_position_margin),
    ("GET", "v1/positionMargin/history"): Route(margin_history),
    ("GET", "v1/forceOrders"): Route(force_orders),
    ("GET", "v1/adlQuantile"): Route(adl_quantile),
    ("POST", "v1/positionSide/dual"): Route(post_dual),
    ("GET", "v1/multiAssetsMargin"): Route(
        lambda venue, _: {"multiAssetsMargin": venue.collateral != "USDT"}
    ),
    ("POST", "v1/multiAssetsMargin"): Route(post_multi_assets),
    ("GET", "v1/feeBurn"): Route(lambda _v, _p: {"feeBurn": False}),
    ("GET", "v1/leverageBracket"): Route(leverage_brackets),
    ("GET", "v1/symbolConfig"): Route(symbol_config),
    ("POST", "v1/listenKey"): Route(open_listen_key, signed=False),
    ("PUT", "v1/listenKey"): Route(extend_listen_key, signed=False),
    ("DELETE", "v1/listenKey"): Route(close_listen_key, signed=False),
    ("GET", "v1/rateLimit/order"): Route(lambda _v, _p: order_limits_json()),
    ("GET", "v1/commissionRate"): Route(
        lambda venue, params: wire_account.commission_json(known_symbol(venue, params))
    ),
    ("GET", "v2/balance"): Route(lambda venue, _p: [wire_account.asset_json(venue)]),
    ("GET", "v3/balance"): Route(lambda venue, _p: [wire_account.asset_json(venue)]),
    ("GET", "v2/account"): Route(lambda v, _p: wire_account.account_json(v, v2=True)),
    ("GET", "v3/account"): Route(lambda v, _p: wire_account.account_json(v, v2=False)),
    ("GET", "v2/positionRisk"): Route(_positions(v2=True)),
    ("GET", "v3/positionRisk"): Route(_positions(v2=False)),
}
