"""A background listener: what happens to orders is known when it happens, not a loop later."""

import asyncio
import logging
import queue
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ccxt.pro
from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.stops.order_events import OrderEvent, parse_order_event
from qt_protections.stops.user_socket import Line, StreamLostError, client_settings, listen

logger = withhold_secrets(logging.getLogger(__name__))

STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """When a lost connection is tried again, and how an open one is watched over.

    Attributes:
        first_s: The first pause, seconds; each further one is twice as long.
        longest_s: The longest, and the one after the exchange has asked for fewer requests.
        steady_s: A connection that lived so long, in seconds, starts over with the first pause;
            one that opens only to be lost again does not.
        line: See there.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    steady_s: float = 10.0
    line: Line = field(default_factory=Line)

    def pause_s(self, failures: int, chance: float, *, is_ban: bool = False) -> float:
        """Return the pause after so many failures in a row, seconds.

        Args:
            failures: Attempts that failed before, 0 for none.
            chance: In [0, 1); half of the pause is left to it, so that bots that lost the exchange
                at one moment do not come back at one moment.
            is_ban: Whether the exchange has asked for fewer requests.
        """
        grown_s = self.first_s * 2.0 ** min(failures, 32)
        whole_s = self.longest_s if is_ban else min(self.longest_s, grown_s)
        return whole_s * (0.5 + chance / 2)


class UserStream:
    """Binance's user data stream in threads of its own, opened again whenever it is lost.

    One thread talks to the exchange, another calls back. So a callback may take its time, or wait
    for a lock, without the line being taken for dead; the next ones wait in order.
    """

    def __init__(
        self,
        exchange: Exchange,
        on_event: Callable[[OrderEvent], None],
        on_state: Callable[[bool], None],
        pace: Pace | None = None,
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            exchange: The bot's. Its settings are copied now; of the markets those are asked that
                it has when an event arrives.
            on_event: Called with each event, one at a time, in order. An error in it is logged.
            on_state: Called with True when the connection is open, and with False when it is lost,
                in order with the events. What happened before True was not heard: look at the
                exchange then. Before the first True the stream is down.
            pace: When it is tried again; the usual if None.

        Raises:
            TypeError: If the exchange is not Binance.
        """
        if not isinstance(exchange._api_async, ccxt.pro.binance):
            raise TypeError(f"{exchange.name} has no user data stream that is known here")
        self._pace = Pace() if pace is None else pace
        # Freqtrade's asynchronous client is ccxt.pro's: unlike the other one it has the addresses
        # of websockets, those of the demo exchange too if that is chosen.
        self._settings = client_settings(exchange._api_async, self._pace.line)
        self._pair_of = partial(_pair_of, exchange._api)
        self._on_event = on_event
        self._on_state = on_state
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: tuple[threading.Thread, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._is_stopped = False
        self._up = False
        self._opened_s: float | None = None
        self._was_up = False
        self._told_up: bool | None = None

    @property
    def up(self) -> bool:
        """Whether the connection is open.

        A line that died silently counts as open for three pings at most (12 s).
        """
        return self._up

    def start(self) -> None:
        """Begin to listen, in the background.

        Raises:
            RuntimeError: If it was started before; a listener lives once.
        """
        if self._loop is not None or self._is_stopped:
            raise RuntimeError("the user data stream was started before")
        self._loop = loop = asyncio.new_event_loop()
        self._threads = (
            threading.Thread(target=self._run, args=(loop,), name="qt-user-stream", daemon=True),
            threading.Thread(target=self._call_back, name="qt-user-events", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hang up and end the threads; once is enough, and more is no error.

        No callback begins after it returns, except where it is called from one.
        """
        self._is_stopped = True
        self._up = False
        if self._loop is not None:
            with suppress(RuntimeError):  # closed already
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._calls.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(STOP_S)
                if thread.is_alive():
                    logger.warning("%s has not ended within %.0f s", thread.name, STOP_S)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        listening = asyncio.create_task(self._keep_listening())
        await self._stopping.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    async def _keep_listening(self) -> None:
        clock, failures, chance = asyncio.get_running_loop().time, 0, random.SystemRandom()
        while True:
            self._opened_s = None
            try:
                await listen(self._settings, self._pace.line, self._opened, self._take)
            except Exception as error:  # whatever it was, the next attempt may succeed
                self._lost(error)
                lived_s = 0.0 if self._opened_s is None else clock() - self._opened_s
                failures = 0 if lived_s >= self._pace.steady_s else failures + 1
                is_ban = isinstance(error, StreamLostError) and error.is_ban
                await asyncio.sleep(self._pace.pause_s(failures, chance.random(), is_ban=is_ban))

    def _opened(self) -> None:
        self._opened_s = asyncio.get_running_loop().time()
        self._up = not self._is_stopped
        self._calls.put(partial(self._on_state, True))
        again = " again" if self._was_up else ""
        logger.info("[OK] User data stream is up%s: events of orders are heard at once", again)
        self._was_up = self._told_up = True

    def _lost(self, error: Exception) -> None:
        if self._up:
            self._up = False
            self._calls.put(partial(self._on_state, False))
        if self._told_up is not False:
            logger.warning("User data stream is down, orders are polled meanwhile: %s", error)
            self._told_up = False

    def _take(self, message: dict[str, Any]) -> None:
        event = parse_order_event(message, self._pair_of)
        if event is not None:
            self._calls.put(partial(self._on_event, event))

    def _call_back(self) -> None:
        while (call := self._calls.get()) is not None and not self._is_stopped:
            try:
                call()
            except Exception:
                logger.exception("A listener of the user data stream failed; it goes on")


def _pair_of(api: Any, name: str) -> str:
    return str(api.safe_symbol(name, None, None, "contract"))
