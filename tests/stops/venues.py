"""A rehearsal exchange and Freqtrade's exchange object for it, without a bot."""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver

from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.command import wall_clock_ms
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    AlgoRequest,
    AlgoStatus,
    Order,
    OrderRequest,
)
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.rehearsal.venue import Venue
from tests.integration.rig import held_market
from tests.patience import PATIENCE_S

T = TypeVar("T")


class MoodyVenue(Venue):
    """An exchange that answers an order as a test wants, before or after it executed it."""

    def in_a_mood(self) -> Self:
        """Begin in a good one."""
        self.before: deque[Exception] = deque()
        self.after: deque[Exception] = deque()
        self.stillborn: AlgoStatus | None = None
        return self

    def place_order(self, request: OrderRequest) -> Order:
        """Take an order, as the mood is."""
        return self._moodily(lambda: super(MoodyVenue, self).place_order(request))

    def place_algo(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order, as the mood is."""
        algo = self._moodily(lambda: super(MoodyVenue, self).place_algo(request))
        if self.stillborn is not None:  # taken with HTTP 200, and dead
            status, self.stillborn = self.stillborn, None
            self.conditional.withdraw(algo.algo_id, "dead on arrival", status)
        return algo

    def _moodily(self, take: Callable[[], T]) -> T:
        if self.before:
            raise self.before.popleft()
        taken = take()
        if self.after:
            raise self.after.popleft()
        return taken


class Scene:
    """An exchange whose prices a test moves by hand, and Freqtrade's object to trade on it."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        tape, self.feed = held_market("uptrend")
        self.venue = MoodyVenue(tape, self.feed, wall_clock_ms).in_a_mood()
        self.server = RehearsalServer(self.venue)
        self._folder, self._changes = folder, changes

    def __enter__(self) -> Self:
        self.server.start()
        self.http = httpx.Client(base_url=self.server.url, verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed
        self.exchange = freqtrade_exchange(self.server, self._folder, **self._changes)
        return self

    def __exit__(self, *exc: object) -> None:
        self.exchange.close()
        self.http.close()
        self.server.stop()

    def move(self, symbol: str, ratio: float) -> None:
        """Move a held price, and let triggered orders reach the engine."""
        self.feed.move(symbol, ratio)
        while self._report() and any(
            algo.status.name == "TRIGGERING" for algo in self.venue.conditional.live()
        ):
            pass

    def requests(self) -> dict[str, int]:
        """Return how often each endpoint was asked so far."""
        return dict(self._report()["traffic"]["endpoints"])

    def _report(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get("/_rehearsal/report").raise_for_status().json()
        return answer


def freqtrade_exchange(server: RehearsalServer, folder: Path, **changes: Any) -> Exchange:
    """Return the exchange object a bot would trade with."""
    return ExchangeResolver.load_exchange(freqtrade_config(server, folder, **changes))


def freqtrade_config(server: RehearsalServer, folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a configuration for the rehearsal exchange, as the command line makes it."""
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps(config_overlay(server.port) | changes))
    arguments = {
        "config": [str(base_config()), str(overlay)],
        "user_data_dir": str(folder),
        "db_url": "sqlite://",
    }
    mode = RunMode.DRY_RUN if changes.get("dry_run") else RunMode.LIVE
    return Configuration(arguments, mode).get_config()
