"""Locks the pairs of a symbol that holds as many entries as it may."""

from datetime import datetime
from typing import Any

from freqtrade.constants import Config, LongShort
from freqtrade.plugins.protections import IProtection, ProtectionReturn

from qt_protections.protections.context import context_of
from qt_protections.rules.pairs import base_of
from qt_protections.rules.stacking import StackingLimit


class QtSymbolStacking(IProtection):
    """Per-pair lock of both sides; position adjustments meet the same limit at the entry door."""

    has_global_stop = False
    has_local_stop = True

    def __init__(self, config: Config, protection_config: dict[str, Any]) -> None:
        super().__init__(config, protection_config)
        self._context = context_of(protection_config)
        self._limit = StackingLimit(self._context.settings.max_positions_per_symbol)

    def short_desc(self) -> str:
        """Describe the rule for the start-up message."""
        limit = self._limit.max_positions
        return f"{self.name} - " + (
            f"At most {limit} positions per symbol." if limit else "Off: any number per symbol."
        )

    def global_stop(
        self, date_now: datetime, side: LongShort, starting_balance: float
    ) -> ProtectionReturn | None:
        """Answer None: one symbol's fill says nothing of the others."""
        return None

    def stop_per_pair(
        self, pair: str, date_now: datetime, side: LongShort, starting_balance: float
    ) -> ProtectionReturn | None:
        """Lock the pair until the next candle while its symbol is full."""
        if not self._context.live:
            return None
        denial = self._limit.check(self._context.entries_held(pair))
        if denial is None:
            return None
        reason = (
            f"{self.name}: {base_of(pair)} holds {self._limit.max_positions} positions, its max"
        )
        return ProtectionReturn(lock=True, until=date_now, reason=reason)
