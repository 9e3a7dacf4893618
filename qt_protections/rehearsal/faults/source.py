"""An entry of a script at work: its chance, its time, and how often it struck."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from qt_protections.rehearsal.faults.entry import BySymbol, Counted, Entry
from qt_protections.rehearsal.faults.script import FaultScript

E = TypeVar("E", bound=Entry)
B = TypeVar("B", bound=BySymbol)
#: Returns the script's seconds: exchange time since it opened.
ScriptTime = Callable[[], float]


class Source:
    """An entry of a script with its own chance, and a count of its strikes.

    Attributes:
        entry: The entry.
        rng: Its source of chance.
    """

    def __init__(self, entry: Entry, rng: np.random.Generator) -> None:
        """Begin without a strike."""
        self.entry = entry
        self.rng = rng
        self._struck = 0

    @property
    def is_spent(self) -> bool:
        """Whether it struck as often as the entry allows."""
        times = self.entry.times if isinstance(self.entry, Counted) else None
        return times is not None and self._struck >= times

    def take(self) -> bool:
        """Count a strike; say no if there were as many as the entry allows."""
        if self.is_spent:
            return False
        self._struck += 1
        return True


def sources_of(script: FaultScript) -> list[Source]:
    """Return the entries of a script, each with a chance of its own."""
    return [
        Source(entry, np.random.default_rng([script.seed, index]))
        for index, entry in enumerate(script.entries)
    ]


def of_kind(sources: Iterable[Source], kind: type[E]) -> list[tuple[Source, E]]:
    """Return the sources of a kind, with their entries."""
    return [(source, source.entry) for source in sources if isinstance(source.entry, kind)]


def drawn(
    sources: Iterable[tuple[Source, B]], symbol: str, now_s: float
) -> Iterator[tuple[Source, B]]:
    """Draw which of `sources` strike something that happens to `symbol`, and count the strikes.

    Args:
        sources: Each whose time it is, and which concerns the symbol, draws once.
        symbol: Exchange name.
        now_s: The script's seconds.
    """
    for source, entry in sources:
        is_meant = entry.left_s(now_s) > 0 and entry.concerns_symbol(symbol)
        if is_meant and source.rng.random() < entry.rate and source.take():
            yield source, entry
