"""Positions and balances as Binance JSON."""

from decimal import Decimal

from qt_protections.rehearsal.account import (
    MAKER_FEE_RATIO,
    TAKER_FEE_RATIO,
    liquidation_price,
    maintenance_margin,
)
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.venue import Venue
from qt_protections.rehearsal.wire import money, number


def position_json(venue: Venue, symbol: str) -> JsonObject:
    """Return a position with the fields of positionRisk v3."""
    instrument, position = venue.tape.instrument(symbol), venue.account.position(symbol)
    mark = venue.tape.mark(symbol)
    notional, unrealized = position.amount * mark, position.unrealized(mark)
    margin = abs(notional) / venue.account.leverage_of(symbol)
    resting = sum(map(venue.desk.order_margin, venue.desk.open_orders(symbol)), Decimal(0))
    return {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": number(position.amount),
        "entryPrice": money(position.entry_price),
        "breakEvenPrice": money(_break_even(position.entry_price, position.amount)),
        "markPrice": money(mark),
        "unRealizedProfit": money(unrealized),
        "liquidationPrice": money(liquidation_price(instrument, position, mark)),
        "isolatedMargin": money(position.margin + unrealized),
        "notional": money(notional),
        "marginAsset": "USDT",
        "isolatedWallet": money(position.margin),
        "initialMargin": money(margin + resting),
        "maintMargin": money(maintenance_margin(instrument, abs(notional))),
        "positionInitialMargin": money(margin),
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
    account, tape = venue.account, venue.tape
    held = account.held()
    unrealized = sum((p.unrealized(tape.mark(name)) for name, p in held), Decimal(0))
    maintenance = sum(
        (
            maintenance_margin(tape.instrument(name), abs(p.amount) * tape.mark(name))
            for name, p in held
        ),
        Decimal(0),
    )
    bound = account.wallet - venue.desk.available
    return {
        "accountAlias": "rehearsal",
        "asset": "USDT",
        "balance": money(account.wallet),
        "walletBalance": money(account.wallet),
        "unrealizedProfit": money(unrealized),
        "marginBalance": money(account.wallet + unrealized),
        "maintMargin": money(maintenance),
        "initialMargin": money(bound),
        "positionInitialMargin": money(account.position_margin),
        "openOrderInitialMargin": money(bound - account.position_margin),
        "crossWalletBalance": money(account.free),
        "crossUnPnl": "0.00000000",
        "availableBalance": money(venue.desk.available),
        "maxWithdrawAmount": money(venue.desk.available),
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


def _break_even(entry_price: Decimal, amount: Decimal) -> Decimal:
    return entry_price * (1 + TAKER_FEE_RATIO * 2 * (1 if amount > 0 else -1))
