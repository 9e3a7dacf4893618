"""The account as it was a moment ago, for answers that lag behind."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from qt_protections.rehearsal.engine.account import Account, Position
from qt_protections.rehearsal.journal import Event, Journal


@dataclass(frozen=True, slots=True)
class Balance:
    """Wallet (USDT) and positions since `ms`, epoch milliseconds."""

    ms: int
    wallet: Decimal
    positions: dict[str, Position]


class PastAccount:
    """Remembers what the account held, as far back as answers may lag."""

    def __init__(self, account: Account, journal: Journal, keep_ms: int) -> None:
        """Begin to remember.

        Args:
            account: The account.
            journal: Tells when the account may have changed.
            keep_ms: How far back, milliseconds.
        """
        self._account = account
        self._keep_ms = keep_ms
        self._past = deque([self._present(0)])
        journal.subscribe(self._take)

    def has_changed(self, since_ms: int) -> bool:
        """Say whether the account held something else at `since_ms`, epoch milliseconds."""
        past, account = self._at(since_ms), self._account
        return (past.wallet, past.positions) != (account.wallet, account.positions)

    @contextmanager
    def shown(self, at_ms: int) -> Iterator[None]:
        """Let the account be what it was at `at_ms`, until the context ends."""
        account, past = self._account, self._at(at_ms)
        present = account.wallet, account.positions
        account.wallet, account.positions = past.wallet, past.positions
        try:
            yield
        finally:
            account.wallet, account.positions = present

    def _present(self, ms: int) -> Balance:
        return Balance(ms, self._account.wallet, dict(self._account.positions))

    def _take(self, event: Event) -> None:
        if self._past[-1].ms == event.ms:
            self._past.pop()
        self._past.append(self._present(event.ms))
        while len(self._past) > 1 and self._past[1].ms <= event.ms - self._keep_ms:
            self._past.popleft()

    def _at(self, ms: int) -> Balance:
        return next(balance for balance in reversed(self._past) if balance.ms <= ms)
