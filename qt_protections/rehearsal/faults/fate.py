"""What becomes of one request that a fault script may have struck."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from math import isfinite
from typing import Literal, Unpack

from qt_protections.rehearsal.engine.orders import AlgoStatus, StillBirth
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import actions, answers
from qt_protections.rehearsal.faults.entry import EVERYTHING, Entry
from qt_protections.rehearsal.faults.kinds.order_life import Cancel, DeadOnArrival, Withdraw
from qt_protections.rehearsal.faults.kinds.requests import Ban, Firewall, Latency, Refuse, Unsure
from qt_protections.rehearsal.faults.kinds.stale_data import ListLag, Omit, PositionLag, Stale
from qt_protections.rehearsal.faults.rows import kept_rows, lists_of, names_of, placed_ms
from qt_protections.rehearsal.faults.source import E
from qt_protections.rehearsal.faults.strikes import Call, Past, Strike
from qt_protections.rehearsal.journal import Facts
from qt_protections.rehearsal.venue import Venue


class Fate:
    """Carries out the strikes drawn for a request, and writes down those that did anything.

    Attributes:
        call: The request.
        weight: Request weight it was charged; none if it was stopped before.
    """

    def __init__(self, venue: Venue, past: Past, call: Call, strikes: Sequence[Strike]) -> None:
        """Await the request.

        Args:
            venue: The exchange.
            past: What was a moment ago.
            call: The request.
            strikes: What was drawn for it, in the order of the script.
        """
        self._venue = venue
        self._past = past
        self.call = call
        self.weight = 0
        self._strikes = strikes

    def has(self, kind: type[Entry]) -> bool:
        """Say whether a fault of a kind was drawn for the request."""
        return any(True for _ in self._of(kind))

    def delay_s(self, when: Literal["before", "after"]) -> float:
        """Return how long the request, or its answer, is held up on the way, in seconds."""
        total_s = 0.0
        for strike, entry in self._of(Latency):
            if entry.when == when and strike.source.take():
                self._note(entry, f"{strike.delay_s * 1000:.0f} ms {when} execution")
                total_s += strike.delay_s
        return total_s

    def intercept(self) -> None:
        """Stop the request before the exchange sees it, if that was drawn.

        Raises:
            VenueError: -1003 or -1008.
            GatewayError: With the page of a gateway or a firewall.
            NoAnswerError: If no answer comes.
        """
        address, now_ms = self.call.address, self._venue.now_ms
        for strike, entry in self._of(Entry):
            mishap = answers.before_execution(entry, address, now_ms, strike.left_s)
            if mishap is not None and strike.source.take():
                what = f"not executed: {mishap}{_shut(entry, strike.left_s)}"
                self._note(entry, what, **_coded(mishap))
                raise mishap

    def refusal(self) -> VenueError | None:
        """Return the refusal that was drawn for a request of good standing."""
        for strike, entry in self._of(Refuse):
            if strike.source.take():
                refusal = answers.refusal(entry)
                self._note(entry, f"not executed: {refusal}", **_coded(refusal))
                return refusal
        return None

    def postpone(self, execute: Callable[[], object]) -> None:
        """Answer the request before it is executed, and have that done later, if that was drawn.

        Raises:
            VenueError: -1000 or -1007.
            NoAnswerError: If no answer comes.
        """
        for strike, entry in self._of(Unsure):
            after_ms, mishap = entry.executed_after_ms, answers.after_execution(entry)
            if after_ms is not None and mishap is not None and strike.source.take():
                self._note(entry, f"not executed for {after_ms} ms: {mishap}", **_coded(mishap))
                arrival = partial(self._arrive_late, entry, execute)
                self._venue.agenda.add(self._venue.now_ms + after_ms, arrival)
                raise mishap

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Let the exchange be for the request what the faults make of it."""
        with ExitStack() as stack:
            for context in (self._account(), self._lists(), self._stillborn()):
                stack.enter_context(context)
            yield

    def _account(self) -> AbstractContextManager[None]:
        for strike, entry in self._of(PositionLag):
            at_ms = self._venue.now_ms - entry.behind_ms
            if self._past.account.has_changed(at_ms) and strike.source.take():
                self._note(entry, f"answered as {entry.behind_ms} ms ago")
                return self._past.account.shown(at_ms)
        return nullcontext()

    def _lists(self) -> AbstractContextManager[None]:
        for strike, entry in self._of(ListLag):
            at_ms, orders = self._venue.now_ms - entry.behind_ms, self._past.orders
            if orders.has_changed(self.call.endpoint, at_ms) and strike.source.take():
                self._note(entry, f"answered as {entry.behind_ms} ms ago")
                return orders.shown(at_ms)
        return nullcontext()

    def _stillborn(self) -> AbstractContextManager[None]:
        for strike, entry in self._of(DeadOnArrival):
            if not strike.source.is_spent:
                expires = entry.outcome == "expire"
                status = AlgoStatus.EXPIRED if expires else AlgoStatus.REJECTED
                how = StillBirth(status, entry.reason, entry.told)
                return self._venue.conditional.stillborn(how)
        return nullcontext()

    def shortened(self, content: object) -> object:
        """Return an answer without the rows that are left out of its lists."""
        for strike, entry in self._of(Omit):
            rows = lists_of(content)
            kept = {name: kept_rows(part, strike.source, entry) for name, part in rows.items()}
            if kept != rows and strike.source.take():
                said, held = (sum(map(len, lists.values())) for lists in (kept, rows))
                self._note(entry, f"answered with {said} of {held} rows")
                content = content | kept if isinstance(content, dict) else kept[""]
        return content

    def known(self, rows: list[object]) -> list[object]:
        """Return the orders of an answer without those that are too young to be known."""
        for strike, entry in self._of(Stale):
            since_ms = self._venue.now_ms - entry.unseen_ms
            hidden = [row for row in rows if placed_ms(row) > since_ms]
            if hidden and strike.source.take():
                for row in hidden:
                    self._note(entry, f"unknown for {entry.unseen_ms} ms", **names_of(row))
                rows = [row for row in rows if row not in hidden]
        return rows

    def conclude(self, content: object) -> None:
        """Do what follows the execution of a request that was answered with `content`.

        Raises:
            VenueError: -1000 or -1007.
            NoAnswerError: If no answer comes.
        """
        facts = names_of(content)
        self._arrange(facts)
        self._tell_death(content, facts)
        for strike, entry in self._of(Entry):
            mishap = answers.after_execution(entry)
            if mishap is not None and strike.source.take():
                facts.update(_coded(mishap))
                self._note(entry, f"executed: {mishap}", **facts)
                raise mishap

    def _arrive_late(self, entry: Unsure, execute: Callable[[], object]) -> None:
        try:
            content = execute()
        except VenueError as refusal:
            self._note(entry, f"refused on its late arrival: {refusal}", code=refusal.code)
            return
        facts = names_of(content)
        self._arrange(facts)
        self._tell_death(content, facts)
        self._note(entry, "executed on its late arrival", **facts)

    def _tell_death(self, content: object, facts: Facts) -> None:
        for strike, entry in self._of(DeadOnArrival):
            if isinstance(content, dict) and not strike.source.is_spent:
                strike.source.take()
                self._note(entry, f"answered {content.get('algoStatus')}", **facts)
                return

    def _arrange(self, facts: Facts) -> None:
        venue = self._venue
        for strike, entry in self._of(Withdraw):
            if strike.source.take():
                algo = venue.conditional.algos[facts["algo_id"]]
                end = partial(actions.withdraw, venue, entry, algo)
                venue.agenda.add(venue.now_ms + entry.after_ms, end)
        for strike, cancel in self._of(Cancel):
            if cancel.after_ms is not None and strike.source.take():
                if "algo_id" in facts:
                    algo = venue.conditional.algos[facts["algo_id"]]
                    end = partial(actions.cancel_algo, venue, cancel, algo)
                else:
                    order = venue.desk.orders[facts["order_id"]]
                    end = partial(actions.cancel_order, venue, cancel, order)
                venue.agenda.add(venue.now_ms + cancel.after_ms, end)

    def _of(self, kind: type[E]) -> Iterator[tuple[Strike, E]]:
        for strike in self._strikes:
            if isinstance(strike.source.entry, kind):
                yield strike, strike.source.entry

    def _note(self, entry: Entry, what: str, **facts: Unpack[Facts]) -> None:
        symbol = self.call.values.get("symbol", "")
        actions.note(self._venue, entry, f"{self.call.endpoint} {what}", symbol, **facts)


def _shut(entry: Entry, left_s: float) -> str:
    """Say for how long an address is kept out altogether; nothing if it is not, or without end."""
    if not isinstance(entry, Ban | Firewall) or entry.patterns != EVERYTHING:
        return ""
    is_all = entry.rate == 1 and entry.times is None and entry.symbols is None
    return f" (every request for {left_s:.3f} s)" if is_all and isfinite(left_s) else ""


def _coded(mishap: Exception) -> Facts:
    return {"code": mishap.code} if isinstance(mishap, VenueError) else {}
