"""The rules between a signal and its order, put together as a bot does, on an exchange on paper.

Wallets, exchange, data provider, trades and locks are Freqtrade's own; nothing is asked over a
network. Fees and slippage are 0 unless a test says otherwise, so that sizes are round: 1000 at
risk of 0.75 % buy 3.75 at 100 with a stop at 98, which is a stake of 37.5 at a leverage of 10.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import LocalTrade, Order, PairLocks, Trade, init_db
from freqtrade.resolvers import ExchangeResolver
from freqtrade.strategy.interface import IStrategy
from freqtrade.wallets import Wallets

from qt_protections.configuration import load_settings
from qt_protections.entry.decision import Decision
from qt_protections.entry.own_rules import EntryRule
from qt_protections.entry.pre_trade import PreTradeRisk
from qt_protections.market.trends import ATR, LOCAL_DISTANCE, REGIME, Market
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import NoStops
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.quote import Quote
from qt_protections.rules.regime import Regime
from qt_protections.settings import Settings
from qt_protections.stops.simulated.initial_stop import SimulatedStops
from tests.integration.offline_bot import Quotes, offline_market
from tests.stops.offline import offline_config

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
#: One step of a maintenance margin of 0.5 %.
TIER = {
    "minNotional": 0.0,
    "maxNotional": 1e9,
    "maintenanceMarginRate": 0.005,
    "maxLeverage": 50.0,
    "maintAmt": 0.0,
}


class Strategy(IStrategy):
    """As much of a strategy as the rules ask for: its stop stands at 2 % of price at 10x."""

    timeframe = "1h"
    can_short = True
    stoploss = -0.2

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:
        """Add nothing."""
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: Any) -> Any:
        """Signal nothing."""
        return dataframe


class Stops(NoStops):
    """What is known of the exchange's stops, set by hand; all is well at first."""

    def __init__(self) -> None:
        self.skew_s = 0.0
        self.unsettled_pairs: set[str] = set()
        self.quotes: dict[str, Quote] = {}
        self.free = self.most = inf
        self.beside: list[Exposure] = []
        self.asked: list[str] = []

    def unaccounted(self) -> Sequence[Exposure]:
        """Return what a test put beside the trades."""
        return self.beside

    def quote(self, pair: str) -> Quote | None:
        """Return the prices that a test set."""
        self.asked.append(pair)
        return self.quotes.get(pair)

    def unsettled(self, pair: str) -> bool:
        """Say whether a test made the pair so."""
        return pair in self.unsettled_pairs

    def clock_skew_s(self) -> float:
        """Return the skew that a test set."""
        return self.skew_s

    def free_stops(self) -> float:
        """Return how many a test leaves."""
        return self.free

    def largest(self, pair: str) -> float:
        """Return the limit that a test set."""
        return self.most


@cache
def _config(folder: Path, mode: str) -> dict[str, Any]:
    """Return a configuration; to read one takes longer than a test."""
    return offline_config(folder, "binance", mode)


@cache
def _loaded(folder: Path, mode: str, margin: str) -> Any:
    """Return an exchange object, which takes longer to make than a test."""
    config = deepcopy(_config(folder, mode)) | {"margin_mode": margin}
    return ExchangeResolver.load_exchange(config, validate=False)


@cache
def _settings(qt: tuple[tuple[str, object], ...]) -> Settings:
    return load_settings(dict(qt)).settings


def _exchange(folder: Path, mode: str, config: dict[str, Any], book: Any) -> Any:
    """Return an exchange with two pairs, which has asked nothing yet."""
    exchange = _loaded(folder, mode, config["margin_mode"])
    pairs = config["exchange"]["pair_whitelist"]
    exchange._config = config
    exchange._markets = {pair: offline_market(pair, mode) for pair in pairs}
    exchange._api.markets = exchange._markets
    exchange._leverage_tiers = {pair: [TIER] for pair in pairs}
    exchange._klines = {}
    exchange._entry_rate_cache.clear()
    exchange.fetch_l2_order_book = book
    return exchange


class Desk:
    """The rules of one strategy, with everything they ask.

    Attributes:
        decisions: What an observer heard.
        prices: What Freqtrade finds at the top of the order book.
        time: The moment that the rules are asked at, UTC.
    """

    def __init__(
        self,
        folder: Path,
        runmode: RunMode = RunMode.DRY_RUN,
        *,
        mode: str = "futures",
        config: dict[str, Any] | None = None,
        rules: Sequence[EntryRule] = (),
        entries: int | None = None,
        adjusts: bool = False,
        stoploss: float = -0.2,
        **qt: object,
    ) -> None:
        self.time = datetime.now(UTC)
        self.settings = _settings((("stop_slippage", 0.0), *sorted(qt.items())))
        backtests = runmode is RunMode.BACKTEST
        put_back()
        PairLocks.timeframe = "1h"
        Trade.use_db = PairLocks.use_db = not backtests
        if not backtests:
            init_db("sqlite://")
        made = deepcopy(_config(folder, mode)) | {
            "runmode": runmode,
            "fee": 0.0,
            "timeframe": "1h",
            "stake_currency": "USDT",
            "stake_amount": 100.0,
            "dry_run_wallet": 1000.0,
            "tradable_balance_ratio": 1.0,
            "max_open_trades": 3,
            "candle_type_def": CandleType.FUTURES,
            **(config or {}),
        }
        pairs = [BTC, ETH] if mode == "futures" else ["BTC/USDT", "ETH/USDT"]
        made["exchange"] |= {"pair_whitelist": pairs}
        self.prices = Quotes()
        self.exchange = _exchange(folder, mode, made, self.prices.book)
        self.strategy: Any = Strategy(made)
        self.strategy.stoploss = stoploss
        self.strategy.position_adjustment_enable = adjusts
        self.strategy.dp = DataProvider(made, self.exchange)
        self.strategy.wallets = Wallets(made, self.exchange, is_backtest=backtests)
        self.stops = Stops()
        self.log = OperatorLog()
        self.account = Account(self.strategy, self.settings, lambda: self.stops)
        self.market = Market(self.strategy.dp, made, self.settings)
        self.simulated = SimulatedStops(self.strategy)
        self.rules = PreTradeRisk(
            self.strategy,
            self.settings,
            rules,
            self.market,
            self.account,
            self.log,
            lambda: self.stops,
            self.simulated,
            entries,
        )
        self.decisions: list[Decision] = []
        self.rules.policy.observe = self.decisions.append
        for pair in pairs:
            self.candle(pair)

    # What is asked

    def passes(
        self,
        pair: str = BTC,
        tag: str | None = None,
        *,
        is_short: bool = False,
        is_new: bool = True,
    ) -> bool:
        """Ask whether an entry may go on."""
        return self.rules.policy.passes(pair, self.time, tag, is_short=is_short, is_new=is_new)

    def stake(
        self,
        wanted: object = 1000.0,
        tag: str | None = None,
        *,
        is_new: bool = True,
        **wish: Any,
    ) -> float:
        """Ask for the stake of an entry."""
        return self.rules.policy.capped_stake(wanted, entry(**wish), self.time, tag, is_new=is_new)

    def approve(self, amount: float = 1.0, **wish: Any) -> ApprovedEntry:
        """Send an entry to the last judgement."""
        return self.rules.approval.approve(entry(amount=amount, **wish))

    def allowance(self, **wish: Any) -> ApprovedEntry:
        """Ask for the stop and the largest size of an entry."""
        return self.rules.sizer.allowance(entry(**wish), self.time)

    # What the world does

    def candle(self, pair: str = BTC, *, hours_ago: float = 1.0, **columns: object) -> None:
        """Have a pair's newest candle analysed, calm and without any signal but the given."""
        row = {
            "date": pd.Timestamp(self.time - timedelta(hours=hours_ago)),
            "close": 100.0,
            REGIME: Regime.SIDEWAYS.value,
            LOCAL_DISTANCE: 0.0,
            "confidence": 0.9,
            ATR: 0.01,
            **columns,
        }
        dp = self.strategy.dp
        dp._set_cached_df(pair, "1h", pd.DataFrame([row]), CandleType.FUTURES)
        dp._set_dataframe_max_index(pair, 1)

    def hold(
        self,
        amount: float = 1.0,
        pair: str = BTC,
        *,
        rate: float = 100.0,
        stop: float = 98.0,
        is_short: bool = False,
        leverage: float = 10.0,
        waiting: float = 0.0,
    ) -> Trade:
        """Have a trade on record: what of its entry filled, and what still waits."""
        kind: Any = Trade if Trade.use_db else LocalTrade
        trade = kind(
            pair=pair,
            amount=amount,
            amount_requested=amount + waiting,
            open_rate=rate,
            stake_amount=(amount + waiting) * rate / leverage,
            fee_open=0.0,
            fee_close=0.0,
            is_open=True,
            exchange="binance",
            open_date=self.time - timedelta(hours=5),
            leverage=leverage,
            is_short=is_short,
            orders=[],
        )
        trade.stop_loss = trade.initial_stop_loss = stop
        for filled, asked in ((amount, amount), (0.0, waiting)):
            if asked:
                trade.orders.append(self._order(trade, filled, asked))
        if Trade.use_db:
            Trade.session.add(trade)
            Trade.commit()
        else:
            LocalTrade.add_bt_trade(trade)
        self.strategy.wallets.update()
        return trade

    def _order(self, trade: Trade, filled: float, asked: float) -> Order:
        made = Order(
            order_id=f"{trade.pair} {len(trade.orders)}",
            ft_order_side=trade.entry_side,
            ft_pair=trade.pair,
            ft_amount=asked,
            ft_price=trade.open_rate,
            ft_is_open=not filled,
            side=trade.entry_side,
            status="closed" if filled else "open",
            amount=asked,
            price=trade.open_rate,
            average=trade.open_rate if filled else None,
            filled=filled,
            remaining=asked - filled,
            cost=filled * trade.open_rate,
            order_date=trade.open_date,
            order_filled_date=trade.open_date if filled else None,
        )
        if not Trade.use_db:
            made._trade_bt = trade
        return made


def entry(
    pair: str = BTC,
    *,
    rate: float = 100.0,
    is_short: bool = False,
    leverage: float = 10.0,
    amount: float = inf,
) -> EntryRequest:
    """Return an entry that somebody wants."""
    return EntryRequest(pair, is_short, rate, leverage, amount)


def put_back() -> None:
    """Leave Freqtrade's trades and locks as a bot finds them."""
    if Trade.use_db and hasattr(Trade, "session"):
        Trade.session.rollback()
        Trade.session.remove()
    Trade.use_db = PairLocks.use_db = True
    LocalTrade.reset_trades()
    PairLocks.locks = []
