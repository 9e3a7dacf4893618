"""A background listener: what happens to orders is known when it happens, not a loop later."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ccxt.pro
from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.stops.threads.supervised import Life, Supervised
from qt_protections.stops.venue.binance.order_events import OrderEvent, parse_order_event
from qt_protections.stops.venue.binance.user_socket import (
    GiveUp,
    StreamLostError,
    UserSocket,
    client_settings,
    listen,
)

logger = withhold_secrets(logging.getLogger(__name__))

STOP_S = 5.0
_BEAT_S = 1.0


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
    line: UserSocket = field(default_factory=UserSocket)

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
    """Binance's user data stream in a thread of its own, opened again whenever it is lost.

    Attributes:
        thread: Which talks to the exchange, and calls back.
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
            on_event: Called with each event, one at a time, in order. It must not wait: the pings
                that keep the line alive come from the same thread. An error in it is logged.
            on_state: Called with True when the connection is open, and with False when it is lost,
                in order with the events. What happened before True was not heard: look at the
                exchange then. Before the first True the stream is down. It must not wait either.
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
        self.thread = Supervised("qt-user-stream", self._run)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._is_started = False
        self._is_stopped = False
        self._up = False
        self._give_up: GiveUp | None = None
        self._opened_s: float | None = None
        self._was_up = False
        self._told_up: bool | None = None

    @property
    def up(self) -> bool:
        """Whether the connection is open, and its thread moves.

        A line that died silently counts as open for three pings at most (12 s).
        """
        return self._up and self.thread.state.life is Life.RUNNING

    def start(self) -> None:
        """Begin to listen, in the background.

        Raises:
            RuntimeError: If it was started before; a listener lives once.
        """
        if self._is_started or self._is_stopped:
            raise RuntimeError("the user data stream was started before")
        self._is_started = True
        self.thread.start()

    def renew(self, why: str) -> None:
        """Hang up and connect again; nothing happens where no connection is open."""
        self._in_loop(partial(self._hang_up, why))

    def stop(self) -> None:
        """Hang up and end the thread; once is enough, and more is no error.

        No callback begins after it returns, except where it is called from one.
        """
        self.thread.end()  # first: what ends without it has failed
        self._is_stopped = True
        self._up = False
        self._in_loop(self._end)
        self.thread.join(STOP_S)

    def _in_loop(self, act: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # closed already
                loop.call_soon_threadsafe(act)

    def _hang_up(self, why: str) -> None:
        if self._give_up is not None:
            self._give_up(StreamLostError(why))

    def _end(self) -> None:
        if self._stopping is not None:
            self._stopping.set()

    def _run(self, thread: Supervised) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._until_stopped(thread))
        finally:
            self._down()

    async def _until_stopped(self, thread: Supervised) -> None:
        self._stopping = asyncio.Event()
        if self._is_stopped:  # looked at after the event is there, or `stop` would be missed
            return
        jobs = (self._keep_listening(), self._beat(thread), self._stopping.wait())
        tasks = [asyncio.ensure_future(job) for job in jobs]
        ended, going = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        for task in ended:
            task.result()  # raises what ended it

    async def _beat(self, thread: Supervised) -> None:
        while True:
            thread.beat()
            await asyncio.sleep(_BEAT_S)

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

    def _opened(self, give_up: GiveUp) -> None:
        self._opened_s = asyncio.get_running_loop().time()
        self._give_up = give_up
        self._up = not self._is_stopped
        self._call(partial(self._on_state, True))
        again = " again" if self._was_up else ""
        logger.info("[OK] User data stream is up%s: events of orders are heard at once", again)
        self._was_up = self._told_up = True

    def _lost(self, error: Exception) -> None:
        self._down()
        if self._told_up is not False:
            logger.warning("User data stream is down, orders are polled meanwhile: %s", error)
            self._told_up = False

    def _down(self) -> None:
        self._give_up = None
        if self._up:
            self._up = False
            self._call(partial(self._on_state, False))

    def _take(self, message: dict[str, Any]) -> None:
        event = parse_order_event(message, self._pair_of)
        if event is not None:
            self._call(partial(self._on_event, event))

    def _call(self, back: Callable[[], None]) -> None:
        if self._is_stopped:
            return
        try:
            back()
        except Exception:
            logger.exception("[ALERT] A listener of the user data stream failed; it goes on.")


def _pair_of(api: Any, name: str) -> str:
    return str(api.safe_symbol(name, None, None, "contract"))
