"""What the account has, what it holds, and what a contract costs; as numbers, for the rules."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan, nan

from ccxt import TICK_SIZE
from freqtrade.enums import MarginMode, TradingMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange
from freqtrade.exchange.exchange_types import LeverageTier
from freqtrade.strategy.interface import IStrategy
from freqtrade.wallets import Wallets

from qt_protections.errors import withhold_secrets
from qt_protections.market.trends import whitelist
from qt_protections.portfolio.stop_view import StopView
from qt_protections.portfolio.trades import exposures, fees_paid
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.exposure import Costs, Exposure, risk_of
from qt_protections.rules.liquidation import Bracket
from qt_protections.settings import Settings

logger = withhold_secrets(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class Contract:
    """What does not change about a pair; `lot` is its amount step, None where it has none."""

    costs: Costs
    lot: float | None


class Account:
    """Freqtrade's wallets and trades, with what the exchange holds beside them."""

    def __init__(
        self,
        strategy: IStrategy,
        settings: Settings,
        stops: Callable[[], StopView],
    ) -> None:
        """Take the bot's own objects.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            stops: Gives who knows of the stops: they are attached later than the account.
        """
        self._config = strategy.config
        # Freqtrade sets both before bot_start, in every mode that trades or tests.
        self._exchange: Exchange = strategy.dp._exchange  # type: ignore[assignment]
        self._wallets: Wallets = strategy.wallets  # type: ignore[assignment]
        self._slippage_ratio = settings.stop_slippage / 100
        self._counts_foreign = settings.count_foreign_positions
        self._stops = stops
        self._contracts: dict[str, Contract] = {}
        self._brackets: dict[str, tuple[object, Sequence[Bracket]]] = {}
        if self._exchange is not None:
            for pair in whitelist(strategy.dp):
                self.contract(pair)  # before hyperopt's workers go off without an exchange

    @property
    def has_futures(self) -> bool:
        """Whether positions are contracts, which can be liquidated."""
        return self._exchange.trading_mode is TradingMode.FUTURES

    @property
    def is_isolated(self) -> bool:
        """Whether a position stands on its own margin."""
        return self._exchange.margin_mode is MarginMode.ISOLATED

    @property
    def currency(self) -> str:
        """What equity is counted in: the stake currency, or the coin that stands in for it.

        European accounts hold BNFCR, and trade pairs of USDT or USDC with it (`proxy_coin`).
        """
        return self._exchange.get_proxy_coin()

    @property
    def balance(self) -> float:
        """The wallet's amount of `currency`, without unrealised profit."""
        balance = float(self._wallets.get_total(self.currency))
        # An exchange takes the fee of an entry at once, Freqtrade's imitation when it is closed.
        return balance - fees_paid() if self._config.get("dry_run") else balance

    def equity(self) -> float:
        """Return what may be put at risk of: the balance, less what Freqtrade must not touch.

        Unrealised profit is no part of it, nor is an `available_capital` the account lacks.
        """
        is_capped = "available_capital" in self._config
        if self.has_futures and not is_capped:
            return self.balance * float(self._config["tradable_balance_ratio"])
        capital: float = self._wallets.get_total_stake_amount()
        return min(capital, self.balance) if self.has_futures else capital

    def check_equity(self, equity: float) -> Denial | None:
        """Refuse whatever is to be sized by a balance that is not there, and say what is.

        Args:
            equity: As `equity` gives it.
        """
        if equity > 0:
            return None
        wallets = self._wallets.get_all_balances().values()
        found = [f"{each.total:.8g} {each.currency}" for each in wallets if each.total]
        held = ", ".join(found) or "nothing"
        text = (
            f"Freqtrade counts in {self.currency}, and finds none; the account holds {held}. Where "
            'another coin is the collateral (BNFCR, or multi-asset mode), set "proxy_coin" to that '
            'coin and "margin_mode" to "cross"'
        )
        return deny(DenyCode.NO_EQUITY, text, coin=self.currency, held=held)

    def all_exposures(self, symbol: str | None = None) -> list[Exposure]:
        """Return every position and entry under way on the account.

        Args:
            symbol: The base currency to look at; all if None.
        """
        stops = self._stops()
        beside = [e for e in stops.unaccounted() if symbol is None or e.symbol == symbol]
        return [*exposures(stops.planned, symbol), *beside]

    def exposures(self, symbol: str | None = None) -> list[Exposure]:
        """Return those that count toward the limits; `symbol` as for `all_exposures`."""
        return self.limited_exposures(self.all_exposures(symbol))

    def limited_exposures(self, held: Sequence[Exposure]) -> list[Exposure]:
        """Return those of `held` that count toward the limits."""
        return [e for e in held if self._counts_foreign or not e.is_foreign]

    def open_risk(self) -> float:
        """Return what all of them lose together at their stops, quote currency."""
        return risk_of(self.exposures(), self.costs)

    def costs(self, pair: str) -> Costs:
        """Return what a stopped position of the pair pays beyond the way to its stop."""
        return self.contract(pair).costs

    def brackets(self, pair: str) -> Sequence[Bracket]:
        """Return the steps of the pair's maintenance margin; none while they are not known.

        They are read anew each time: Freqtrade loads them again with the markets, and a pair may
        have had none before.
        """
        if not self._exchange.get_option("uses_leverage_tiers", True):
            return _of_highest_leverage(self._exchange, pair)
        tiers = self._exchange._leverage_tiers.get(pair, [])
        known = self._brackets.get(pair)
        if known is None or known[0] is not tiers:
            known = self._brackets[pair] = (tiers, _of_tiers(tiers))
        return known[1]

    @property
    def fill_slack(self) -> float:
        """How far through the book an order still fills at its own price, as a ratio.

        No exchange does that. Freqtrade's imitation of one does, and takes what is farther for an
        order at market (2026.9, `create_dry_run_order`).
        """
        return 0.01 if self._config.get("dry_run") else 0.0

    def is_best_price(self, pair: str, rate: float, *, is_short: bool) -> bool:
        """Whether an entry's price is the one Freqtrade found at the top of the order book.

        Freqtrade has as a rule just asked for that price, and is not asked to look again.
        """
        if self._config["entry_pricing"].get("order_book_top", 1) != 1:
            return False
        try:
            own = self._exchange.get_rate(pair, refresh=False, side="entry", is_short=is_short)
        except FreqtradeException as error:
            logger.warning("Could not read the price of %s: %r", pair, error)
            return False
        return bool(rate == own)

    def least_stake(self, pair: str, rate: float, stoploss: float, leverage: float) -> float:
        """Return Freqtrade's least stake of a pair, quote currency; 0 where there is none.

        Args:
            pair: Freqtrade's pair.
            rate: Price of the entry, quote currency.
            stoploss: What the reserve is kept for, as a ratio.
            leverage: Notional over margin.
        """
        return self._exchange.get_min_pair_stake_amount(pair, rate, stoploss, leverage) or 0.0

    def contract(self, pair: str) -> Contract:
        """Return what does not change about a pair, asked for until its fee is known."""
        if pair in self._contracts:
            return self._contracts[pair]
        costs = Costs(_taker_fee(self._exchange, pair), self._slippage_ratio)
        contract = Contract(costs, _lot(self._exchange, pair))
        if not isnan(costs.fee_ratio):
            self._contracts[pair] = contract
        return contract


def _taker_fee(exchange: Exchange, pair: str) -> float:
    """Return the fee of a fill as a ratio of its notional; NaN while it is not known.

    Freqtrade gives 0 for one that is not known, and for one that is 0.
    """
    fee_ratio = exchange.get_fee(symbol=pair, taker_or_maker="taker")
    if fee_ratio:
        return float(fee_ratio)
    told = (
        exchange._config.get("fee") if exchange._config["dry_run"] else None,
        exchange.markets.get(pair, {}).get("taker"),
        exchange._api.fees.get("trading", {}).get("taker"),
    )
    return 0.0 if any(fee is not None for fee in told) else nan


def _lot(exchange: Exchange, pair: str) -> float | None:
    step = exchange.get_precision_amount(pair)
    if step is None or exchange.precisionMode != TICK_SIZE:
        return None
    return exchange._contracts_to_amount(pair, step)


def _of_tiers(tiers: Sequence[LeverageTier]) -> Sequence[Bracket]:
    """Return Freqtrade's tiers as brackets; none if a rate is not known."""
    if any(tier["maintenanceMarginRate"] is None for tier in tiers):
        return ()
    return tuple(Bracket(t["maintenanceMarginRate"], t["maintAmt"] or 0.0) for t in tiers)


def _of_highest_leverage(exchange: Exchange, pair: str) -> Sequence[Bracket]:
    """Return the one bracket of a pair on Hyperliquid, which has no tiers.

    Its maintenance margin is half the initial margin at the contract's highest leverage (Freqtrade
    2026.9, `Hyperliquid.dry_run_liquidation_price`).
    """
    highest = exchange.markets.get(pair, {}).get("limits", {}).get("leverage", {}).get("max")
    return (Bracket(1 / highest / 2, 0.0),) if highest else ()
