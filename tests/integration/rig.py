"""A real FreqtradeBot in live mode on a rehearsal exchange whose prices a test moves by hand.

Loops are driven one by one with `bot.process()`, so no test waits for a clock.
"""

import gc
import json
from collections import deque
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Self

import httpx
import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode, SignalDirection, State
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC
from freqtrade.strategy import IStrategy

from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.command import wall_clock_ms
from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    AlgoRequest,
    AlgoStatus,
    Order,
    OrderRequest,
)
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults.script import parse_script
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.market.feed import PriceFeed, Tick
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import Tape, build_market
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.rehearsal.venue import Venue
from qt_protections.rehearsal.verdict.traffic import Traffic
from qt_protections.stops.monitor.stream_proof import ProvenVenue
from tests.patience import PATIENCE_S, until

HERE = Path(__file__).parent
#: Faults that keep an answer back until whoever asked gives up.
_SILENT = ("hang", "latency")
BTC, ETH, ZEN = "BTC/USDT:USDT", "ETH/USDT:USDT", "ZEN/USDT:USDT"
SOL = "SOL/USDT:USDT"


class HeldFeed:
    """Prices that stand still, tick by tick, until a test moves them."""

    def __init__(self, tape: Tape, start_ms: int) -> None:
        self._prices = {symbol: float(tape.last(symbol)) for symbol in tape.symbols}
        self._ms = start_ms
        self._moved = False
        self._symbols = tape.symbols
        self._touches: deque[tuple[str, float, float]] = deque()

    def touch(self, symbol: str, price: float, volume: float) -> None:
        """Let one trade of `volume` base units print at a price, for a moment, and go back."""
        self._touches.append((symbol, price, volume))

    def move(self, symbol: str, ratio: float) -> None:
        """Multiply a price; the exchange sees it with its next request."""
        self._prices[symbol] *= ratio
        self._moved = True

    def until(self, now_ms: int) -> Iterator[Tick]:
        """Yield a tick a second, and one at once after a move."""
        while self._ms + 1000 <= now_ms:
            self._ms += 1000
            yield self._tick(self._ms)
        while self._touches:
            symbol, price, volume = self._touches.popleft()
            prices = {**self._prices, symbol: price}
            volumes = (volume if each == symbol else 0.0 for each in self._symbols)
            yield Tick(now_ms, tuple(prices.values()), tuple(volumes))
            self._moved = True
        if self._moved:
            self._moved = False
            self._ms = now_ms
            yield self._tick(now_ms)

    def _tick(self, ms: int) -> Tick:
        return Tick(ms, tuple(self._prices.values()), (1.0,) * len(self._prices))


def held_market(scenario: str) -> tuple[Tape, HeldFeed]:
    """Return a scenario's history, with prices that stand still from now on."""
    start_ms = wall_clock_ms()
    tape, _ = build_market(SCENARIOS[scenario], 7, start_ms)
    return tape, HeldFeed(tape, start_ms)


class RequestLog(Traffic):
    """Every request in the order it was answered, by method and endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def count(self, method: str, path: str, status: int, now_ms: int, weight: int = 0) -> None:
        """Count a request, and note it."""
        self.lines.append(f"{method} {path.rsplit('/', 1)[1]}")
        super().count(method, path, status, now_ms, weight)


class ScriptedVenue(Venue):
    """An exchange that refuses what a test tells it to, and can be met at an entry's arrival."""

    def script(self) -> Self:
        """Begin with nothing up its sleeve."""
        self.traffic = self.requests = RequestLog()
        self.refuse_orders: deque[VenueError] = deque()
        self.refuse_stops: deque[VenueError] = deque()
        self.on_order: Callable[[], None] = lambda: None
        self.lose_answers = 0
        self.acts: deque[Callable[[], object]] = deque()
        return self

    def advance(self, now_ms: int | None = None) -> None:
        """Do what a test asked for, in the exchange's own thread, and move on."""
        while self.acts:
            self.acts.popleft()()
        super().advance(now_ms)

    def charge_funding(self) -> None:
        """Charge funding out of turn, as time moves on next."""
        self.funding.next_ms = self.now_ms

    def place_order(self, request: OrderRequest) -> Order:
        """Take an order, unless a refusal is due; its answer may be lost on the way."""
        if self.refuse_orders:
            raise self.refuse_orders.popleft()
        self.on_order()
        order = super().place_order(request)
        if self.lose_answers:
            self.lose_answers -= 1
            raise VenueError(-1007, "Timeout waiting for response from backend server.")
        return order

    def place_algo(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order, unless a refusal is due."""
        if self.refuse_stops:
            raise self.refuse_stops.popleft()
        return super().place_algo(request)


class Rig:
    """The exchange, and the bots that trade on it one after the other."""

    def __init__(
        self,
        folder: Path,
        market: tuple[Tape, PriceFeed],
        flat_stops: FlatStops = FlatStops.ACCEPT,
        depth_ratio: float = 1.0,
        unlimited: bool = False,
        faults: str = "",
        faults_wait: bool = False,
    ) -> None:
        self.venue = ScriptedVenue(
            *market, wall_clock_ms, flat_stops=flat_stops, depth_ratio=depth_ratio
        ).script()
        self.feed = market[1]
        allowed = (10**9,) * 3 if unlimited else ()
        limits = RateLimits(lambda: self.venue.now_ms, *allowed)
        script = parse_script(faults, "faults.toml", 1, ENDPOINTS) if faults else None
        self._server = RehearsalServer(self.venue, limits=limits, script=script)
        self.faults = self._server.faults
        if faults_wait:
            self.faults.begin(in_s=1e9)
        self.folder = folder
        self.strategies = HERE
        self._bots: list[FreqtradeBot] = []
        self._is_silent = any(f'"{kind}"' in faults for kind in _SILENT)
        self._patch = pytest.MonkeyPatch()
        self._is_unlimited = unlimited

    def __enter__(self) -> Self:
        if not self._is_silent:
            # Exchange, bot and guard share one interpreter here: on a busy machine an answer may
            # well take longer than the second and a half that the guard has for it.
            patient = partial(ProvenVenue, timeout_ms=round(PATIENCE_S * 1000))
            self._patch.setattr("qt_protections.stops.registry.ProvenVenue", patient)
        if self._is_unlimited:
            for limit in ("WEIGHT_PER_MINUTE", "ORDERS_PER_10_S", "ORDERS_PER_MINUTE"):
                self._patch.setattr(f"qt_protections.stops.venue.budget.{limit}", 10**9)
        self._server.__enter__()
        url = self._server.url
        self.http = httpx.Client(base_url=url, verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed
        return self

    def __exit__(self, *exc: object) -> None:
        for bot in self._bots:
            bot.cleanup()
        self._bots.clear()
        self.http.close()
        self._server.__exit__(*exc)
        self._patch.undo()
        # The web framework keeps a closed application's routes, and with them a venue and its
        # years of candles; a bot and its strategy know each other.
        vars(self.venue).clear()
        gc.collect()

    def config(self, strategy: str, **changes: Any) -> dict[str, Any]:
        """Return Freqtrade's whole configuration for a strategy of the tests."""
        overlay = self.folder / "overlay.json"
        tape = self.venue.tape
        instruments = [tape.instrument(symbol) for symbol in tape.symbols]
        overlaid = config_overlay(self._server.port, instruments)
        # Tests of the trailing stop switch it on; to the others it would be one order more.
        live = {
            **overlaid,
            "max_open_trades": 5,
            "force_entry_enable": True,
            "qt": {"trail_callback": None},
        }
        overlay.write_text(json.dumps({**live, **changes}))
        arguments = {
            "config": [str(base_config()), str(overlay)],
            "strategy": strategy,
            "strategy_path": str(self.strategies),
            "user_data_dir": str(self.folder),
            "db_url": changes.get("db_url", "sqlite://"),
        }
        mode = RunMode.DRY_RUN if changes.get("dry_run") else RunMode.LIVE
        return Configuration(arguments, mode).get_config()

    def bot(self, strategy: str = "GuardedQuiet", **changes: Any) -> FreqtradeBot:
        """Start a bot as `freqtrade trade` does, up to its first loop, and run that one."""
        bot = FreqtradeBot(self.config(strategy, **changes))
        # What a strategy leaves out it shares with every other one of this process, and a test
        # that changes such a setting would change those of the tests after it.
        for name, value in vars(IStrategy).items():
            if isinstance(value, dict) and not name.startswith("__"):
                setattr(bot.strategy, name, deepcopy(getattr(bot.strategy, name)))
        self._bots.append(bot)
        bot.state = State.RUNNING
        bot.startup()
        bot.process()
        return bot

    def forget(self, bot: FreqtradeBot) -> None:
        """Let a bot go without the tidying up at the end."""
        self._bots.remove(bot)

    def report(self) -> dict[str, Any]:
        """Return the exchange's report; also makes it see a moved price."""
        answer: dict[str, Any] = self.http.get("/_rehearsal/report").raise_for_status().json()
        return answer

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the exchange's events of some kinds, in order."""
        events = self.http.get("/_rehearsal/events").raise_for_status().json()
        return [event for event in events if event["kind"] in kinds]

    def move(self, symbol: str, ratio: float) -> None:
        """Move a held price, and let triggered orders reach the engine."""
        assert isinstance(self.feed, HeldFeed)
        self.feed.move(symbol, ratio)
        until(lambda: self.report() and not self._triggering())

    def _triggering(self) -> list[AlgoOrder]:
        """Return the conditional orders whose own order has yet to reach the engine."""
        live = self.venue.conditional.live()
        return [algo for algo in live if algo.status is AlgoStatus.TRIGGERING]

    def fill_part(self, symbol: str, amount: float) -> None:
        """Fill so much (base units) of the order that rests in a symbol, at its own price."""
        assert isinstance(self.feed, HeldFeed)
        (order,) = self.venue.desk.open_orders(symbol)
        served = 2 * (float(order.ahead) + amount)
        self.feed.touch(symbol, float(order.request.price), served)
        seen = self.report()
        assert seen

    def requests(self) -> list[str]:
        """Return the requests so far, in the order they were answered.

        Without the watch's own pings and looks: they come whenever it is time.
        """
        own = ("GET ping", "GET openAlgoOrders")
        return [line for line in self.venue.requests.lines if line not in own]

    def fund(self) -> None:
        """Have funding charged now."""
        self.does(self.venue.charge_funding)

    def does(self, act: Callable[[], object]) -> None:
        """Have the exchange do something by itself; returns when it is done."""
        done = Event()
        self.venue.acts.extend([act, done.set])
        until(lambda: self.report() and done.is_set())

    def live_stops(self, symbol: str) -> list[AlgoOrder]:
        """Return the conditional orders that wait for their trigger."""
        return self.venue.conditional.live(symbol)

    def position(self, symbol: str) -> float:
        """Return the signed size of the account's position."""
        return float(self.venue.account.position(symbol).amount)


def enter_by_limit(bot: FreqtradeBot, ratio: float) -> None:
    """Let a bot's entries wait at this ratio of the price from now on."""
    bot.strategy.order_types["entry"] = "limit"
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * ratio  # type: ignore[method-assign]


def force_entry(bot: FreqtradeBot, pair: str, side: str = "long") -> Trade | None:
    """Enter as `/forcelong` and `/forceshort` do."""
    return RPC(bot)._rpc_force_entry(pair, None, order_side=SignalDirection(side))


def record(bot: FreqtradeBot, trade: Trade) -> dict[str, Any]:
    """Return what `/list_custom_data` shows of a trade's stop."""
    (listed,) = RPC(bot)._rpc_list_custom_data(trade.id, "qt_stop")
    (entry,) = listed["custom_data"]
    return dict(entry["value"])


def naked_max(rig: Rig) -> float:
    """The longest time any position stood without cover, by the exchange's own log."""
    return float(rig.report()["summary"]["naked_s"]["max"])
