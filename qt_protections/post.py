"""The guard's post: everything it keeps while a bot runs, wired to that bot once, at its start."""

import logging
from datetime import UTC, datetime

from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.strategy.interface import IStrategy
from freqtrade.wallets import Wallets

from qt_protections import locks
from qt_protections.announcer import Announcer
from qt_protections.errors import EntryRefused, GuardNotInstalled
from qt_protections.gates import Gates
from qt_protections.market import LIVE_MODES, Market, whitelist
from qt_protections.protections.context import ProtectionContext
from qt_protections.rules.regime import TrendRule
from qt_protections.rules.sizing import RiskSizing
from qt_protections.rules.stop_price import check_stop, stop_distance, stop_price
from qt_protections.rules.trailing import TrailingRule
from qt_protections.rules.verdict import Denial, DenyCode
from qt_protections.settings import Settings
from qt_protections.snapshots import open_trade
from qt_protections.stops.book import EntryOrder
from qt_protections.stops.capabilities import capabilities
from qt_protections.stops.guarding import Guarding
from qt_protections.stops.simulated_trailing import SimulatedTrailing

logger = logging.getLogger(__name__)

_UNSETTLED = Denial(
    DenyCode.ENTRY_UNSETTLED,
    "an earlier entry is not settled, or the exchange holds a position without a trade, or it has "
    "not been seen since the start",
)


class Post:
    """Rules, market and stops of one running strategy.

    Attributes:
        live: Whether orders reach an exchange, or a dry run's imitation of one.
        context: What the guard's protections may know.
        stops: What keeps the positions covered; None unless live.
        trailing: The simulated trailing stop; None if switched off, or where the exchange trails.
    """

    def __init__(self, strategy: IStrategy, settings: Settings) -> None:
        self._strategy = strategy
        self._settings = settings
        self._sizing = RiskSizing(settings.risk_ratio)
        # Freqtrade sets both before bot_start, in every mode that trades or tests.
        self._exchange: Exchange = strategy.dp._exchange  # type: ignore[assignment]
        self._wallets: Wallets = strategy.wallets  # type: ignore[assignment]
        self._fees: dict[str, float] = {}
        self.live = strategy.dp.runmode in LIVE_MODES
        self.announcer = Announcer()
        self.market = Market(strategy.dp, strategy.config, settings)
        self.gates = Gates(settings, strategy.dp, strategy.timeframe, self.announcer)
        self.context = ProtectionContext(settings, self.market, live=self.live)
        self.stops: Guarding | None = None
        self.trailing = None if strategy.dp.runmode is RunMode.LIVE else _simulated(settings)
        # In a comparison of strategies the bot's configuration is not the strategy's own.
        self._bot_config = strategy.dp._config
        logger.info("[OK] GlobalRegimeDetector initialized")
        logger.info(
            "[SAFETY] Per-symbol position limits: max %s", settings.max_positions_per_symbol
        )
        if self._exchange is not None:
            for pair in whitelist(strategy.dp):
                self._taker_fee(pair)  # before hyperopt's workers go off without an exchange
        if self.live:
            self._attach(self._exchange)

    def _attach(self, exchange: Exchange) -> None:
        """Put the entry door in front of the exchange object the bot trades with."""
        strategy = self._strategy
        can = capabilities(exchange, strategy.config)  # before Freqtrade refuses with fewer words
        strategy.order_types = {
            **strategy.order_types,
            "stoploss": "market",  # the child of a limit stop may never fill
            "stoploss_on_exchange": True,
        }
        exchange.validate_ordertypes(strategy.order_types)
        needed = TrendRule().settle_candles
        if strategy.startup_candle_count < needed:
            raise GuardNotInstalled(
                f"startup_candle_count is {strategy.startup_candle_count}, and an EMA200 needs "
                f"{needed} candles to settle: take it out of the configuration and out of the "
                "strategy's __init__, and QTGuard sets it."
            )
        self.stops = Guarding(strategy, exchange, can, self._settings, self._plan_stop)
        locks.release(datetime.now(UTC))
        self._protections = ProtectionManager(self._bot_config, self.protections())

    def protections(self) -> list[dict[str, object]]:
        """Return the guard's entries of a strategy's `protections`."""
        return locks.protection_list(self.context, self._bot_config)

    def ask_protections(self, pairs: list[str], now: datetime) -> None:
        """Say the regime, and let the protections lock what they want locked at `now` (UTC)."""
        try:
            self.announcer.regime(
                self.market.regime_pair,
                self._settings.regime_timeframe,
                self.market.global_trend(now),
            )
            locks.ask(self._protections, pairs, now)
        except Exception:
            # The gates still refuse what these locks would; a loop that ends here manages no exits.
            logger.exception("Could not ask the guard's protections.")

    def capped_stake(
        self,
        wanted: float,
        pair: str,
        rate: float,
        leverage: float,
        *,
        is_short: bool,
        min_stake: float | None,
    ) -> float:
        """Return the stake (stake currency) of an entry, at most what the risk allows; 0 refuses.

        Args:
            wanted: What the configuration or the wrapped strategy asks for.
            pair: Freqtrade's pair.
            rate: Entry price.
            leverage: Notional over stake.
            is_short: Side of the entry.
            min_stake: The exchange's minimum.
        """
        stake = 0.0
        try:
            allowed = self._allowed_stake(pair, rate, leverage, is_short=is_short)
            denial = self._sizing.check(allowed, min_stake)
            stake = min(float(wanted), allowed)  # a strategy may answer anything: None raises here
        except EntryRefused as refusal:
            denial = refusal.denial
        except Exception:
            logger.exception("Sizing failed for %s.", pair)
            denial = Denial(DenyCode.GATE_FAILED, "the sizing failed, so the entry is refused")
        if denial is not None:
            self.announcer.refusal(pair, denial)
            return 0.0
        return stake if stake > 0 else 0.0  # NaN is not

    def _allowed_stake(self, pair: str, rate: float, leverage: float, *, is_short: bool) -> float:
        stop = self._stop_for(pair, rate, leverage, is_short=is_short)
        return self._sizing.stake(
            equity=self._wallets.get_total_stake_amount(),
            stop_distance=stop_distance(rate, stop, is_short=is_short),
            leverage=leverage,
            fee_ratio=self._taker_fee(pair),
        )

    def _taker_fee(self, pair: str) -> float:
        if pair not in self._fees:
            self._fees[pair] = self._exchange.get_fee(symbol=pair, taker_or_maker="taker")
        return self._fees[pair]

    def _plan_stop(self, entry: EntryOrder) -> float:
        """Judge an entry at the door and say where its stop has to stand.

        Raises:
            EntryRefused: If a rule objects, or cannot be asked.
        """
        denial = self.gates.entry(entry.pair, is_short=entry.is_short)
        if denial is not None:
            raise EntryRefused(entry.pair, denial)
        if self.stops is not None and self.stops.unsettled(entry.pair):
            self.announcer.refusal(entry.pair, _UNSETTLED)
            raise EntryRefused(entry.pair, _UNSETTLED)
        try:
            return self._stop_for(entry.pair, entry.rate, entry.leverage, is_short=entry.is_short)
        except EntryRefused as refusal:
            self.announcer.refusal(entry.pair, refusal.denial)
            raise
        except Exception as error:
            logger.exception("No stop could be planned for %s.", entry.pair)
            text = f"no stop could be planned: {error}"
            raise EntryRefused(entry.pair, Denial(DenyCode.GATE_FAILED, text)) from error

    def _stop_for(self, pair: str, rate: float, leverage: float, *, is_short: bool) -> float:
        """Return the trigger of an entry's stop: the trade's own, or a new one from `stoploss`.

        Raises:
            EntryRefused: If it is not on the losing side of the entry.
        """
        trade = open_trade(pair)
        if trade is not None and trade.amount:
            stop = trade.stop_loss
        else:
            stop = stop_price(rate, self._strategy.stoploss, leverage, is_short=is_short)
        denial = check_stop(rate, stop, is_short=is_short)
        if denial is not None:
            raise EntryRefused(pair, denial)
        return stop


def _simulated(settings: Settings) -> SimulatedTrailing | None:
    rule = TrailingRule.of(settings.trail_callback, settings.trail_activation)
    if rule is None:
        return None
    logger.info(
        "[OK] Trailing stop, simulated: %g %% behind the best price, from a gain of %g R",
        rule.callback_pct,
        rule.activation_r,
    )
    return SimulatedTrailing(rule)
