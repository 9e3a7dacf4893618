"""The journal as a file of JSON Lines, written by a thread of its own."""

import queue
import threading
from pathlib import Path
from typing import Self

import orjson

from qt_protections.rehearsal.journal import Event

WAITING_EVENTS = 100_000


class EventLog:
    """Writes events as they come, and never makes the exchange wait; a context manager.

    A disk that cannot keep up loses events, not time: their numbers (`seq`) are then missing, and
    `lost` counts them.

    Attributes:
        lost: Events that were not written.
    """

    def __init__(self, path: Path, waiting: int = WAITING_EVENTS) -> None:
        """Open the file, emptying it.

        Args:
            path: Where to write.
            waiting: Most events that may wait to be written.

        Raises:
            OSError: If the file cannot be written.
        """
        self._file = path.open("wb")
        self._queue: queue.Queue[Event | None] = queue.Queue(waiting)
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)

    def take(self, event: Event) -> None:
        """Have `event` written; returns at once."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.lost += 1

    def __enter__(self) -> Self:
        """Start writing."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what still waits, and close the file."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._file.write(orjson.dumps(event.as_json()) + b"\n")
            if self._queue.empty():
                self._file.flush()
