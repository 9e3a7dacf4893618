"""The naked gaps of one position: when they began and ended, why, and what became of them."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.verdict.position_report import Gap, GapCause, GapEnd, GapTotal

KEPT_GAPS = 100
CAUSES: dict[EventKind, GapCause] = {
    EventKind.STOP_CANCELED: GapCause.CANCELED,
    EventKind.STOP_WITHDRAWN: GapCause.WITHDRAWN,
    EventKind.STOP_EXPIRED: GapCause.EXPIRED,
    EventKind.STOP_REFUSED_AT_TRIGGER: GapCause.REFUSED,
    EventKind.STOP_RELEASED: GapCause.REST,
    EventKind.STOP_FINISHED: GapCause.REST,
}


@dataclass(slots=True)
class OpenGap:
    """A gap that lasts: its start in epoch milliseconds, its cause, its largest size."""

    start_ms: int
    cause: GapCause
    uncovered: Decimal


@dataclass(slots=True)
class Gaps:
    """Follows the uncovered size of a position, and takes note of it when a millisecond is over.

    Attributes:
        opened_ms: First fill of the position, epoch milliseconds.
        uncovered: Base units without stops after the latest event.
    """

    opened_ms: int
    uncovered: Decimal = ZERO
    _cause: GapCause = GapCause.OPENED
    _remedy: GapEnd = GapEnd.ACCEPTED
    _refusals: dict[str, int] = field(default_factory=dict)
    _open: OpenGap | None = None
    _past: deque[Gap] = field(default_factory=lambda: deque(maxlen=KEPT_GAPS))
    _past_ms: dict[GapCause, list[int]] = field(default_factory=dict)

    def weigh(self, uncovered: Decimal, event: Event) -> None:
        """Take in the uncovered size (base units) that `event` left."""
        if uncovered and not self.uncovered:
            self._cause = self._cause_of(event)
            if self._open is None:
                self._refusals = {}
        elif self.uncovered and not uncovered:
            accepted = event.kind is EventKind.STOP_ACCEPTED
            self._remedy = GapEnd.ACCEPTED if accepted else GapEnd.REDUCED
        self.uncovered = uncovered

    def refuse(self, refusal: str) -> None:
        """Count a refused stop request, if there is a gap."""
        if self.uncovered:
            self._refusals[refusal] = self._refusals.get(refusal, 0) + 1

    def settle(self, ms: int) -> None:
        """Take note of what stands at the end of the millisecond `ms`."""
        if not self.uncovered:
            self._end(ms, self._remedy)
        elif self._open is None:
            self._open = OpenGap(ms, self._cause, self.uncovered)
        else:
            self._open.uncovered = max(self._open.uncovered, self.uncovered)

    def close(self, event: Event) -> None:
        """End with the position's last fill; one that sheds its rest in parts ends only there."""
        covered = not self.uncovered and self._remedy is GapEnd.ACCEPTED
        self._end(event.ms, GapEnd.ACCEPTED if covered else GapEnd.CLOSED, event.cause)

    def naked_ms(self, now_ms: int) -> int:
        """Return the milliseconds of all gaps until `now_ms`."""
        lasting = 0 if self._open is None else now_ms - self._open.start_ms
        return lasting + sum(ms for _, ms in self._past_ms.values())

    def by_cause(self, now_ms: int) -> dict[GapCause, GapTotal]:
        """Return number and seconds of all gaps by cause, until `now_ms`."""
        totals = {cause: (gaps, ms) for cause, (gaps, ms) in self._past_ms.items()}
        if self._open is not None:
            gaps, ms = totals.get(self._open.cause, (0, 0))
            totals[self._open.cause] = (gaps + 1, ms + now_ms - self._open.start_ms)
        return {cause: GapTotal(gaps=n, seconds=ms / 1000) for cause, (n, ms) in totals.items()}

    def latest(self, now_ms: int) -> list[Gap]:
        """Return the latest gaps, oldest first, the one that lasts until `now_ms`."""
        lasting = [] if self._open is None else [self._gap(self._open, now_ms)]
        return [*self._past, *lasting]

    def _cause_of(self, event: Event) -> GapCause:
        if event.kind in CAUSES:
            return CAUSES[event.kind]
        return GapCause.OPENED if event.ms == self.opened_ms else GapCause.GREW

    def _gap(self, gap: OpenGap, end_ms: int) -> Gap:
        return Gap(
            start_ms=gap.start_ms,
            seconds=(end_ms - gap.start_ms) / 1000,
            uncovered_qty=float(gap.uncovered),
            cause=gap.cause,
            refusals=dict(self._refusals),
        )

    def _end(self, ms: int, ended_by: GapEnd, exit_cause: str | None = None) -> None:
        if self._open is None:
            return
        gap = self._gap(self._open, ms)
        gap.end_ms, gap.ended_by = ms, ended_by
        gap.exit = exit_cause if ended_by is GapEnd.CLOSED else None
        self._past.append(gap)
        total = self._past_ms.setdefault(gap.cause, [0, 0])
        total[0] += 1
        total[1] += ms - self._open.start_ms
        self._open = None
        self._refusals = {}
