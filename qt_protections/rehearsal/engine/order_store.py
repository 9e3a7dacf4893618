"""Orders by number and by name, and which of them are open."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from qt_protections.rehearsal.engine.archive import Archive
from qt_protections.rehearsal.errors import VenueError


class _Request(Protocol):
    @property
    def symbol(self) -> str: ...


class _Placed(Protocol):
    @property
    def request(self) -> _Request: ...


P = TypeVar("P", bound=_Placed)


class OrderStore(Archive[P]):
    """The latest orders, and all that are open: they rest in the book, or wait for a trigger."""

    def __init__(self, is_done: Callable[[P], bool]) -> None:
        """Start empty.

        Args:
            is_done: Whether an order will not change any more and may be forgotten.
        """
        super().__init__(is_done)
        self._open: dict[int, P] = {}

    def open(self, symbol: str | None = None) -> list[P]:
        """Return the open orders of a symbol, or all; oldest first."""
        # A copy, made in one step: who watches from another thread may ask while one is added.
        return [o for o in tuple(self._open.values()) if symbol in {None, o.request.symbol}]

    def has_opened(self, number: int, order: P) -> None:
        """List an order as open."""
        self._open[number] = order

    def has_ended(self, number: int) -> None:
        """List an order as open no more; nothing changes if it was not."""
        self._open.pop(number, None)

    @contextmanager
    def shown_as(self, orders: Mapping[int, P]) -> Iterator[None]:
        """Let `orders`, by number, be listed in place of the open ones until the context ends."""
        present, self._open = self._open, dict(orders)
        try:
            yield
        finally:
            self._open = present

    @contextmanager
    def set_aside(self, number: int) -> Iterator[None]:
        """Leave an open order out of the list; the order comes back if the context refuses."""
        before = self._open.copy()
        del self._open[number]
        try:
            yield
        except VenueError:
            self._open = before
            raise
