"""A venue with a hand-moved clock and scripted prices, for the tests of its rules."""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from qt_protections.rehearsal.api.intake import place_algo, place_order
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.engine.orders import AlgoOrder, Order
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.market.instruments import INSTRUMENTS
from qt_protections.rehearsal.market.tape import Tape, symbol_tape
from qt_protections.rehearsal.venue import Venue

MIDNIGHT_MS = 1_800_000_000_000 // 86_400_000 * 86_400_000
BTC, ETH = "BTCUSDT", "ETHUSDT"


class ScriptedFeed:
    """Prices the test decides."""

    def __init__(self) -> None:
        """Start without prices."""
        self.ticks: deque[Tick] = deque()

    def until(self, now_ms: int) -> Iterator[Tick]:
        """Yield the ticks that are due."""
        while self.ticks and self.ticks[0].ms <= now_ms:
            yield self.ticks.popleft()


class Stage:
    """A venue for BTCUSDT at 100,000 and ETHUSDT at 3,000, one day of flat history behind it."""

    def __init__(
        self,
        flat_stops: FlatStops = FlatStops.ACCEPT,
        balance: int = 10_000,
        *,
        position_lag_ms: int = 0,
        isolated: bool = False,
        funding_seed: int | None = None,
        depth_ratio: float = 1.0,
    ) -> None:
        """Open the venue at noon, both symbols cross or both isolated."""
        self.now_ms = MIDNIGHT_MS + 12 * 3_600_000
        self.prices = {BTC: 100_000.0, ETH: 3_000.0}
        self.feed = ScriptedFeed()
        items = [item for item in INSTRUMENTS if item.symbol in self.prices]
        history = [np.full((5, 720), self.prices[item.symbol]) for item in items]
        tapes = [
            symbol_tape(item, MIDNIGHT_MS, columns)
            for item, columns in zip(items, history, strict=True)
        ]
        self.venue = Venue(
            Tape(tapes),
            self.feed,
            lambda: self.now_ms,
            balance=Decimal(balance),
            flat_stops=flat_stops,
            position_lag_ms=position_lag_ms,
            funding_seed=funding_seed,
            depth_ratio=depth_ratio,
        )
        if isolated:
            for symbol in self.prices:
                self.venue.margin_settings.set_isolated(symbol, True)

    def wait(self, ms: int) -> None:
        """Let time pass without a new price."""
        self.now_ms += ms
        self.venue.advance()

    def tick(
        self, price: float, symbol: str = BTC, after_ms: int = 1000, volume: float = 1.0
    ) -> None:
        """Print a price, some milliseconds later, and let a trigger's order reach the engine."""
        self.prices[symbol] = price
        self.now_ms += after_ms
        self.feed.ticks.append(Tick(self.now_ms, tuple(self.prices.values()), (volume,) * 2))
        self.venue.advance()
        self.wait(20)

    def drift(self, price: float, symbol: str = BTC, ticks: int = 120) -> None:
        """Hold a price until the mark price has followed."""
        for _ in range(ticks):
            self.tick(price, symbol, after_ms=100)

    def mark(self, price: Decimal | float, symbol: str = BTC) -> None:
        """Set the mark price alone, and liquidate what it leaves short of margin."""
        self.venue.tape[symbol].mark = float(price)
        self.venue.liquidator.run()

    def order(self, **given: object) -> Order:
        """Place a plain order: a market BUY of 0.01 BTC, except for what is given."""
        values = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        return place_order(self.venue, _params(values, given, "newClientOrderId"))

    def algo(self, **given: object) -> AlgoOrder:
        """Place a conditional order: a reduce-only stop SELL at 99,500, but for what is given."""
        values = {
            "algoType": "CONDITIONAL",
            "symbol": BTC,
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "0.01",
            "triggerPrice": "99500",
            "reduceOnly": "true",
        }
        return place_algo(self.venue, _params(values, given, "clientAlgoId"))

    def amount(self, symbol: str = BTC) -> Decimal:
        """Return the position in base units."""
        return self.venue.account.position(symbol).amount


_names = iter(range(10**9))


def _params(values: dict[str, str], given: dict[str, object], name: str) -> Params:
    merged = values | {name: f"test-{next(_names)}"} | {k: str(v) for k, v in given.items()}
    return Params({key: value for key, value in merged.items() if value != "None"})


def code_of(action: object, *args: object, **kwargs: object) -> int:
    """Return the code an action is refused with, 0 if it is not refused."""
    assert callable(action)
    try:
        action(*args, **kwargs)
    except VenueError as refusal:
        return refusal.code
    return 0
