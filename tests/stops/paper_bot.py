"""Freqtrade's bot over an exchange on paper: its own functions, its own database, no network.

What is left out of `FreqtradeBot` is what starts processes and threads, or analyses candles.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

import ccxt
from freqtrade.enums import ExitCheckTuple, ExitType, RunMode, State
from freqtrade.exceptions import DependencyException, TemporaryError
from freqtrade.exchange import Exchange
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade
from freqtrade.persistence.models import _request_id_ctx_var
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import ExchangeResolver
from freqtrade.rpc.rpc import RPC
from freqtrade.strategy.interface import IStrategy
from freqtrade.wallets import Wallets
from pandas import DataFrame

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.retry_policy import Outcome
from qt_protections.rules.stop_price import stop_at
from qt_protections.settings import Settings
from qt_protections.stops import service
from qt_protections.stops.monitor.event_stream import MakeStream
from qt_protections.stops.monitor.monitor import Monitor
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.registry import capabilities
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError
from tests.integration.offline_bot import offline_market
from tests.stops.account import Account
from tests.stops.offline import offline_config
from tests.stops.paper import BTC, ETH, LOT

#: How far a stop stands from its entry, as a ratio of price.
DISTANCE = 0.05


class PaperApi:
    """What Freqtrade asks of ccxt, answered by an exchange on paper."""

    def __init__(self, paper: Account) -> None:
        self._paper = paper

    def put_into(self, api: ccxt.Exchange) -> None:
        """Take the place of everything that would ask over the network."""
        for name, answer in vars(type(self)).items():
            if not name.startswith("_") and name != "put_into":
                setattr(api, name, partial(_as_ccxt, answer, self))

    def create_order(
        self, pair: str, kind: str, side: str, amount: str, price: object, params: dict[str, Any]
    ) -> CcxtOrder:
        return self._paper.send(
            pair,
            float(amount) if side == "buy" else -float(amount),
            str(params.get("clientOrderId") or ""),
            at_market=kind == "market",
            reduces=bool(params.get("reduceOnly")),
        )

    def fetch_order(self, order_id: str, pair: str, params: object = None) -> CcxtOrder:
        found = self._paper.find_order(pair, order_id=order_id)
        if found is None:
            raise ccxt.OrderNotFound(order_id)
        return found

    def fetch_orders(self, pair: str, since: int, params: object = None) -> list[CcxtOrder]:
        return self._paper.orders_since(pair, since)

    def cancel_order(self, order_id: str, pair: str, params: object = None) -> CcxtOrder:
        self._paper.cancel_order(pair, order_id)
        return {"id": order_id, "info": {}}

    def fetch_positions(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return [
            {
                "symbol": held.pair,
                "side": "short" if held.is_short else "long",
                "contracts": held.amount,
                "leverage": 1.0,
                "initialMargin": held.amount * held.entry_price,
                "liquidationPrice": None,
            }
            for held in self._paper.positions().values()
        ]

    def fetch_balance(self, *_: object, **__: object) -> dict[str, dict[str, float]]:
        return {"USDT": {"free": 1e6, "used": 0.0, "total": 1e6}}

    def fetch_l2_order_book(self, pair: str, *_: object) -> dict[str, list[list[float]]]:
        price = self._paper.prices[pair]
        return {"bids": [[price, 1e6]], "asks": [[price, 1e6]]}

    def fetch_ticker(self, pair: str, **_: object) -> dict[str, Any]:
        price = self._paper.prices[pair]
        return {"symbol": pair, "bid": price, "ask": price, "last": price}

    def set_leverage(self, **_: object) -> dict[str, Any]:
        return {}

    def set_margin_mode(self, *_: object) -> dict[str, Any]:
        return {}


def _as_ccxt(answer: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return answer(*args, **kwargs)
    except RequestError as error:
        if error.outcome is Outcome.UNKNOWN:
            raise ccxt.RequestTimeout("binance no answer in time") from None
        code = error.code or -9999
        kind = ccxt.OperationFailed if error.outcome is Outcome.NOT_EXECUTED else ccxt.InvalidOrder
        raise kind(f'binance {{"code":{code},"msg":"{error}"}}') from None


class Plain(IStrategy):
    """A strategy that does what it is told, guarded at the places the mixin guards."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = -DISTANCE
    minimal_roi: dict[str, float] = {}
    can_short = True
    use_custom_stoploss = True
    position_adjustment_enable = True
    use_exit_signal = False
    order_types = {
        "entry": "limit",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }
    order_time_in_force = {"entry": "GTC", "exit": "GTC"}
    stops: service.StopService

    def bot_start(self, **_: Any) -> None:
        """Begin with nothing asked for."""
        self.wanted: dict[str, float] = {}

    def custom_stoploss(self, pair: str, **_: Any) -> float | None:  # type: ignore[override]
        """Tighten the stop if that was asked for; leave it where it is otherwise."""
        return self.wanted.pop(pair, None)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        return dataframe

    def ft_stoploss_adjust(
        self, rate: float, trade: Trade, *args: Any, after_fill: bool = False, **kwargs: Any
    ) -> None:
        if after_fill:
            self.stops.filled(trade)
        super().ft_stoploss_adjust(rate, trade, *args, after_fill=after_fill, **kwargs)
        self.stops.moved(trade, rate)


class _NoCandles:
    """In place of the data provider."""

    def get_analyzed_dataframe(self, *_: object) -> tuple[DataFrame, None]:
        return DataFrame(), None


class _Silent:
    """In place of the remote control that would be told."""

    def send_msg(self, *_: object) -> None:
        """Say nothing."""


class _HandStream:
    """In place of the user data stream."""

    thread = None

    def __init__(self) -> None:
        self.up = False

    def renew(self, _why: str) -> None:
        """Go down, to come up with the next tick."""
        self.up = False

    def stop(self) -> None:
        """Nothing."""


class _AtOnce:
    """In place of the lanes: every act at once, on the only thread there is."""

    threads = ()

    def __init__(self, is_busy: Callable[[str], bool]) -> None:
        self._is_busy = is_busy

    def put(self, _lane: str, act: Callable[[], object]) -> bool:
        act()
        return True

    def put_if_idle(self, lane: str, act: Callable[[], object]) -> bool:
        if not self._is_busy(lane):
            act()
        return True

    def lag_s(self) -> float:
        return 0.0

    def close(self) -> None:
        """Nothing."""


class HandSentinel(Monitor):
    """The monitor without its threads: whoever runs it says when.

    Attributes:
        connects: Whether its stream finds a connection.
    """

    made: "HandSentinel"

    def __init__(self, _make_stream: MakeStream, watch: StopWatch, *args: Any) -> None:
        super().__init__(lambda *_: _HandStream(), watch, *args)  # type: ignore[arg-type, return-value]
        self._lanes = _AtOnce(self.is_busy)  # type: ignore[assignment]
        self.connects = True
        type(self).made = self

    @property
    def book(self) -> PairStates:
        """What the guard knows."""
        return self._watch.book

    @property
    def runs(self) -> bool:
        """Whether its threads would run."""
        return self._is_started and not self._is_stopped

    def start(self) -> None:
        self._is_started = True
        self.connect(self.connects)

    def stop(self) -> None:
        self._is_stopped = True

    def connect(self, connects: bool) -> None:
        """Let its stream find a connection, or lose the one it has."""
        self.connects = connects
        if self.runs and self._stream.up != connects:
            self._stream.up = connects  # type: ignore[misc]
            self._turned(connects)

    def hear(self, event: OrderEvent) -> None:
        """Act on an event."""
        self._heard(event)

    def tick(self) -> None:
        """Do what is done each second."""
        if self.runs:
            self.connect(self.connects)
            self._tick()

    def is_busy(self, pair: str) -> bool:
        """Whether the bot's thread, the only one here, is at work on a pair."""
        held = [each for each in self._watch.book if pair in ("", each.pair)]
        return any(each.lock._is_owned() for each in held)  # type: ignore[attr-defined]

    def _check_threads(self) -> None:
        """There are none."""


@lru_cache
def config_of(folder: Path) -> dict[str, Any]:
    """Return the configuration of a live bot; to read it sets up Freqtrade's logging."""
    config = offline_config(folder, "binance", "futures")
    config["exchange"] |= {"pair_whitelist": [BTC, ETH]}
    return config | {
        "dry_run": False,
        "runmode": RunMode.LIVE,
        "stake_amount": 1000,
        "max_open_trades": 4,
        "timeframe": "5m",
        "fee": 0.0004,
        "use_exit_signal": False,
    }


class PaperBot:
    """One run of a guarded bot, from its start to its end or its death.

    Attributes:
        bot: Freqtrade's, for its functions.
        monitor: What acts between the loops.
    """

    def __init__(
        self, folder: Path, paper: Account, pause: Callable[[float], None], **settings: Any
    ) -> None:
        config = {**config_of(folder), "exchange": dict(config_of(folder)["exchange"])}
        self.bot = FreqtradeBot.__new__(FreqtradeBot)
        self.exchange = self.bot.exchange = _exchange(config, paper)
        strategy = Plain(config)
        self.bot.config, self.bot.strategy = config, strategy
        self.bot.state = State.RUNNING
        self.bot.trading_mode, self.bot.margin_mode = config["trading_mode"], config["margin_mode"]
        self.bot.wallets = strategy.wallets = Wallets(config, self.exchange)
        self.bot.rpc = _Silent()  # type: ignore[assignment]
        self.bot.dataprovider = _NoCandles()  # type: ignore[assignment]
        self.bot.protections = ProtectionManager(config, [])
        PairLocks.timeframe = config["timeframe"]
        self.bot._exit_lock = Lock()
        self.bot._exit_reason_cache = {}  # type: ignore[assignment]
        strategy.ft_bot_start()
        with (
            patch.object(service, "make_venue", lambda *_: paper),
            patch.object(service, "Monitor", HandSentinel),
            patch.object(service, "Placer", partial(service.Placer, pause=pause)),
            patch.object(
                service, "EntryInterceptor", partial(service.EntryInterceptor, pause=pause)
            ),
        ):
            self.stops = strategy.stops = service.StopService(
                strategy,
                self.exchange,
                capabilities(self.exchange, config),
                Settings(**{"trail_callback": None} | settings),
                self._approve,
                lambda *_: None,
                self._stop_of_stranger,
                self.bot._exit_lock,
            )
        self.monitor = HandSentinel.made

    def start(self) -> None:
        """Do what Freqtrade does before its first loop, and that loop."""
        Trade.stoploss_reinitialization(self.bot.strategy.stoploss)
        self._safely(self.bot.startup_update_open_orders)
        self._safely(self.bot.update_trades_without_assigned_fees)  # in each loop; fees are known
        self.loop()

    def loop(self) -> None:
        """Do what Freqtrade does in a loop."""
        self._safely(self._loop)

    def enter(self, pair: str, amount: float, *, at_market: bool = True) -> None:
        """Enter, or add to the pair's trade; negative for a short."""
        self._safely(partial(self._enter, pair, amount, at_market=at_market))

    def exit(self, pair: str, amount: float | None = None, *, at_market: bool = True) -> None:
        """Exit the pair's trade, or a part of it."""
        self._safely(partial(self._exit, pair, amount, at_market=at_market))

    def tighten(self, pair: str, distance: float) -> None:
        """Have the strategy move a pair's stop to a distance from the price, as a ratio."""
        self.bot.strategy.wanted[pair] = distance  # type: ignore[attr-defined]

    def forget(self, pair: str) -> None:
        """Delete the pair's trade by remote control, whose view of the database is its own."""
        trade = self.trade(pair)
        if trade is None:
            return
        trade_id = trade.id
        request = _request_id_ctx_var.set("remote control")
        try:
            self._safely(partial(RPC(self.bot)._rpc_delete, trade_id))
        finally:
            Trade.session.remove()
            _request_id_ctx_var.reset(request)

    def end(self) -> None:
        """End as Freqtrade does when it is stopped."""
        self._safely(self.stops.close)
        Trade.commit()

    @staticmethod
    def trade(pair: str) -> Trade | None:
        """Return the pair's open trade."""
        return next((trade for trade in Trade.get_open_trades() if trade.pair == pair), None)

    def _loop(self) -> None:
        bot = self.bot
        self.exchange._entry_rate_cache.clear()
        self.stops.loop()
        bot.manage_open_orders()
        bot.exit_positions(Trade.get_open_trades())
        Trade.commit()

    def _enter(self, pair: str, amount: float, *, at_market: bool) -> None:
        trade, price = self.trade(pair), self._price(pair)
        self.bot.execute_entry(
            pair,
            abs(amount) * price,
            price=price,
            is_short=amount < 0 if trade is None else trade.is_short,
            ordertype="market" if at_market else "limit",
            trade=trade,
            mode="initial" if trade is None else "pos_adjust",
        )

    def _exit(self, pair: str, amount: float | None, *, at_market: bool) -> None:
        # In its loop, Freqtrade books what open orders filled before it decides on an exit.
        self.bot.manage_open_orders()
        trade = self.trade(pair)
        if trade is None or not trade.has_open_position:
            return
        is_part = amount is not None and amount < trade.amount
        self.bot.execute_trade_exit(
            trade,
            self._price(pair),
            ExitCheckTuple(exit_type=ExitType.PARTIAL_EXIT if is_part else ExitType.FORCE_EXIT),
            ordertype="market" if at_market else "limit",
            sub_trade_amt=amount if is_part else None,
        )

    def _price(self, pair: str) -> float:
        return self.exchange.get_rate(pair, refresh=True, side="entry", is_short=False)

    def _approve(self, entry: EntryRequest) -> ApprovedEntry:
        if self.stops.unsettled(entry.pair):
            raise EntryRefused(entry.pair, deny(DenyCode.ENTRY_UNSETTLED, ""))
        stop = stop_at(entry.rate, DISTANCE, is_short=entry.is_short)
        return ApprovedEntry(entry, entry.rate, stop, entry.amount)

    @staticmethod
    def _stop_of_stranger(
        _pair: str, entry_price: float, _leverage: float, *, is_short: bool
    ) -> float:
        return stop_at(entry_price, DISTANCE, is_short=is_short)

    @staticmethod
    def _safely(act: Callable[[], object]) -> None:
        """Carry on where Freqtrade's worker and its callers do."""
        with suppress(DependencyException, TemporaryError):
            act()


def _exchange(config: dict[str, Any], paper: Account) -> Exchange:
    exchange = ExchangeResolver.load_exchange({**config, "dry_run": True}, validate=False)
    exchange._config = config
    markets = {pair: offline_market(pair, "futures") for pair in (BTC, ETH)}
    for pair, market in markets.items():
        market["id"] = pair.split(":")[0].replace("/", "")
        market["base"] = pair.split("/")[0]
        market["precision"]["amount"] = LOT
    exchange._markets = exchange._api.markets = markets
    exchange._leverage_tiers = {pair: [_TIER] for pair in markets}
    exchange.get_funding_fees = lambda **_: 0.0  # type: ignore[method-assign]
    PaperApi(paper).put_into(exchange._api)
    return exchange


_TIER = {
    "minNotional": 0.0,
    "maxNotional": 1e9,
    "maintenanceMarginRate": 0.005,
    "maxLeverage": 50.0,
    "maintAmt": 0.0,
}
