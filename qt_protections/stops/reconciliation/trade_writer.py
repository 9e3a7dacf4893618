"""What the guard writes into Freqtrade's trades: stops it placed, orders whose answer was lost."""

import logging
from datetime import UTC, datetime
from math import isclose

from freqtrade.enums import ExitType
from freqtrade.exchange import Exchange, timeframe_to_minutes
from freqtrade.persistence import Order, Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.reconciliation.order_sequence import note_fill, set_in_order
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.trade_stop import follow
from qt_protections.stops.venue.protocol import CcxtOrder

logger = withhold_secrets(logging.getLogger(__name__))


def adopt(trade: Trade, stop: Stop) -> None:
    """Make the live stop the trade's own, so that Freqtrade manages it from here.

    The trade's stop price becomes exactly the live trigger. Were it a tick tighter, Freqtrade would
    cancel the stop and place another a minute later, with the position naked in between.
    """
    if not trade.sl_orders:
        trade.initial_stop_loss = stop.trigger
    add_stop(trade, stop)
    follow(trade, stop.trigger)


def claim_stop(trade: Trade, order_id: str) -> None:
    """Take a stop over that an earlier trade of the pair had, and that stands on for this one."""
    row = Order.order_by_id(order_id, trade.pair)
    if row is not None and row.ft_trade_id != trade.id:
        trade.orders.append(row)


def add_stop(trade: Trade, stop: Stop) -> None:
    """Put a stop on the trade's record as live; Freqtrade asks the exchange what became of it."""
    known = row_of(trade, stop.order_id)
    if known is not None:
        known.ft_is_open, known.status = True, "open"
        return
    trade.orders.append(
        Order.parse_from_ccxt_object(
            {**stop.order, "status": "open"}, trade.pair, "stoploss", stop.amount, stop.trigger
        )
    )


def release(trade: Trade, order_id: str) -> None:
    """Note on the trade that one of its stops stands no more, without having done its work."""
    row = row_of(trade, order_id)
    if row is not None and row.ft_is_open:  # else Freqtrade has booked its end
        row.ft_is_open, row.status = False, "canceled"


def keep_order(trade: Trade) -> None:
    """Book a trade's fills anew if they were booked in another order than they happened in.

    The stop price stays: Freqtrade would work out another one from the new average.
    """
    if set_in_order(trade):
        trigger = trade.stop_loss
        trade.recalc_trade_from_orders()
        follow(trade, trigger)


def catch_up(trade: Trade) -> None:
    """Bring a trade up to what its orders filled: a kill may have come between the two.

    Freqtrade writes an order's fill down first, and never looks at it again.
    """
    over = [order for order in trade.orders if not order.ft_is_open and order.safe_filled > 0]
    exits = [order for order in over if order.ft_order_side != trade.entry_side]
    entered = sum_exact(*(order.safe_amount_after_fee for order in over if order not in exits))
    left = subtract_exact(entered, *(order.safe_amount_after_fee for order in exits))
    if isclose(left, trade.amount) or not entered:
        return
    logger.warning("[OK] %s had not counted all of its orders.", trade)
    if left:
        trade.recalc_trade_from_orders()
    else:
        trade.exit_reason = trade.exit_reason or ExitType.SOLD_ON_EXCHANGE.value
        trade.close(exits[-1].safe_price)
    Trade.commit()


def take_exit(trade: Trade, order: CcxtOrder, reason: str) -> None:
    """Add an order that reduced the position; Freqtrade books its fill as of any exit, at once."""
    _add_open(trade, order, trade.exit_side, reason)
    trade.exit_reason = reason


def take_entry(trade: Trade, order: CcxtOrder, tag: str | None) -> None:
    """Add an entry to its trade; Freqtrade books its fill as of any entry, at once."""
    _add_open(trade, order, trade.entry_side, tag)
    trade.recalc_trade_from_orders()


def book_again(row: Order) -> None:
    """Have Freqtrade ask for an entry that counts as over, and book its fill, as if just sent."""
    row.ft_is_open, row.status, row.filled, row.remaining = True, "open", 0.0, row.amount


def take_over_entry(trade: Trade, row: Order) -> None:
    """Move an entry that filled after its own trade was closed to another one, as just sent."""
    closed = row.trade
    book_again(row)
    if closed is trade:
        return
    trade.orders.append(row)
    trade.recalc_trade_from_orders()
    Trade.session.flush()
    Trade.session.refresh(closed)
    entries = closed.select_filled_orders(closed.entry_side)
    if amount := sum_exact(*(entry.safe_filled for entry in entries)):
        # Freqtrade may have booked the fill on it meanwhile, as on a trade that is open.
        value = sum(entry.safe_filled * entry.safe_price for entry in entries)
        closed.amount, closed.open_rate = amount, value / amount
        closed.stake_amount = value / (closed.leverage or 1.0)
        closed.recalc_open_trade_value()
        closed.recalc_trade_from_orders(is_closing=True)


def new_trade(
    exchange: Exchange,
    strategy: IStrategy,
    entry: EntryRequest,
    tag: str | None,
) -> Trade:
    """Return a trade for an entry the exchange has and no open trade does, without its order yet.

    It is what Freqtrade makes of an entry whose answer arrived, before anything is filled.
    """
    pair, amount, rate, leverage = entry.pair, entry.amount, entry.rate, entry.leverage
    config = strategy.config
    fee = exchange.get_fee(symbol=pair, taker_or_maker="maker")
    trade = Trade(
        pair=pair,
        base_currency=exchange.get_pair_base_currency(pair),
        stake_currency=config["stake_currency"],
        stake_amount=amount * rate / leverage,
        amount=0.0,
        is_open=True,
        amount_requested=amount,
        fee_open=fee,
        fee_close=fee,
        open_rate=rate,
        open_rate_requested=rate,
        open_date=datetime.now(UTC),
        exchange=exchange.id,
        strategy=strategy.get_strategy_name(),
        enter_tag=tag,
        timeframe=timeframe_to_minutes(strategy.timeframe),
        leverage=leverage,
        is_short=entry.is_short,
        trading_mode=exchange.trading_mode,
        funding_fees=0.0,
        amount_precision=exchange.get_precision_amount(pair),
        price_precision=exchange.get_precision_price(pair),
        precision_mode=exchange.precisionMode,
        precision_mode_price=exchange.precision_mode_price,
        contract_size=exchange.get_contract_size(pair),
    )
    trade.adjust_stop_loss(trade.open_rate, strategy.stoploss, initial=True)
    return trade


def write_off(trade: Trade) -> None:
    """Close a trade whose position is certainly not there, and that no order closed.

    What no order closed was never held beyond what other orders closed: it made no profit.
    """
    trade.exit_reason = ExitType.SOLD_ON_EXCHANGE.value
    trade.close(trade.open_rate)


def is_hollow(trade: Trade) -> bool:
    """Whether nothing of a trade ever filled, and nothing of it waits any more."""
    orders = len(trade.orders)
    return bool(orders) and trade.fully_canceled_entry_order_count == orders


def has_filled(trade: Trade, order_id: str) -> bool:
    """Whether a trade has booked what an order filled."""
    row = row_of(trade, order_id)
    return row is not None and not row.ft_is_open and row.safe_filled > 0


def row_of(trade: Trade, order_id: str) -> Order | None:
    """Return the trade's record of an order."""
    found: Order | None = trade.select_order_by_order_id(order_id)
    return found


def _add_open(trade: Trade, order: CcxtOrder, side: str, tag: str | None) -> None:
    if row_of(trade, str(order["id"])) is not None:
        return
    unfilled = {**order, "status": "open", "filled": 0.0, "remaining": order["amount"]}
    price = float(order.get("price") or order.get("average") or trade.open_rate)
    row = Order.parse_from_ccxt_object(unfilled, trade.pair, side, price=price)
    row.ft_order_tag = tag
    note_fill(row, order)  # it may have filled before others that are booked already
    trade.orders.append(row)
