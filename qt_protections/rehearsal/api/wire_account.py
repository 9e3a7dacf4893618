"""Positions and balances as Binance JSON."""

from collections.abc import Iterable
from decimal import Decimal

from qt_protections.rehearsal.api.wire import money, number, order_json
from qt_protections.rehearsal.engine.account import MAKER_FEE_RATIO, TAKER_FEE_RATIO
from qt_protections.rehearsal.engine.ledger import MarginChange
from qt_protections.rehearsal.engine.orders import Order
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.venue import Venue

# Fields of other orders that forceOrders does not have.
_NOT_FORCED = frozenset(
    {"cumQty", "priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"}
)


def position_json(venue: Venue, symbol: str) -> JsonObject:
    """Return a position with the fields of positionRisk v3."""
    position, valuation = venue.account.position(symbol), venue.desk.valuation
    mark, unrealized = venue.tape.mark(symbol), valuation.unrealized(symbol)
    # ccxt takes a position of v3 for a cross one if its isolatedMargin is zero.
    isolated = symbol in venue.account.isolated
    initial = valuation.initial(symbol)
    resting = sum(map(venue.desk.margin.of_order, venue.desk.open_orders(symbol)), Decimal(0))
    return {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": number(position.amount),
        "entryPrice": money(position.entry_price),
        "breakEvenPrice": money(_break_even(position.entry_price, position.amount)),
        "markPrice": money(mark),
        "unRealizedProfit": money(unrealized),
        "liquidationPrice": money(valuation.liquidation_price(symbol)),
        "isolatedMargin": money(position.margin + unrealized) if isolated else "0",
        "notional": money(position.amount * mark),
        "marginAsset": "USDT",
        "isolatedWallet": money(position.margin) if isolated else "0",
        "initialMargin": money(initial + resting),
        "maintMargin": money(valuation.maintenance(symbol)),
        "positionInitialMargin": money(initial),
        "openOrderInitialMargin": money(resting),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def position_v2_json(venue: Venue, symbol: str) -> JsonObject:
    """Return a position with the further fields only v2 has: leverage and margin type."""
    isolated, leverage = symbol in venue.account.isolated, venue.account.leverage_of(symbol)
    limit = number(venue.tape.instrument(symbol).largest_notional(leverage))
    return position_json(venue, symbol) | {
        "marginType": "isolated" if isolated else "cross",
        "isAutoAddMargin": "false",
        "leverage": str(leverage),
        "maxNotionalValue": limit,
        "maxNotional": limit,
        "isolated": isolated,
    }


def positions_json(venue: Venue, symbol: str | None, *, v2: bool) -> list[JsonObject]:
    """Return positions: every symbol (v2), or those with a position or resting orders (v3)."""
    symbols = venue.tape.symbols if symbol is None else (symbol,)
    if v2:
        return [position_v2_json(venue, name) for name in symbols]
    busy = {order.request.symbol for order in venue.desk.open_orders()}
    busy |= {name for name, _ in venue.account.held()}
    return [position_json(venue, name) for name in symbols if name in busy]


def asset_json(venue: Venue) -> JsonObject:
    """Return the USDT balance with the fields of the account and of the balance endpoints."""
    account, desk, valuation = venue.account, venue.desk, venue.desk.valuation
    held = [name for name, _ in account.held()]
    unrealized = _total(valuation.unrealized(name) for name in held)
    positions = _total(valuation.initial(name) for name in held)
    resting = _total(desk.margin.of_order(order) for order in desk.open_orders())
    # What positions merely promise can be traded with, but not withdrawn.
    removable = min(desk.margin.available, max(account.cross_wallet, Decimal(0)))
    return {
        "accountAlias": "rehearsal",
        "asset": venue.collateral,
        "balance": money(account.wallet),
        "walletBalance": money(account.wallet),
        "unrealizedProfit": money(unrealized),
        "marginBalance": money(account.wallet + unrealized),
        "maintMargin": money(_total(valuation.maintenance(name) for name in held)),
        "initialMargin": money(positions + resting),
        "positionInitialMargin": money(positions),
        "openOrderInitialMargin": money(resting),
        "crossWalletBalance": money(account.cross_wallet),
        "crossUnPnl": money(valuation.cross_unrealized),
        "availableBalance": money(desk.margin.available),
        "maxWithdrawAmount": money(removable),
        "marginAvailable": True,
        # ccxt drops balances whose updateTime is 0 (ccxt issue 27997)
        "updateTime": venue.now_ms,
    }


def account_json(venue: Venue, *, v2: bool) -> JsonObject:
    """Return the account of v2 (every symbol) or v3 (symbols in use)."""
    asset = asset_json(venue)
    totals = {
        "totalInitialMargin": "initialMargin",
        "totalMaintMargin": "maintMargin",
        "totalWalletBalance": "walletBalance",
        "totalUnrealizedProfit": "unrealizedProfit",
        "totalMarginBalance": "marginBalance",
        "totalPositionInitialMargin": "positionInitialMargin",
        "totalOpenOrderInitialMargin": "openOrderInitialMargin",
        "totalCrossWalletBalance": "crossWalletBalance",
        "totalCrossUnPnl": "crossUnPnl",
        "availableBalance": "availableBalance",
        "maxWithdrawAmount": "maxWithdrawAmount",
    }
    return {
        "feeTier": 0,
        "feeBurn": False,
        "tradeGroupId": -1,
        "canTrade": True,
        "canDeposit": False,
        "canWithdraw": False,
        "multiAssetsMargin": False,
        "updateTime": 0,
        **{total: asset[part] for total, part in totals.items()},
        "assets": [asset],
        "positions": [
            row | {"unrealizedProfit": row["unRealizedProfit"]}
            for row in positions_json(venue, None, v2=v2)
        ],
    }


def commission_json(symbol: str) -> JsonObject:
    """Return the fee rates of `symbol`."""
    return {
        "symbol": symbol,
        "makerCommissionRate": number(MAKER_FEE_RATIO),
        "takerCommissionRate": number(TAKER_FEE_RATIO),
        "rpiCommissionRate": "0.00005",
    }


def margin_change_json(change: MarginChange) -> JsonObject:
    """Return a change of an isolated margin."""
    return {
        "symbol": change.symbol,
        "type": 1 if change.amount > 0 else 2,
        "deltaType": "TRADE" if change.by_trade else "USER_ADJUST",
        "amount": money(abs(change.amount)),
        "asset": "USDT",
        "time": change.ms,
        "positionSide": "BOTH",
        "clientTranId": "",
    }


def force_order_json(order: Order) -> JsonObject:
    """Return an order that liquidated us: fewer fields than others have."""
    row = order_json(order)
    return {name: value for name, value in row.items() if name not in _NOT_FORCED}


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _break_even(entry_price: Decimal, amount: Decimal) -> Decimal:
    return entry_price * (1 + TAKER_FEE_RATIO * 2 * (1 if amount > 0 else -1))
