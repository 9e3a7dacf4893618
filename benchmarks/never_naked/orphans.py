"""Conditional orders that protect nothing: neither a position nor an entry that still rests."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from benchmarks.never_naked.walk import ZERO, Event

ENDS = frozenset(
    {
        "stop_canceled",
        "stop_expired",
        "stop_withdrawn",
        "stop_released",
        "stop_finished",
        "stop_refused_at_trigger",
    }
)
ORDER_ENDS = frozenset({"order_canceled", "order_expired"})

_LOOP = re.compile(
    r"^(\S+ [\d:]+,\d{3}) - freqtrade\.worker - DEBUG - Throttling with '_process_running\(\)'.*"
    r"last iteration took ([\d.]+) s",
    re.MULTILINE,
)


class Spell(NamedTuple):
    """A time in which an order protected nothing, epoch milliseconds."""

    symbol: str
    client_id: str
    start_ms: int
    end_ms: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ms - self.start_ms) / 1000


class Loop(NamedTuple):
    """One loop of the bot, without the sleep that follows, epoch milliseconds."""

    start_ms: int
    end_ms: int


def loops(log: str) -> list[Loop]:
    """Return the loops a verbose log tells of; its times are this machine's, as the exchange's."""
    found = []
    for moment, seconds in _LOOP.findall(log):
        naive = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007  the log's
        end_ms = round(naive.astimezone().timestamp() * 1000)
        found.append(Loop(end_ms - round(float(seconds) * 1000), end_ms))
    return found


def outlived_a_loop(spells: Iterable[Spell], bot_loops: Iterable[Loop]) -> list[Spell]:
    """Return the spells in which a whole loop of the bot passed, from its begin to its end."""
    done = list(bot_loops)
    return [
        spell
        for spell in spells
        if any(loop.start_ms >= spell.start_ms and loop.end_ms < spell.end_ms for loop in done)
    ]


@dataclass
class _Symbol:
    name: str
    amount: Decimal = ZERO
    resting: dict[int, str] = field(default_factory=dict)
    filled: dict[int, Decimal] = field(default_factory=dict)
    live: dict[int, Event] = field(default_factory=dict)
    since: dict[int, int] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)

    def take(self, event: Event) -> None:
        kind = event["kind"]
        if kind == "order_accepted" and not event.get("reduce_only"):
            self.resting[event["order_id"]] = event["side"]
            self.filled[event["order_id"]] = -Decimal(event["quantity"])
        elif kind == "order_filled":
            self._fill(event)
        elif kind in ORDER_ENDS:
            self.resting.pop(event["order_id"], None)
        elif kind == "stop_accepted" and event.get("reduce_only"):
            self.live[event["algo_id"]] = event
        elif kind in ENDS:
            stop = self.live.pop(event["algo_id"], None)
            if stop is not None:
                self._end(stop, event["ms"])

    def settle(self, ms: int) -> None:
        """Judge what stands at the end of a millisecond."""
        for algo_id, stop in self.live.items():
            if self._protects(stop["side"]):
                self._end(stop, ms)
            else:
                self.since.setdefault(algo_id, ms)

    def close(self, ms: int) -> list[Spell]:
        for stop in self.live.values():
            self._end(stop, ms)
        return self.spells

    def _fill(self, event: Event) -> None:
        order_id, quantity = event["order_id"], Decimal(event["quantity"])
        self.amount += quantity if event["side"] == "BUY" else -quantity
        if order_id in self.resting:
            self.filled[order_id] += quantity
            if self.filled[order_id] >= 0:
                del self.resting[order_id]

    def _protects(self, side: str) -> bool:
        """Whether an order of that side has a position, or an entry, to protect."""
        holds = self.amount > 0 if side == "SELL" else self.amount < 0
        return holds or any(entry != side for entry in self.resting.values())

    def _end(self, stop: Event, ms: int) -> None:
        since = self.since.pop(stop["algo_id"], None)
        if since is not None and ms > since:
            self.spells.append(Spell(self.name, stop.get("client_id", ""), since, ms))


def spells(events: Iterable[Event], now_ms: int) -> list[Spell]:
    """Return every time a reduce-only conditional order protected nothing, until `now_ms`.

    A stop that goes ahead of its entry does so for the round trip between the two.
    """
    symbols: dict[str, _Symbol] = {}
    for ms, moment in groupby(events, key=lambda event: event["ms"]):
        touched = set()
        for event in moment:
            if event["symbol"]:
                symbols.setdefault(event["symbol"], _Symbol(event["symbol"])).take(event)
                touched.add(event["symbol"])
        for name in touched:
            symbols[name].settle(ms)
    return [spell for symbol in symbols.values() for spell in symbol.close(now_ms)]
