"""The guard's protections, asked after each analysis by a second, stock `ProtectionManager`."""

from collections import Counter
from datetime import UTC, datetime

from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry import locks
from qt_protections.entry.gates import Gates
from qt_protections.market.trends import Market
from qt_protections.protections.context import ProtectionContext
from qt_protections.rules.pairs import base_of
from qt_protections.settings import Settings


class ProtectionLocks:
    """Has the guard's protections lock what they want locked.

    Freqtrade asks protections only when a trade closes.
    """

    def __init__(
        self, strategy: IStrategy, settings: Settings, market: Market, gates: Gates, *, live: bool
    ) -> None:
        """Take what the protections may know.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            market: The trends.
            gates: Who knows the entries that a symbol holds.
            live: Whether orders reach an exchange, or a dry run's imitation of one.
        """
        # In a comparison of strategies the bot's configuration is not the strategy's own.
        self._bot_config = strategy.dp._config
        self._gates = gates
        self._context = ProtectionContext(settings, market, self._entries_held, live=live)
        self._held: Counter[str] | None = None
        self._manager: ProtectionManager | None = None

    def listed(self) -> list[dict[str, object]]:
        """Return the guard's entries of a strategy's `protections`."""
        return locks.protection_list(self._context, self._bot_config)

    def start(self) -> None:
        """Release the locks of an earlier run, and have the protections ready to be asked."""
        locks.release(datetime.now(UTC))
        self._manager = ProtectionManager(self._bot_config, self.listed())

    def ask(self, pairs: list[str], now: datetime) -> None:
        """Ask the protections for each pair whose symbol holds an entry.

        Args:
            pairs: Freqtrade's pairs.
            now: UTC.
        """
        if self._manager is None:
            return
        held = self._held = self._gates.entries_by_symbol()
        try:
            locks.ask(self._manager, [pair for pair in pairs if held[base_of(pair)]], now)
        finally:
            self._held = None

    def only_hold_rare_short(self, pair: str, until: datetime, side: str) -> bool:
        """Whether the regime's lock alone holds a pair, and the pair's short earns the exception.

        Freqtrade's locks know no exceptions, and a lock for each other pair would be too many.

        Args:
            pair: Freqtrade's pair.
            until: The moment (UTC) at which no other lock may stand.
            side: Freqtrade's word for the side of the signal.
        """
        return (
            side == "short"
            and locks.only_regime_locks(pair, until, side)
            and self._gates.short_passes(pair)
        )

    def _entries_held(self, pair: str) -> int:
        """Return the entries that a pair's symbol holds, counted once for a row of pairs."""
        return self._gates.entries_held(pair) if self._held is None else self._held[base_of(pair)]
