"""How a trade takes over the stop that was live before it existed."""

from ccxt import TICK_SIZE
from freqtrade.persistence import Order, Trade

from qt_protections.stops.protective_stop import ProtectiveStop


def adopt(trade: Trade, stop: ProtectiveStop) -> None:
    """Make the live stop the trade's own, so that Freqtrade manages it from here.

    The trade's stop price becomes exactly the live trigger. Were it a tick tighter, Freqtrade would
    cancel the stop and place another a minute later, with the position naked in between.
    """
    order = Order.parse_from_ccxt_object(
        stop.order, trade.pair, "stoploss", stop.plan.amount, stop.trigger
    )
    trade.orders.append(order)
    trade.stop_loss = stop.trigger
    trade.stop_loss_pct = -_ratio_of_margin(trade, stop.trigger)
    if trade.nr_of_successful_entries <= 1:
        trade.initial_stop_loss = stop.trigger
    trade.is_stop_loss_trailing = trade.stop_loss != trade.initial_stop_loss


def _ratio_of_margin(trade: Trade, trigger: float) -> float:
    """Return the stop's distance as Freqtrade's ratio of margin, half a tick to the loose side.

    Freqtrade recomputes the price from this ratio and rounds it toward the entry; from half a tick
    outside it rounds to the trigger itself, whatever the last binary digit says.
    """
    in_ticks = trade.precision_mode_price == TICK_SIZE
    half_tick = (trade.price_precision or 0.0) / 2 if in_ticks else 0.0
    outside = trigger + half_tick if trade.is_short else trigger - half_tick
    return abs(trade.open_rate - outside) / trade.open_rate * (trade.leverage or 1.0)
