"""The listen key: who knows it may hear the user data stream, for an hour at a time."""

import hashlib
from collections.abc import Callable

from qt_protections.rehearsal.errors import VenueError

VALIDITY_MS = 3_600_000


class ListenKeys:
    """The account's listen key; there is one at most.

    Attributes:
        on_close: Called with a key that its owner has closed.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        """Start without a key; `clock` returns epoch milliseconds."""
        self.on_close: Callable[[str], None] = lambda _key: None
        self._clock = clock
        self._key: str | None = None
        self._ends_ms = 0
        self._count = 0

    @property
    def valid(self) -> str | None:
        """The key that is valid now, None if there is none."""
        return self._key if self._clock() < self._ends_ms else None

    def open(self) -> str:
        """Return the valid key, or a new one; either is valid for an hour from now."""
        key = self.valid
        if key is None:
            self._count += 1
            seed = f"{self._clock()}-{self._count}"
            key = self._key = hashlib.sha256(seed.encode()).hexdigest()
        self._ends_ms = self._clock() + VALIDITY_MS
        return key

    def extend(self) -> str:
        """Return the valid key, which is valid for an hour from now; refuse (-1125) without one."""
        if self.valid is None:
            raise VenueError(-1125)
        return self.open()

    def close(self) -> None:
        """End the valid key; refuse (-1125) if there is none."""
        key = self.valid
        if key is None:
            raise VenueError(-1125)
        self._key = None
        self.on_close(key)

    def expire(self) -> str | None:
        """Forget a key whose hour has passed and return it, None if there is none."""
        if self._key is None or self.valid is not None:
            return None
        key, self._key = self._key, None
        return key
