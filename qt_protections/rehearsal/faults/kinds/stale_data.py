"""Faults of what an answer tells: orders, lists and positions as they were, or in part."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from qt_protections.rehearsal.faults.entry import Milliseconds, OnEndpoints, OnRequests
from qt_protections.rehearsal.faults.kinds.endpoints import (
    CANCELS,
    HISTORIES,
    HOLDINGS,
    LISTS,
    LOOKUPS,
)


class Stale(OnEndpoints):
    """Lookups and cancels do not know an order that is younger than `unseen_ms`."""

    REACH = LOOKUPS + CANCELS
    USUAL = LOOKUPS
    kind: Literal["stale"]
    unseen_ms: Milliseconds


class Omit(OnEndpoints):
    """Lists are told without some of their rows.

    Attributes:
        share: Probability that a row is missing; 1 leaves an empty list.
    """

    REACH = HOLDINGS + LISTS + HISTORIES
    USUAL = HOLDINGS + LISTS
    kind: Literal["omit"]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    def concerns(self, endpoint: str, values: Mapping[str, str]) -> bool:
        """Say whether the fault strikes a list; `symbols` choose rows, not requests."""
        return self.reaches(endpoint)


class ListLag(OnEndpoints):
    """Lists of live orders are told as they were `behind_ms` ago."""

    REACH = USUAL = LISTS
    kind: Literal["list_lag"]
    behind_ms: Milliseconds


class PositionLag(OnRequests):
    """Positions and balances are told as they were `behind_ms` ago."""

    REACH = USUAL = HOLDINGS
    kind: Literal["position_lag"]
    behind_ms: Milliseconds
