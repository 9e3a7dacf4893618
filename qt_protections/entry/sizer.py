"""How large one more entry may be.

The same numbers answer whoever asks: Freqtrade's callback for the stake, and the order interceptor
that every order leaves by, live and in backtests.
"""

from datetime import datetime
from math import inf

from freqtrade.persistence import LocalTrade
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry.book_prices import BookPrices
from qt_protections.entry.initial_stop import InitialStop
from qt_protections.entry.liquidation_check import LiquidationCheck
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.open_risk import OpenRisk
from qt_protections.portfolio.trades import filled, one_r, open_trade
from qt_protections.rules.denial import Denial
from qt_protections.rules.entries import NO_LIMIT, ApprovedEntry, EntryRequest
from qt_protections.rules.sizing import (
    Limits,
    RiskBudget,
    amount_for,
    stake_too_small,
    whole_steps,
)
from qt_protections.rules.stacking import StackingRule


class PositionSizer:
    """Applies the limits of risk to what Freqtrade knows."""

    def __init__(
        self,
        strategy: IStrategy,
        account: Account,
        budget: RiskBudget,
        stacking: StackingRule,
        open_risk: OpenRisk,
        stop: InitialStop,
        liquidation: LiquidationCheck,
        book: BookPrices,
        *,
        live: bool,
    ) -> None:
        """Take the rules, and who knows what they ask for.

        Args:
            strategy: The guarded strategy.
            account: What there is, and what a contract costs.
            budget: The limits of risk.
            stacking: Which entries average down.
            open_risk: What positions lose at their stops.
            stop: Where the stop of an entry stands.
            liquidation: Where a position is liquidated.
            book: What the order book says of an entry.
            live: Whether orders reach an exchange.
        """
        self._strategy = strategy
        self._account = account
        self._budget = budget
        self._stacking = stacking
        self._open_risk = open_risk
        self._stop = stop
        self._liquidation = liquidation
        self._book = book
        self._live = live

    @property
    def sizes_nothing(self) -> bool:
        """Whether no limit of risk is set: then no rule limits the size of an entry."""
        return self._budget.is_off

    def allowance(self, wish: EntryRequest, now: datetime) -> ApprovedEntry:
        """Return the stop and the largest size of an entry.

        Args:
            wish: The entry.
            now: UTC; the wall clock, in backtests the candle's open.

        Raises:
            EntryRefused: If its stop cannot be where it should be.
            ValueError: If it cannot be sized.
        """
        opened, everything = open_trade(wish.pair), self._account.all_exposures()
        trade, sizes = filled(opened), not self._budget.is_off
        limit, room, amount = wish.rate, NO_LIMIT, inf
        wish = self._book.at_fill(wish)
        planned = None
        if trade is None:
            planned = self._stop.planned(wish)
            stop = self._stop.of_new(wish, planned, opened)
        else:
            stop = self._stop.of_trade(trade)
        # A backtest may add to a trade at a price beyond its stop: the stop counts after that.
        if trade is None or self._live or sizes:
            self._stop.check(wish, stop, counts_fees=sizes)
        if sizes:
            held = self._account.limited_exposures(everything)
            risks = self._open_risk.before(wish, trade, held, now)
            averages_down = self._averages_down(wish, trade)
            room = self._budget.room(risks, wish.rate, averages_down=averages_down)
        if room.loss < inf:
            contract = self._account.contract(wish.pair)
            per_unit = contract.costs.loss_per_unit(wish.rate, stop, is_short=wish.is_short)
            amount = amount_for(room.loss, per_unit, contract.lot)
        return ApprovedEntry(wish, limit, stop, amount, room, everything, planned)

    def objection(self, allowance: ApprovedEntry, stake: float, least: float) -> Denial | None:
        """Refuse a stake that is too small for the exchange, or whose stop could not hold.

        Args:
            allowance: The entry, and the most that its risk allows.
            stake: Quote currency; at most the allowance's.
            least: The least stake that the exchange takes, quote currency.
        """
        if not allowance.amount or allowance.stake < least:
            return allowance.room.too_small(allowance.stake, least)
        risk_ratio = self._budget.risk_ratio
        if risk_ratio is not None and stake < least:  # without it Freqtrade may raise the stake
            return stake_too_small(stake, least, risk_ratio)
        denial = self._liquidation.check(allowance, allowance.amount_of(stake))
        return denial or self._book.check_spread(allowance)

    def loss_ratio(self, allowance: ApprovedEntry, stake: float) -> float:
        """Return what a stake of an allowed entry loses at its stop, as a ratio of equity."""
        wish = allowance.wish
        contract = self._account.contract(wish.pair)
        amount = whole_steps(allowance.amount_of(stake), contract.lot)
        per_unit = contract.costs.loss_per_unit(wish.rate, allowance.stop, is_short=wish.is_short)
        return amount * per_unit / self._account.equity()

    def least_stake(self, wish: EntryRequest) -> float:
        """Return the least stake the exchange takes, with Freqtrade's reserve; 0 without any."""
        return self._account.least_stake(wish.pair, wish.rate, 0.0, wish.leverage)

    def least_proposed(self, wish: EntryRequest) -> float:
        """Return the least stake Freqtrade lets through: Freqtrade raises a smaller stake.

        Freqtrade names another minimum to the callback. Live, that minimum keeps a reserve for the
        strategy's stop, in backtests for a stop of 5 %. For a further entry, the minimum of a
        backtest forgets the leverage.
        """
        is_new = filled(open_trade(wish.pair)) is None
        reserved_for = max(abs(self._strategy.stoploss), 0.05) if is_new else 0.0
        return self._account.least_stake(wish.pair, wish.rate, reserved_for, wish.leverage)

    def limits(self, open_risk: float) -> Limits:
        """Return what may be lost at the stops, of which `open_risk` is taken; quote currency."""
        return self._budget.limits(self._account.equity(), open_risk)

    def _averages_down(self, wish: EntryRequest, trade: LocalTrade | None) -> bool:
        if trade is None:
            return False
        return self._stacking.averages_down(
            wish.rate, trade.open_rate, one_r(trade), is_short=wish.is_short
        )
