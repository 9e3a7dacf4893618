"""Where the stop of an entry stands, and which entries such a stop refuses."""

from collections.abc import Callable
from math import inf, isnan, nan

from freqtrade.persistence import LocalTrade
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import EntryRefused
from qt_protections.market.signals import Signals
from qt_protections.portfolio.account import Account
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.liquidation import LiquidationRule
from qt_protections.rules.stop_price import FARTHEST, Distance, StopRule, check_stop, stop_at
from qt_protections.settings import Settings

#: The share of the margin before its liquidation that the strategy's stop may reach: what is left
#: is for maintenance margin, at leverages up to some ten.
_BEFORE_LIQUIDATION = 0.95


class InitialStop:
    """Applies the rule of stops to the strategy's stop, its candles and its trades."""

    def __init__(
        self, strategy: IStrategy, account: Account, signals: Signals, settings: Settings
    ) -> None:
        """Take the bot's own objects.

        Args:
            strategy: The guarded strategy.
            account: What a contract costs, and how a position is liquidated.
            signals: What the newest candles say.
            settings: The guard's.
        """
        self._strategy = strategy
        self._account = account
        self._signals = signals
        self._rule = StopRule(
            min_ratio=settings.min_stop / 100,
            max_ratio=inf if settings.max_stop is None else settings.max_stop / 100,
            fixed_ratio=settings.stop_fixed / 100 if settings.stop_source == "fixed" else None,
            atr_multiple=settings.stop_atr_multiple if settings.stop_source == "atr" else None,
            atr_candles=settings.stop_atr_candles,
            margin_ratio=_margin_ratio(account, settings.liquidation_buffer),
        )

    def planned(self, wish: EntryRequest) -> Distance:
        """Return how far from its entry the stop of a new position stands.

        Raises:
            EntryRefused: If no candle tells the distance.
        """
        distance = self._distance(wish.leverage, self._atr_ratio(wish.pair))
        if isinstance(distance, Denial):
            raise EntryRefused(wish.pair, distance)
        return distance

    def of_new(self, wish: EntryRequest, planned: Distance, waiting: LocalTrade | None) -> float:
        """Return the stop of an entry that opens a position, quote currency.

        Freqtrade keeps the stop of an entry that it replaces. So the replacing entry takes over
        that stop, unless the guard's settings move the stop from the strategy's.

        Args:
            wish: The entry.
            planned: How far from the entry its stop is to stand.
            waiting: The trade whose entry waits, and is replaced; None without any.
        """
        stop = stop_at(wish.rate, planned.ratio, is_short=wish.is_short)
        is_strategys = planned.ratio == abs(self._strategy.stoploss) / wish.leverage
        if waiting is None or not is_strategys:  # then the trade has another stop on record
            return stop
        return self._rule.replaced(wish.rate, stop, waiting.stop_loss, is_short=wish.is_short)

    @staticmethod
    def of_trade(trade: LocalTrade) -> float:
        """Return the stop of an entry that adds to a trade, quote currency."""
        # A backtest of a strategy that asks for no stop has one of 0 on its trades.
        return trade.stop_loss or stop_at(trade.open_rate, FARTHEST, is_short=trade.is_short)

    def of_external_position(
        self, pair: str, entry_price: float, leverage: float, *, is_short: bool
    ) -> float:
        """Return the stop (quote currency) of a position that no trade accounts for."""
        distance = self.distance_by_leverage(pair)(leverage)
        return stop_at(entry_price, distance, is_short=is_short)

    def distance_by_leverage(self, pair: str) -> Callable[[float], float]:
        """Return a function from leverage to the stop's distance, a ratio of the entry.

        Where no candle tells the distance, the function returns the strategy's own.
        """
        atr_ratio = self._atr_ratio(pair)

        def distance_at(leverage: float) -> float:
            distance = self._distance(leverage, atr_ratio)
            if isinstance(distance, Denial):
                return min(abs(self._strategy.stoploss) / leverage, self._rule.max_ratio, FARTHEST)
            return distance.ratio

        return distance_at

    def check(self, wish: EntryRequest, stop: float, *, counts_fees: bool) -> None:
        """Refuse an entry whose stop is no price on its losing side, or stands within its fees.

        Args:
            wish: The entry.
            stop: Trigger price, quote currency.
            counts_fees: Whether a stop within the fees is refused: only limits of risk ask for
                that.

        Raises:
            EntryRefused: If the stop is refused, or the fee is not known.
        """
        fee = self._account.costs(wish.pair).fee_ratio if counts_fees else 0.0
        if isnan(fee):
            text = (
                f"the taker fee of {wish.pair} is not known, so nobody knows what its stop loses: "
                "Freqtrade asks for fees with the markets, and dry runs and backtests take fee "
                "from the configuration"
            )
            raise EntryRefused(wish.pair, deny(DenyCode.FEE_UNKNOWN, text, pair=wish.pair))
        denial = check_stop(wish.rate, stop, is_short=wish.is_short, fee_ratio=fee)
        if denial is not None:
            raise EntryRefused(wish.pair, denial)

    def _distance(self, leverage: float, atr_ratio: float) -> Distance | Denial:
        return self._rule.distance(
            stoploss=self._strategy.stoploss, leverage=leverage, atr_ratio=atr_ratio
        )

    def _atr_ratio(self, pair: str) -> float:
        return nan if self._rule.atr_multiple is None else self._signals.newest(pair).atr_ratio


def _margin_ratio(account: Account, buffer_pct: float | None) -> float:
    """Return the share of its margin that a position's stop may lose before liquidation."""
    if buffer_pct is None or not (account.has_futures and account.is_isolated):
        return inf
    return _BEFORE_LIQUIDATION / LiquidationRule(buffer_pct / 100).needed(1.0)
