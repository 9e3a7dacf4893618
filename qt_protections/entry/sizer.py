"""What one more entry may be: where its stop stands, its leverage, its size.

One set of numbers for everything that asks: the callbacks Freqtrade has for stake and leverage, the
door every order leaves by, live and in backtests.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from math import inf, isnan, nan
from typing import TypeVar

from freqtrade.persistence import LocalTrade
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import EntryRefused
from qt_protections.market.signals import Signals
from qt_protections.market.trends import Market
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import StopView
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import NO_LIMIT, ApprovedEntry, EntryRequest
from qt_protections.rules.exposure import Exposure, risk_of
from qt_protections.rules.liquidation import LiquidationRule
from qt_protections.rules.sizing import Limits, RiskBudget, Risks, amount_for, whole_steps
from qt_protections.rules.stacking import StackingRule
from qt_protections.rules.stop_price import (
    FARTHEST,
    Distance,
    StopRule,
    check_spread,
    check_stop,
    stop_at,
)
from qt_protections.settings import Settings

_Unset = TypeVar("_Unset", float, None)
#: The share of the margin before its liquidation that the strategy's stop may reach: what is left
#: is for maintenance margin, at leverages up to some ten.
_BEFORE_LIQUIDATION = 0.95


class PositionSizer:
    """Applies the rules of risk to what Freqtrade knows."""

    def __init__(
        self,
        strategy: IStrategy,
        account: Account,
        market: Market,
        settings: Settings,
        signals: Signals,
        stops: Callable[[], StopView],
        lowered: Callable[[str, float, float], None],
        entries: int | None = None,
    ) -> None:
        """Take the bot's own objects.

        Args:
            strategy: The guarded strategy.
            account: What there is and what it costs.
            market: Who knows which symbols move together.
            settings: The guard's.
            signals: What the newest candles say.
            stops: Gives who knows the best prices: the stops are attached later than the sizer.
            lowered: Hears of a pair whose leverage is lowered: from what, and to what.
            entries: How many entries of a trade share its risk; None if none do.
        """
        self._strategy = strategy
        self._account = account
        self._market = market
        self._settings = settings
        self._signals = signals
        self._stops = stops
        self._lowered = lowered
        buffer = _ratio(settings.liquidation_buffer, None)
        self._liquidation = None if buffer is None else LiquidationRule(buffer)
        self.stops = StopRule(
            min_ratio=settings.min_stop / 100,
            max_ratio=_ratio(settings.max_stop, inf),
            fixed_ratio=settings.stop_fixed / 100 if settings.stop_source == "fixed" else None,
            atr_multiple=settings.stop_atr_multiple if settings.stop_source == "atr" else None,
            atr_candles=settings.stop_atr_candles,
            margin_ratio=self._margin_ratio(),
        )
        self.stacking = StackingRule(settings.stack_distance)
        self._budget = RiskBudget(
            _ratio(settings.risk_per_trade, None),
            _ratio(settings.max_open_risk, None),
            _ratio(settings.max_group_risk, None),
            less_open_risk=settings.risk_equity == "balance_less_open_risk",
            entries=entries,
        )

    @property
    def sizes_nothing(self) -> bool:
        """Whether no limit of risk is set: the size of an entry is nobody's business here."""
        return self._budget.is_off

    # What a wish may become

    def leverage(self, pair: str, wish: float, *, is_short: bool) -> float:
        """Return the leverage of a new position: the wish, or what keeps liquidation off its stop.

        Under cross margin the whole balance carries a position, whatever its leverage: there it is
        the size that is judged, by `check_liquidation`.
        """
        if self._liquidation is None or not self._account.is_isolated or wish <= 1:
            return wish
        atr_ratio, equity = self._atr_ratio(pair), self._account.equity()
        if not equity > 0:
            return wish  # the entry is refused when it is sized
        contract = self._account.contract(pair)

        def distance_at(leverage: float) -> float:
            return self._likely_distance(leverage, atr_ratio)

        def notional_at(leverage: float) -> float:
            stop = stop_at(1.0, distance_at(leverage), is_short=is_short)
            per_unit = contract.costs.loss_per_unit(1.0, stop, is_short=is_short)
            share = self._budget.largest_share
            return equity * (leverage if share is None else share / per_unit)

        highest = self._liquidation.highest_leverage(
            wish, distance_at, notional_at, self._account.brackets(pair), is_short=is_short
        )
        if highest < wish:
            self._lowered(pair, wish, highest)
        return highest

    def allowance(self, wish: EntryRequest, now: datetime) -> ApprovedEntry:
        """Return the stop and the largest size of an entry.

        Args:
            wish: The entry.
            now: UTC; the wall clock, in backtests the candle's open.

        Raises:
            EntryRefused: If its stop cannot be where it should be.
            ValueError: If it cannot be sized.
        """
        trade, everything = _position_of(wish.pair), self._account.all_exposures()
        limit, room, amount = wish.rate, NO_LIMIT, inf
        wish = self._as_it_fills(wish)
        planned = None
        if trade is None:
            planned = self._planned(wish)
            stop = self._first_stop(wish, planned)
        else:
            # A backtest of a strategy that asks for no stop has one of 0 on its trades.
            stop = trade.stop_loss or stop_at(trade.open_rate, FARTHEST, is_short=trade.is_short)
        # A backtest may add to a trade at a price beyond its stop: the stop counts after that.
        if trade is None or self._signals.live or not self._budget.is_off:
            self._check_stop(wish, stop)
        if not self._budget.is_off:
            room = self._budget.room(
                self._risks(wish, trade, self._account.limited_exposures(everything), now),
                wish.rate,
                averages_down=self._averages_down(wish, trade),
            )
        if room.loss < inf:
            contract = self._account.contract(wish.pair)
            per_unit = contract.costs.loss_per_unit(wish.rate, stop, is_short=wish.is_short)
            amount = amount_for(room.loss, per_unit, contract.lot)
        return ApprovedEntry(wish, limit, stop, amount, room, everything, planned)

    def check_spread(self, allowance: ApprovedEntry) -> Denial | None:
        """Refuse an entry whose stop stands within the spread, or may.

        To be asked last: where nobody watches the prices, the spread costs a request.
        """
        wish, quote = allowance.wish, self._stops().quote(allowance.wish.pair)
        if quote is None:
            return None
        if isnan(quote.spread):
            text = (
                "whether its stop would stand within the spread is not known: the exchange has "
                "not told the pair's best prices since the start"
            )
            return deny(DenyCode.SPREAD_UNKNOWN, text)
        return check_spread(
            wish.rate, allowance.stop, is_short=wish.is_short, spread_ratio=quote.spread
        )

    def check_liquidation(self, allowance: ApprovedEntry, amount: float) -> Denial | None:
        """Refuse an amount (base currency) whose position would be liquidated before its stop."""
        wish, account = allowance.wish, self._account
        if self._liquidation is None or not account.has_futures:
            return None
        position = allowance.position(amount)
        if account.is_isolated:
            brackets = account.brackets(wish.pair)
            return self._liquidation.check_isolated(position, wish.leverage, brackets)
        own = allowance.own
        others = [other for other in allowance.beside if other is not own]
        return self._liquidation.check_cross(
            position, others, account.balance, account.brackets, wish.leverage
        )

    def loss_ratio(self, allowance: ApprovedEntry, stake: float) -> float:
        """Return what a stake of an allowed entry loses at its stop, as a ratio of equity."""
        wish = allowance.wish
        contract = self._account.contract(wish.pair)
        amount = whole_steps(allowance.amount_of(stake), contract.lot)
        per_unit = contract.costs.loss_per_unit(wish.rate, allowance.stop, is_short=wish.is_short)
        return amount * per_unit / self._account.equity()

    def least_stake(self, wish: EntryRequest) -> float:
        """Return the least stake the exchange takes, with Freqtrade's reserve; 0 without one."""
        return self._account.least_stake(wish.pair, wish.rate, 0.0, wish.leverage)

    def least_proposed(self, wish: EntryRequest) -> float:
        """Return the least stake Freqtrade lets through: it raises one that is smaller.

        It is not what Freqtrade says: for a new position that keeps a reserve for the strategy's
        stop live, and for one of 5 % in backtests; for a further entry backtests forget leverage.
        """
        is_new = _position_of(wish.pair) is None
        reserved_for = max(abs(self._strategy.stoploss), 0.05) if is_new else 0.0
        return self._account.least_stake(wish.pair, wish.rate, reserved_for, wish.leverage)

    def stop_of_stranger(
        self, pair: str, entry_price: float, leverage: float, *, is_short: bool
    ) -> float:
        """Return where the stop of a position stands that no trade accounts for."""
        distance = self._likely_distance(leverage, self._atr_ratio(pair))
        return stop_at(entry_price, distance, is_short=is_short)

    def limits(self, open_risk: float) -> Limits:
        """Return what may be lost at the stops, of which `open_risk` is taken; quote currency."""
        return self._budget.limits(self._account.equity(), open_risk)

    def _as_it_fills(self, wish: EntryRequest) -> EntryRequest:
        """Return a wish at the price at which its order can fill.

        A buy limit above the ask fills at the ask. By its own price its stop would stand above the
        market, and trigger at once. The book is asked only about a price that somebody has given:
        Freqtrade's own is one of its best prices.
        """
        account, is_short = self._account, wish.is_short
        if not self._signals.live or account.is_best_price(wish.pair, wish.rate, is_short=is_short):
            return wish
        quote = self._stops().quote(wish.pair)
        if quote is None:
            return wish
        rate = quote.fill_price(wish.rate, is_short=is_short, slack=account.fill_slack)
        return replace(wish, rate=rate)

    def _risks(
        self, wish: EntryRequest, trade: LocalTrade | None, held: Sequence[Exposure], now: datetime
    ) -> Risks:
        equity, costs_of = self._account.equity(), self._account.costs
        if (denial := self._account.check_equity(equity)) is not None:
            raise EntryRefused(wish.pair, denial)
        own = [e for e in held if e.pair == wish.pair and not e.is_foreign]
        group_risk = None
        if self._settings.max_group_risk is not None:
            group_risk = self._group_risk(wish, held, now)
        return Risks(
            equity=equity,
            open_risk=risk_of(held, costs_of),
            position_risk=risk_of(own, costs_of),
            average=None if trade is None else trade.open_rate,
            group_risk=group_risk,
            benchmark=self._market.regime_pair,
        )

    def _group_risk(
        self, wish: EntryRequest, held: Sequence[Exposure], now: datetime
    ) -> float | None:
        group = self._market.group(wish.pair, now, is_short=wish.is_short)
        if group is None:
            return None
        same = [e for e in held if self._market.group(e.pair, now, is_short=e.is_short) == group]
        return risk_of(same, self._account.costs)

    def _averages_down(self, wish: EntryRequest, trade: LocalTrade | None) -> bool:
        if trade is None:
            return False
        return self.stacking.averages_down(
            wish.rate, trade.open_rate, one_r(trade), is_short=wish.is_short
        )

    def _planned(self, wish: EntryRequest) -> Distance:
        distance = self._distance(wish.leverage, self._atr_ratio(wish.pair))
        if isinstance(distance, Denial):
            raise EntryRefused(wish.pair, distance)
        return distance

    def _first_stop(self, wish: EntryRequest, planned: Distance) -> float:
        """Return the stop of an entry that opens a position, quote currency."""
        stop = stop_at(wish.rate, planned.ratio, is_short=wish.is_short)
        waiting = open_trade(wish.pair)
        is_strategys = planned.ratio == abs(self._strategy.stoploss) / wish.leverage
        if waiting is None or not is_strategys:  # then the trade has another one on record
            return stop
        return self.stops.replaced(wish.rate, stop, waiting.stop_loss, is_short=wish.is_short)

    def _check_stop(self, wish: EntryRequest, stop: float) -> None:
        # Whether a stop within the fees is worth its entry is a question of the risk alone.
        fee = 0.0 if self._budget.is_off else self._account.costs(wish.pair).fee_ratio
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
        return self.stops.distance(
            stoploss=self._strategy.stoploss, leverage=leverage, atr_ratio=atr_ratio
        )

    def _likely_distance(self, leverage: float, atr_ratio: float) -> float:
        """Return the distance of a stop; the strategy's own where nobody analyses the candles."""
        distance = self._distance(leverage, atr_ratio)
        if isinstance(distance, Denial):
            return min(abs(self._strategy.stoploss) / leverage, self.stops.max_ratio, FARTHEST)
        return distance.ratio

    def _margin_ratio(self) -> float:
        """Return the share of its margin that a position's stop may lose before liquidation."""
        account = self._account
        if self._liquidation is None or not (account.has_futures and account.is_isolated):
            return inf
        return _BEFORE_LIQUIDATION / self._liquidation.needed(1.0)

    def _atr_ratio(self, pair: str) -> float:
        return nan if self.stops.atr_multiple is None else self._signals.newest(pair).atr_ratio


def _ratio(percent: float | None, unset: _Unset) -> float | _Unset:
    return unset if percent is None else percent / 100


def one_r(trade: LocalTrade) -> float:
    """Return the initial risk of a trade per base unit: from its entry to its initial stop."""
    return abs(trade.open_rate - (trade.initial_stop_loss or trade.stop_loss))


def _position_of(pair: str) -> LocalTrade | None:
    """Return the pair's open trade, once any of it has filled."""
    trade = open_trade(pair)
    return trade if trade is not None and trade.amount else None
