"""Who listens to which stream, and what waits for each listener."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from qt_protections.rehearsal.engine.orders import Cause
from qt_protections.rehearsal.journal import Event, EventKind, JsonObject
from qt_protections.rehearsal.streams.names import Category, categories_of, topic_of
from qt_protections.rehearsal.streams.topics import Topic
from qt_protections.rehearsal.streams.wire_market import force_order_event_json
from qt_protections.rehearsal.streams.wire_user import listen_key_expired_json, user_stream_json
from qt_protections.rehearsal.venue import Venue

MAX_PENDING_CHARS = 8_000_000
LONGEST_CONNECTION_MS = 86_400_000


class Listener:
    """One connection; all of it lives in the server's event loop.

    Attributes:
        category: The path it came by, None for the old address that serves everything.
        combined: Whether messages travel with the name of their stream.
        names: The streams asked for, in order.
        ended: Set when the connection is to end.
        says_goodbye: Whether it ends with a close frame.
    """

    def __init__(
        self,
        category: Category | None = None,
        *,
        combined: bool = False,
        max_pending_chars: int = MAX_PENDING_CHARS,
    ) -> None:
        """Start with no streams; end if more than `max_pending_chars` wait to be read."""
        self.category = category
        self.combined = combined
        self.names: dict[str, None] = {}
        self.ended = asyncio.Event()
        self.says_goodbye = False
        self.opened_ms = 0
        self._most = max_pending_chars
        self._pending: deque[str] = deque()
        self._pending_chars = 0
        self._filled = asyncio.Event()

    def send(self, text: str) -> None:
        """Queue a message; who has not read too many of them is hung up on."""
        if self.ended.is_set():
            return
        self._pending_chars += len(text)
        if self._pending_chars > self._most:
            self._pending.clear()
            self.end()
            return
        self._pending.append(text)
        self._filled.set()

    async def next(self) -> str:
        """Return the next message, when there is one."""
        while not self._pending:
            self._filled.clear()
            await self._filled.wait()
        text = self._pending.popleft()
        self._pending_chars -= len(text)
        return text

    def end(self, *, says_goodbye: bool = False) -> None:
        """End the connection, with a close frame or without."""
        self.says_goodbye = says_goodbye
        self.ended.set()


@dataclass(slots=True)
class Channel:
    """A stream somebody listens to; `topic` is None where events alone make it speak."""

    topic: Topic | None
    listeners: dict[Listener, None] = field(default_factory=dict)


class Streams:
    """Tells the listeners what happens on the exchange, in the order it happens.

    Attributes:
        max_pending_chars: What may wait for a listener before it is hung up on.
        retold: What a message of the user data stream becomes; it is not told if None.
    """

    def __init__(self, venue: Venue, max_pending_chars: int = MAX_PENDING_CHARS) -> None:
        """Listen to `venue`."""
        self.max_pending_chars = max_pending_chars
        self.retold: Callable[[Event, JsonObject], JsonObject | None] = lambda _event, told: told
        self._venue = venue
        self._listeners: dict[Listener, None] = {}
        self._channels: dict[str, Channel] = {}
        venue.journal.subscribe(self._hear)
        venue.on_moved = self._look
        venue.listen_keys.on_close = self._close_key

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The connections that are open."""
        return tuple(self._listeners)

    @property
    def now_ms(self) -> int:
        """Exchange time, epoch milliseconds."""
        return self._venue.now_ms

    def join(self, listener: Listener) -> None:
        """Take in a connection."""
        listener.opened_ms = self.now_ms
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Forget a connection."""
        self.unsubscribe(listener, list(listener.names))
        self._listeners.pop(listener, None)

    def subscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """Let a connection hear streams; one that does not exist, or not on its path, is silent."""
        for name in names:
            listener.names[name] = None
            if listener.category in {None, *categories_of(name)}:
                if name not in self._channels:
                    self._channels[name] = Channel(topic_of(self._venue, name))
                self._channels[name].listeners[listener] = None

    def unsubscribe(self, listener: Listener, names: Iterable[str]) -> None:
        """Let a connection hear streams no more."""
        for name in names:
            listener.names.pop(name, None)
            channel = self._channels.get(name)
            if channel is not None:
                channel.listeners.pop(listener, None)
                if not channel.listeners:
                    del self._channels[name]

    def hang_up(self) -> None:
        """End every connection abruptly, without a close frame."""
        for listener in self._listeners:
            listener.end()

    def _hear(self, event: Event) -> None:
        key = self._venue.listen_keys.valid
        if key in self._channels:
            for message in user_stream_json(self._venue, event):
                told = self.retold(event, message)
                if told is not None:
                    self._tell(key, told)
        if event.kind is EventKind.ORDER_FILLED and event.cause == Cause.LIQUIDATION:
            self._tell_liquidation(event)

    def _tell_liquidation(self, event: Event) -> None:
        trade = self._venue.ledger.trades[-1]
        message = force_order_event_json(self._venue.desk.orders[trade.order_id], trade)
        for name in (f"{event.symbol.lower()}@forceOrder", "!forceOrder@arr"):
            self._tell(name, message)

    def _look(self) -> None:
        for name, channel in list(self._channels.items()):
            if channel.topic is not None:
                for message in channel.topic.news():
                    self._tell(name, message)
        key = self._venue.listen_keys.expire()
        if key is not None:
            self._tell(key, listen_key_expired_json(key, self.now_ms))
            self._channels.pop(key, None)
        for listener in self._listeners:
            if self.now_ms - listener.opened_ms >= LONGEST_CONNECTION_MS:
                listener.end(says_goodbye=True)

    def _close_key(self, key: str) -> None:
        channel = self._channels.pop(key, None)
        if channel is not None:
            for listener in channel.listeners:
                listener.end(says_goodbye=True)

    def _tell(self, name: str, message: object) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        raw = json.dumps(message, separators=(",", ":"))
        combined = f'{{"stream":{json.dumps(name)},"data":{raw}}}'
        for listener in channel.listeners:
            listener.send(combined if listener.combined else raw)
