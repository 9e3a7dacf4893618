"""How many entries one symbol may hold at once."""

from dataclasses import dataclass

from qt_protections.rules.verdict import Denial, DenyCode


@dataclass(frozen=True, slots=True)
class StackingLimit:
    """Refuses the entry that would exceed the limit of its symbol.

    Attributes:
        max_positions: Entries a symbol may hold, filled and pending together, at least 1.
    """

    max_positions: int

    def check(self, held: int) -> Denial | None:
        """Judge one more entry on a symbol that already holds `held` of them."""
        if held < self.max_positions:
            return None
        return Denial(
            DenyCode.SYMBOL_FULL, f"Already at max {self.max_positions} positions for this symbol"
        )
