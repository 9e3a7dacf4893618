"""Naked gaps: which followed a stop that was hit before its entry filled, and a fault's share."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from benchmarks.never_naked.walk import Event

#: ccxt gives a request up after so long, unless it is told otherwise.
PATIENCE_MS = 10_000
ENTERED = frozenset({"opened_before_stop", "grew_beyond_stop"})
#: What a busy client may take between the stop's answer and the entry's request.
CLIENT_MS = 100
STOPS = frozenset({"STOP", "STOP_MARKET"})

_CUT = re.compile(r"connection cut after ([\d.]+) s")
_DOWN = re.compile(r"down for ([\d.]+) s")
_SHUT = re.compile(r"every request for ([\d.]+) s")
_DELAY = re.compile(r" (\d+) ms (?:before|after) execution")


class Gap(NamedTuple):
    """A time in which a position was naked: epoch milliseconds, and what the exchange calls it."""

    symbol: str
    side: str
    start_ms: int
    end_ms: int
    cause: str

    @property
    def ms(self) -> int:
        """Its length in milliseconds."""
        return self.end_ms - self.start_ms


class Span(NamedTuple):
    """A time in which a fault kept requests for a symbol (all if empty) from being answered."""

    symbol: str
    start_ms: float
    end_ms: float
    what: str

    def concerns(self, gap: Gap) -> bool:
        """Whether it lay over a gap of its symbol."""
        mine = self.symbol in {"", gap.symbol}
        return mine and self.start_ms < gap.end_ms and gap.start_ms < self.end_ms


class _Orders:
    """When entries were accepted and filled, and stops accepted and triggered."""

    def __init__(self) -> None:
        self._accepted_ms: dict[int, int] = {}
        self._filled: dict[tuple[str, str, int], int] = {}
        self._stops: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
        self._triggered_ms: dict[int, int] = {}

    def take(self, event: Event) -> None:
        """Take in the next event."""
        match event["kind"]:
            case "order_accepted":
                self._accepted_ms[event["order_id"]] = event["ms"]
            case "order_filled":
                self._filled[event["symbol"], event["side"], event["ms"]] = event["order_id"]
            case "stop_accepted" if event["type"] in STOPS and event.get("reduce_only"):
                self._stops[event["symbol"], event["side"]].append(event)
            case "stop_triggered":
                self._triggered_ms[event["algo_id"]] = event["ms"]

    def was_hit(self, gap: Gap, before_ms: float) -> bool:
        """Whether the newest stop was triggered at most `before_ms` before the entry came."""
        entry, closing = ("BUY", "SELL") if gap.side == "LONG" else ("SELL", "BUY")
        stops = self._stops[gap.symbol, closing]
        number = bisect_left(stops, gap.start_ms, key=lambda event: event["ms"])
        if not number:
            return False
        hit_ms = self._triggered_ms.get(stops[number - 1]["algo_id"])
        order_id = self._filled.get((gap.symbol, entry, gap.start_ms), -1)
        came_ms = self._accepted_ms.get(order_id, gap.start_ms)
        return hit_ms is not None and came_ms - before_ms <= hit_ms <= gap.start_ms


def gaps(report: dict[str, Any]) -> list[Gap]:
    """Return all naked gaps of a report of the exchange, one that lasts until the report."""
    return [
        Gap(
            position["symbol"],
            position["side"],
            gap["start_ms"],
            gap["start_ms"] + round(gap["seconds"] * 1000),
            gap["cause"],
        )
        for position in report["positions"]
        for gap in position["gaps"]
    ]


def hit_before_fill(found: Iterable[Gap], events: Iterable[Event], latency_ms: int) -> list[Gap]:
    """Return the gaps of entries whose stop was hit before their fill.

    Such a gap began with an entry's fill, and the newest stop that would have covered it had been
    triggered while that entry was on its way or rested: it was sent in time and consumed by the
    market, not missing. On its way is one round trip and a half and `CLIENT_MS`, until the
    exchange accepted the entry.

    Args:
        found: Naked gaps.
        events: The journal.
        latency_ms: Round trip.
    """
    seen = _Orders()
    for event in events:
        seen.take(event)
    before_ms = 1.5 * latency_ms + CLIENT_MS
    return [gap for gap in found if gap.cause in ENTERED and seen.was_hit(gap, before_ms)]


def blocks(events: Iterable[Event], latency_ms: int, patience_ms: int = PATIENCE_MS) -> list[Span]:
    """Return for each fault the time in which it kept a client from an answer.

    A request that was refused, or answered falsely, blocks for its own round trip; one that hangs
    until it is cut, or until the client's patience is over; a delayed one for as long as it was
    delayed; an exchange that is down, or that keeps an address out, until that is over. What
    happens to an order after its acceptance (a withdrawn stop) blocks nothing.

    Args:
        events: The journal.
        latency_ms: Round trip; the journal tells of a request half of it after it was sent.
        patience_ms: When the client gives up.
    """
    spans = []
    for event in events:
        if event["kind"] != "fault":
            continue
        lasts_ms = _lasts_ms(event["reason"], latency_ms, patience_ms)
        if lasts_ms is not None:
            what = f"{event['cause']}: {event['reason']}"
            start_ms = event["ms"] - latency_ms / 2
            spans.append(Span(event["symbol"], start_ms, event["ms"] + lasts_ms, what))
            if shut := _SHUT.search(event["reason"]):  # whoever heeds that asks nothing meanwhile
                spans.append(Span("", start_ms, event["ms"] + float(shut[1]) * 1000, what))
    return spans


def beyond_ms(gap: Gap, spans: Iterable[Span]) -> float:
    """Return how long a gap lasted without the times in which a fault blocked its symbol."""
    blocked, until = 0.0, float(gap.start_ms)
    for span in sorted((s for s in spans if s.concerns(gap)), key=lambda s: s.start_ms):
        start, end = max(span.start_ms, until), min(span.end_ms, gap.end_ms)
        if end > start:
            blocked += end - start
            until = end
    return gap.ms - blocked


def _lasts_ms(reason: str, latency_ms: int, patience_ms: int) -> float | None:
    if down := _DOWN.search(reason):
        return float(down[1]) * 1000
    if "/fapi/" not in reason:
        return None
    if cut := _CUT.search(reason):
        return min(float(cut[1]) * 1000, patience_ms - latency_ms / 2)
    delay = _DELAY.search(reason)
    return latency_ms / 2 + (0 if delay is None else int(delay[1]))
