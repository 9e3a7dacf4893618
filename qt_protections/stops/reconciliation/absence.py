"""Evidence that the exchange holds nothing of a pair: two lists that agree, and for a while.

One list that does not show a position proves nothing. Lists lag behind fills, and have come back
empty or in part. A reduce-only stop on a flat account costs nothing, a missing one the account.
"""

import logging
from collections import Counter
from collections.abc import Collection
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.stops.venue.protocol import RequestError, Venue

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which both lists have to agree. Lags of 25 s have been rehearsed; nothing is lost by
#: waiting longer.
AGREE_S = 60.0
#: How many answers have to agree, at least.
_AGREE_TIMES = 3
#: The same beyond the time in which a lost entry may still arrive.
_BEYOND_ARRIVAL_S = 10.0


class Absence:
    """Remembers for how long two endpoints have not shown a position."""

    def __init__(self, venue: Venue) -> None:
        """Take the exchange."""
        self._venue = venue
        self._since: dict[str, float] = {}
        self._agreed: Counter[str] = Counter()
        self._shown: Collection[str] = ()
        self._also_shown: Collection[str] | None = None
        self._is_silent = False

    def see(self, shown: Collection[str]) -> None:
        """Take in a new answer: the pairs the list of positions shows."""
        self._shown, self._also_shown, self._is_silent = shown, None, False
        for pair in shown:
            self._begin_anew(pair)

    def is_proven(self, pair: str) -> bool:
        """Whether both lists have not shown a pair since long enough.

        The second one is asked only for a pair that the first does not show.
        """
        if pair in self._shown or self.may_be_shown(pair):
            self._begin_anew(pair)
            return False
        self._agreed[pair] += 1
        since = self._since.setdefault(pair, monotonic())
        # Two answers may stand on either side of an outage.
        return monotonic() - since > self.needed_s and self._agreed[pair] >= _AGREE_TIMES

    def may_be_shown(self, pair: str) -> bool:
        """Whether the second list shows a pair, or may: without an answer there is no evidence.

        It is asked once for each answer of the first, also if it cannot be had.
        """
        if self._also_shown is None and not self._is_silent:
            try:
                self._also_shown = self._venue.account_positions()
            except RequestError as error:
                self._is_silent = True
                logger.warning("Could not ask for the account's positions: %s", error)
        return self._also_shown is None or pair in self._also_shown

    def _begin_anew(self, pair: str) -> None:
        self._since.pop(pair, None)
        self._agreed.pop(pair, None)

    @property
    def needed_s(self) -> float:
        """Seconds for which both lists have to agree."""
        return max(AGREE_S, self._venue.arrives_within_s + _BEYOND_ARRIVAL_S)
