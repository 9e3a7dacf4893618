"""Which rows of a history a request gets: by time, by number, and not too many."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.errors import VenueError

T = TypeVar("T")
WEEK_MS = 7 * 86_400_000
MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a history.

    Attributes:
        limit: Most rows.
        start_ms: Earliest time, epoch milliseconds, inclusive.
        end_ms: Latest time, epoch milliseconds, inclusive.
        first_id: Lowest number.
        number: Which page, from 1 on: the first of those that follow each other from a start, or
            go back from the latest row.
    """

    limit: int
    start_ms: int | None = None
    end_ms: int | None = None
    first_id: int | None = None
    number: int = 1

    def select(
        self, rows: Iterable[T], time_of: Callable[[T], int], id_of: Callable[[T], int]
    ) -> list[T]:
        """Return the rows of the page, oldest first.

        These are the first ones if a start or a lowest number was given, otherwise the latest.

        Args:
            rows: The history, oldest first.
            time_of: Returns a row's time, epoch milliseconds.
            id_of: Returns a row's number.
        """
        found = [
            row
            for row in rows
            if (self.start_ms is None or time_of(row) >= self.start_ms)
            and (self.end_ms is None or time_of(row) <= self.end_ms)
            and (self.first_id is None or id_of(row) >= self.first_id)
        ]
        forward = self.start_ms is not None or self.first_id is not None
        skipped = (self.number - 1) * self.limit
        if forward:
            return found[skipped : skipped + self.limit]
        last = max(len(found) - skipped, 0)
        return found[max(last - self.limit, 0) : last]


def asked_page(
    params: Params,
    id_name: str | None,
    *,
    default: int = 500,
    most: int = MAX_ROWS,
    week: bool = True,
) -> Page:
    """Read the page a request asks for.

    Args:
        params: The request's parameters.
        id_name: Name of the parameter with the lowest number, None if there is none.
        default: Rows if no limit is sent.
        most: Most rows, whatever the limit.
        week: Whether start and end may lie at most 7 days apart.

    Raises:
        VenueError: -1130 for a limit below 1, -4165 for times too far apart or reversed.
    """
    start_ms, end_ms = params.maybe_integer("startTime"), params.maybe_integer("endTime")
    limit = params.maybe_integer("limit")
    if limit is not None and limit < 1:
        raise VenueError(-1130, "Data sent for parameter 'limit' is not valid.")
    if start_ms is not None and end_ms is not None:
        length_ms = end_ms - start_ms
        if length_ms < 0 or (week and length_ms > WEEK_MS):
            raise VenueError(-4165)
    first_id = None if id_name is None else params.maybe_integer(id_name)
    return Page(min(default if limit is None else limit, most), start_ms, end_ms, first_id)
