"""What is to be done at a moment of the exchange's time."""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

Action = Callable[[], None]


class Agenda:
    """Appointments, kept in order of time, and of their making where times are equal."""

    def __init__(self) -> None:
        """Start with no appointments."""
        self._heap: list[tuple[int, int, Action]] = []
        self._numbers = count()

    def add(self, ms: int, action: Action) -> None:
        """Arrange for `action` to be called at `ms`, epoch milliseconds."""
        heapq.heappush(self._heap, (ms, next(self._numbers), action))

    def due(self, until_ms: int) -> Iterator[tuple[int, Action]]:
        """Yield the appointments up to `until_ms`, those made meanwhile included."""
        while self._heap and self._heap[0][0] <= until_ms:
            ms, _, action = heapq.heappop(self._heap)
            yield ms, action
