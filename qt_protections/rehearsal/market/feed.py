"""The live market: a seeded path of ticks, the same whenever and however often it is read."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from qt_protections.rehearsal.market.candles import MINUTE_MS, Floats
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.market.scenarios import Scenario

TICK_MS = 100
BLOCK_TICKS = 50
COMMON_WEIGHT = 0.6


class Tick(NamedTuple):
    """One moment of the market.

    Attributes:
        ms: Time, epoch milliseconds.
        prices: Last price of each symbol in USDT, in the order of the instruments.
        volumes: Base units traded since the tick before.
        half_spreads: Distance of the best bid and ask from the price, as a ratio of it; empty for
            the usual distance.
    """

    ms: int
    prices: tuple[float, ...]
    volumes: tuple[float, ...]
    half_spreads: tuple[float, ...] = ()


class PriceFeed(Protocol):
    """Anything that can say what the prices were until now."""

    def until(self, now_ms: int) -> Iterator[Tick]:
        """Yield the ticks not yet read with `ms <= now_ms`, oldest first."""
        ...


class BlockFeed(ABC):
    """A feed that makes its ticks in blocks, so that reading them in parts is the same."""

    _block: list[Tick]

    def until(self, now_ms: int) -> Iterator[Tick]:
        """Yield the ticks not yet read with `ms <= now_ms`, oldest first."""
        while True:
            if not self._block:
                self._block = self._next_block()
            if self._block[-1].ms > now_ms:
                return
            yield self._block.pop()

    @abstractmethod
    def _next_block(self) -> list[Tick]:
        """Return the ticks after those made so far, newest first."""


class RandomFeed(BlockFeed):
    """Ticks every 100 ms, made in blocks so that reading them in parts is the same."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        scenario: Scenario,
        rng: np.random.Generator,
        start_ms: int,
        start_prices: Sequence[float],
        opened_ms: int | None = None,
    ) -> None:
        """Start a path.

        Args:
            instruments: The symbols.
            scenario: Volatility, drift, jumps and shock.
            rng: Source of chance, owned by the feed from now on.
            start_ms: Time before the first tick, epoch milliseconds.
            start_prices: Price of each symbol at `start_ms`, in USDT.
            opened_ms: Time from which the scenario's shock counts, epoch milliseconds; `start_ms`
                if None.
        """
        self._instruments = tuple(instruments)
        self._scenario = scenario
        self._rng = rng
        self._ms = start_ms
        self._logs = np.log(np.asarray(start_prices, dtype=np.float64))
        self._opened_ms = start_ms if opened_ms is None else opened_ms
        shock = scenario.shock
        self._knots = [] if shock is None else [shock.knots(rng) for _ in instruments]
        self._block: list[Tick] = []

    def _next_block(self) -> list[Tick]:
        shape = (BLOCK_TICKS, len(self._instruments))
        paths = self._logs + np.cumsum(self._returns(shape), axis=0)
        self._logs = paths[-1]
        times = range(self._ms + TICK_MS, self._ms + TICK_MS * BLOCK_TICKS + 1, TICK_MS)
        paths = paths + self._shocked(times)
        sizes = self._rng.exponential(1.0, shape)
        columns = [
            (
                np.maximum(np.round(np.exp(paths[:, i]), item.price_decimals), float(item.tick)),
                np.round(
                    sizes[:, i] * item.minute_volume * TICK_MS / MINUTE_MS / item.reference_price,
                    item.qty_decimals,
                ),
            )
            for i, item in enumerate(self._instruments)
        ]
        prices = np.stack([price for price, _ in columns], axis=1).tolist()
        volumes = np.stack([volume for _, volume in columns], axis=1).tolist()
        self._ms = times[-1]
        rows = zip(times, prices, volumes, strict=True)
        return [Tick(ms, tuple(price), tuple(volume)) for ms, price, volume in rows][::-1]

    def _shocked(self, times: range) -> Floats:
        """Return the log-price offsets of the shock: ticks by symbols, or one 0 without a shock."""
        if not self._knots:
            return np.zeros((1, 1))
        seconds = (np.asarray(times) - self._opened_ms) / 1000
        return np.stack([np.interp(seconds, *knots) for knots in self._knots], axis=1)

    def _returns(self, shape: tuple[int, int]) -> Floats:
        scenario, seconds = self._scenario, TICK_MS / 1000
        common = self._rng.standard_normal((shape[0], 1))
        noise = self._rng.standard_normal(shape)
        mixed = COMMON_WEIGHT * common + np.sqrt(1 - COMMON_WEIGHT**2) * noise
        jumping = self._rng.random(shape) < scenario.jumps_per_minute * seconds / 60
        signs = self._rng.choice((-1.0, 1.0), shape)
        moves = mixed * scenario.volatility * np.sqrt(seconds) + jumping * signs * scenario.jump
        returns: Floats = moves + scenario.drift_per_s * seconds
        return returns
