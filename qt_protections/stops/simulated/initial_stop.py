"""Where the stops of trades stand in backtests, which have no exchange to tell."""

from freqtrade.persistence import LocalTrade
from freqtrade.strategy.interface import IStrategy

from qt_protections.portfolio.stop_view import NoStops
from qt_protections.rules.stop_price import stop_at
from qt_protections.stops.trade_stop import stand_at

#: Ratios closer than this are one and the same.
_SAME = 1e-9


class SimulatedStops(NoStops):
    """Sets the stop of a trade after its first fill as a live one would stand."""

    def __init__(self, strategy: IStrategy) -> None:
        self._strategy = strategy
        self._planned: dict[str, float | None] = {}

    def plan(self, pair: str, distance: float | None) -> None:
        """Note the stop of a new position, at a ratio of its entry; None leaves the strategy's."""
        self._planned[pair] = distance

    def planned(self, trade: LocalTrade) -> float | None:
        """Return where the stop of a trade will stand whose entry waits, quote currency."""
        distance = self._planned.get(trade.pair)
        if distance is None:
            return None
        return stop_at(trade.open_rate, distance, is_short=trade.is_short)

    def set(self, trade: LocalTrade) -> None:
        """Give a new trade the stop its entry was sized by."""
        if trade.is_stop_loss_trailing or trade.initial_stop_loss_pct != self._strategy.stoploss:
            return
        distance = self._planned.get(trade.pair)
        if distance is None:
            return
        ratio = -distance * (trade.leverage or 1.0)
        if abs(ratio - self._strategy.stoploss) > _SAME * abs(ratio):
            # None is set yet, Freqtrade is to believe.
            trade.stop_loss, trade.initial_stop_loss_pct = 0.0, None
            trade.adjust_stop_loss(trade.open_rate, ratio, initial=True)
            stand_at(trade, trade.stop_loss)  # as a live trade takes over the stop that stands
