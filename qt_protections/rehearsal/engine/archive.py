"""Orders by number and by name, of which only the latest are kept."""

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
KEPT_ORDERS = 20_000


class Archive(Generic[T]):
    """Records in the order of their numbers; the oldest that is done makes room for a new one.

    Attributes:
        added: How many there ever were.
    """

    def __init__(self, is_done: Callable[[T], bool], keep: int = KEPT_ORDERS) -> None:
        """Start empty.

        Args:
            is_done: Whether a record will not change any more and may be forgotten.
            keep: Most records kept, those that are not done apart.
        """
        self.added = 0
        self._is_done = is_done
        self._keep = keep
        self._records: dict[int, tuple[T, Hashable]] = {}
        self._numbers: dict[Hashable, int] = {}

    def add(self, number: int, name: Hashable, record: T) -> None:
        """Add a record under a new number; a name may be used again and then means this one."""
        self.added += 1
        self._records[number] = record, name
        self._numbers[name] = number
        if len(self._records) > self._keep:
            self._forget_one()

    def get(self, number: int) -> T | None:
        """Return the record of that number, if it is kept."""
        found = self._records.get(number)
        return None if found is None else found[0]

    def named(self, name: Hashable) -> T | None:
        """Return the latest record of that name, if it is kept."""
        number = self._numbers.get(name)
        return None if number is None else self.get(number)

    def __getitem__(self, number: int) -> T:
        """Return the record of that number."""
        return self._records[number][0]

    def __iter__(self) -> Iterator[T]:
        """Yield the records kept, oldest first."""
        return (record for record, _ in self._records.values())

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._records)

    def _forget_one(self) -> None:
        for number, (record, name) in self._records.items():
            if self._is_done(record):
                del self._records[number]
                if self._numbers[name] == number:
                    del self._numbers[name]
                return
