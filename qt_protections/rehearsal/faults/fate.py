"""What becomes of one request that a fault script may have struck."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar, Unpack

import numpy as np

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import actions, answers
from qt_protections.rehearsal.faults.entry import Counted, Entry
from qt_protections.rehearsal.faults.kinds import (
    Cancel,
    Latency,
    PositionLag,
    Refuse,
    Stale,
    Withdraw,
)
from qt_protections.rehearsal.faults.past_account import PastAccount
from qt_protections.rehearsal.journal import Facts
from qt_protections.rehearsal.venue import Venue

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way in.

    Attributes:
        method: HTTP method.
        path: With the leading slash.
        values: Decoded parameters.
        address: Where it comes from.
        payload: Query string followed by the body, as received.
        api_key: Value of the X-MBX-APIKEY header.
    """

    method: str
    path: str
    values: Mapping[str, str]
    address: str
    payload: str
    api_key: str | None

    @property
    def endpoint(self) -> str:
        """Method and path, such as `POST /fapi/v1/order`."""
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """The path behind `/fapi/`."""
        return self.path.removeprefix("/fapi/")


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

    def take(self) -> bool:
        """Count a strike; say no if there were as many as the entry allows."""
        times = self.entry.times if isinstance(self.entry, Counted) else None
        if times is not None and self._struck >= times:
            return False
        self._struck += 1
        return True


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that was drawn for a request.

    Attributes:
        source: The entry it came from.
        left_s: What is left of the entry's time, seconds.
        delay_s: How long the request or its answer is held up, seconds.
    """

    source: Source
    left_s: float
    delay_s: float = 0.0


class Fate:
    """Carries out the strikes drawn for a request, and writes down those that did anything.

    Attributes:
        call: The request.
    """

    def __init__(
        self, venue: Venue, past: PastAccount, call: Call, strikes: Sequence[Strike]
    ) -> None:
        """Await the request.

        Args:
            venue: The exchange.
            past: What the account held earlier.
            call: The request.
            strikes: What was drawn for it, in the order of the script.
        """
        self._venue = venue
        self._past = past
        self.call = call
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
            GatewayError: 502 or 504.
            NoAnswerError: If no answer comes.
        """
        address, now_ms = self.call.address, self._venue.now_ms
        for strike, entry in self._of(Entry):
            mishap = answers.before_execution(entry, address, now_ms, strike.left_s)
            if mishap is not None and strike.source.take():
                self._note(entry, f"not executed: {mishap}", **_coded(mishap))
                raise mishap

    def refusal(self) -> VenueError | None:
        """Return the refusal that was drawn for a request of good standing."""
        for strike, entry in self._of(Refuse):
            if strike.source.take():
                refusal = answers.refusal(entry)
                self._note(entry, f"not executed: {refusal}", **_coded(refusal))
                return refusal
        return None

    def account(self) -> AbstractContextManager[None]:
        """Return the context in which the account is what it is told to be."""
        for strike, entry in self._of(PositionLag):
            at_ms = self._venue.now_ms - entry.behind_ms
            if self._past.has_changed(at_ms) and strike.source.take():
                self._note(entry, f"answered as {entry.behind_ms} ms ago")
                return self._past.shown(at_ms)
        return nullcontext()

    def known(self, rows: list[object]) -> list[object]:
        """Return the orders of an answer without those that are too young to be known."""
        for strike, entry in self._of(Stale):
            since_ms = self._venue.now_ms - entry.unseen_ms
            hidden = [row for row in rows if _placed_ms(row) > since_ms]
            if hidden and strike.source.take():
                for row in hidden:
                    self._note(entry, f"unknown for {entry.unseen_ms} ms", **_named(row))
                rows = [row for row in rows if row not in hidden]
        return rows

    def conclude(self, content: object) -> None:
        """Do what follows the execution of a request that was answered with `content`.

        Raises:
            VenueError: -1000 or -1007.
            NoAnswerError: If no answer comes.
        """
        facts = _named(content)
        self._arrange(facts)
        for strike, entry in self._of(Entry):
            mishap = answers.after_execution(entry)
            if mishap is not None and strike.source.take():
                facts.update(_coded(mishap))
                self._note(entry, f"executed: {mishap}", **facts)
                raise mishap

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


def _coded(mishap: Exception) -> Facts:
    return {"code": mishap.code} if isinstance(mishap, VenueError) else {}


def _named(content: object) -> Facts:
    """Return the names the answer has for its order."""
    facts: Facts = {}
    if isinstance(content, dict):
        if "algoId" in content:
            facts["algo_id"] = content["algoId"]
        elif "orderId" in content:
            facts["order_id"] = content["orderId"]
        client_id = content.get("clientAlgoId", content.get("clientOrderId"))
        if client_id is not None:
            facts["client_id"] = client_id
    return facts


def _placed_ms(row: object) -> int:
    """Return when an order was placed, by the answer that tells of it."""
    if not isinstance(row, dict):
        return 0
    return int(row["createTime"] if "createTime" in row else row["time"])
