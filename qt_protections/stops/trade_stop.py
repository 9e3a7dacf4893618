"""The price of a trade's stop, as Freqtrade has it on record: read, set, and put back."""

from dataclasses import dataclass
from math import isclose

from ccxt import TICK_SIZE
from freqtrade.persistence import LocalTrade

from qt_protections.rules.stop_price import stop_distance


def follow(trade: LocalTrade, trigger: float) -> None:
    """Set the trade's stop price to where its stop stands on the exchange.

    Where Freqtrade arrived at that price by itself, its ratio stays as well: after a further entry
    Freqtrade works the stop out anew, from that ratio and the new average.
    """
    if isclose(trade.stop_loss or 0.0, trigger):
        trade.stop_loss = trigger
        trade.is_stop_loss_trailing = trade.stop_loss != trade.initial_stop_loss
    else:
        stand_at(trade, trigger)


def stand_at(trade: LocalTrade, trigger: float) -> None:
    """Set the trade's stop price, and the ratio that Freqtrade works the price out from.

    The ratio has no sign. So one of a stop on the gaining side of the entry would count for the
    losing side: there the ratio stays what Freqtrade made of it.
    """
    trade.stop_loss = trigger
    if stop_distance(trade.open_rate, trigger, is_short=trade.is_short) > 0:
        trade.stop_loss_pct = -_ratio_of_margin(trade, trigger)
    trade.is_stop_loss_trailing = trade.stop_loss != trade.initial_stop_loss


@dataclass(frozen=True, slots=True)
class StopSet:
    """Where Freqtrade has set the stop of a trade, to go back to."""

    stop_loss: float
    stop_loss_pct: float | None
    is_stop_loss_trailing: bool

    @classmethod
    def of(cls, trade: LocalTrade) -> "StopSet":
        """Read a trade."""
        return cls(trade.stop_loss, trade.stop_loss_pct, trade.is_stop_loss_trailing)

    def is_tighter(self, trade: LocalTrade) -> bool:
        """Whether the trade's stop is now farther from the price than it was then."""
        gain = self.stop_loss - trade.stop_loss
        return (-gain if trade.is_short else gain) > _half_tick(trade)

    def put_back(self, trade: LocalTrade) -> None:
        """Set the trade's stop as it was."""
        trade.stop_loss, trade.stop_loss_pct = self.stop_loss, self.stop_loss_pct
        trade.is_stop_loss_trailing = self.is_stop_loss_trailing


def _ratio_of_margin(trade: LocalTrade, trigger: float) -> float:
    """Return the stop's distance as Freqtrade's ratio of margin, half a tick to the loose side.

    Freqtrade recomputes the price from this ratio and rounds it toward the entry; from half a tick
    outside it rounds to the trigger itself, whatever the last binary digit says.
    """
    half_tick = _half_tick(trade)
    outside = trigger + half_tick if trade.is_short else trigger - half_tick
    return abs(trade.open_rate - outside) / trade.open_rate * (trade.leverage or 1.0)


def _half_tick(trade: LocalTrade) -> float:
    """Return half of what prices of the trade's pair move by, quote currency; 0 while unknown."""
    in_ticks = trade.precision_mode_price == TICK_SIZE
    return (trade.price_precision or 0.0) / 2 if in_ticks else 0.0
