"""A bot of Freqtrade's real functions that lives through minutes on a clock moved by hand."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freqtrade.persistence import Trade, init_db

from qt_protections.stops.monitor.look_schedule import TICK_S
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import CcxtOrder
from tests.stops.account import Account
from tests.stops.hand_clock import HandClock
from tests.stops.paper import BTC
from tests.stops.paper_bot import PaperBot


class Weighed(Account):
    """An account that tells requests for a pair from those for all, and counts pings.

    Attributes:
        clock: When a request is answered.
    """

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock.now_ms)
        self.clock = clock
        self._answered = 0.0

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        found = super().open_stops(pair)
        self.asked[-1] += " of a pair" if pair else ""
        return found

    def open_orders(self, pair: str | None = None) -> list[CcxtOrder]:
        found = super().open_orders(pair)
        self.asked[-1] += " of a pair" if pair else ""
        return found

    def ping(self, idle_s: float = 0.0) -> None:
        if self.clock.now - self._answered >= idle_s:
            with self._request("ping"):
                """It asks for nothing."""

    def _request(self, what: str) -> Any:
        self._answered = self.clock.now
        return super()._request(what)


class Minutes:
    """A bot, and the minutes it lives through.

    Attributes:
        paper: Its exchange.
        bot: The bot.
    """

    def __init__(
        self, folder: Path, clock: HandClock, placement: str = "before_entry", **settings: Any
    ) -> None:
        init_db("sqlite://")
        self._clock, self._events = clock, list[OrderEvent]()
        self._loop_at = 0.0
        self._folder, self._settings = folder, {"stop_placement": placement, **settings}
        self.paper = Weighed(clock)
        self.paper.on_event = self._events.append
        self.bot = self._born()
        self.bot.start()

    def restart(self, *, is_killed: bool = False) -> None:
        """Begin again over the same exchange and database; a kill leaves no time to end well."""
        if not is_killed:
            self.bot.end()
        Trade.session.rollback()
        Trade.session.remove()
        self._events.clear()
        self._clock.sleep(2.0)  # a process takes its time
        self.bot = self._born()
        self.bot.start()

    def hold(self, pairs: int, *, at_market: bool = True, settle_s: float = 300.0) -> None:
        """Enter on so many pairs, and live on until everything is known of them."""
        markets: dict[str, Any] = self.bot.exchange._api.markets
        for number in range(pairs):
            pair = f"C{number}/USDT:USDT"
            markets[pair] = {**markets[BTC], "symbol": pair, "id": f"C{number}USDT"}
            self.bot.enter(pair, 1.0, at_market=at_market)
            self._hear()
        assert len(Trade.get_open_trades()) == pairs
        self.live(settle_s, 5.0)

    def live(
        self, seconds: float, throttle_s: float, until: Callable[[], bool] = lambda: False
    ) -> Counter[str]:
        """Live on with loops so far apart, until something is; return what was asked meanwhile."""
        self.paper.asked.clear()
        end = self._clock.now + seconds
        self._loop_at = min(self._loop_at, self._clock.now + throttle_s)
        while self._clock.now < end and not until():
            if self._clock.now >= self._loop_at:
                self.bot.loop()
                self._loop_at = self._clock.now + throttle_s
            self._hear()
            self.bot.monitor.tick()
            self._clock.sleep(TICK_S)
        return Counter(self.paper.asked)

    def _born(self) -> PaperBot:
        return PaperBot(self._folder, self.paper, self._clock.sleep, **self._settings)

    def _hear(self) -> None:
        while self._events:
            event = self._events.pop(0)
            if self.bot.monitor.connects:
                self.bot.monitor.hear(event)
