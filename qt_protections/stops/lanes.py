"""Work on many pairs at once, and on each pair in order."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from qt_protections.errors import withhold_secrets

logger = withhold_secrets(logging.getLogger(__name__))

Act = Callable[[], None]


class Lanes:
    """A few threads, and a lane for each pair: one that waits holds up no other."""

    def __init__(self, threads: int) -> None:
        """Open; threads start with the first work."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="qt-watch")
        self._waiting: dict[str, deque[Act]] = {}
        self._lock = threading.Lock()

    def put(self, lane: str, act: Act) -> None:
        """Do this after all that waits in the lane."""
        with self._lock:
            if lane in self._waiting:
                self._waiting[lane].append(act)
                return
            self._waiting[lane] = deque([act])
        self._pool.submit(self._next, lane)

    def put_if_idle(self, lane: str, act: Act) -> None:
        """Do this unless something is under way in the lane: what can wait must not pile up."""
        with self._lock:
            if lane in self._waiting:
                return
            self._waiting[lane] = deque([act])
        self._pool.submit(self._next, lane)

    def close(self) -> None:
        """Finish what is under way, drop what waits, and end the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _next(self, lane: str) -> None:
        """Do the first of a lane, and come back for the next when it is this lane's turn again."""
        with self._lock:
            act = self._waiting[lane].popleft()
        try:
            act()
        except Exception:
            logger.exception("[ALERT] The watch failed; the bot's loop looks again.")
        with self._lock:
            if not self._waiting[lane]:
                del self._waiting[lane]
                return
        try:
            self._pool.submit(self._next, lane)
        except RuntimeError:
            return  # closed meanwhile
