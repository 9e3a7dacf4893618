"""Random journals, and the slow verdict on them: every state recomputed from the first event on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from qt_protections.rehearsal.journal import Event, EventKind, Journal
from qt_protections.rehearsal.market.book import Side

#: Whose, from when and to when (epoch milliseconds), how much.
Span = tuple[Any, int, int, Decimal]
#: A conditional order: symbol, side, type, size (None: the whole position), reduce-only.
Placed = tuple[str, Side, str, int | None, bool]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
TYPES = ("STOP_MARKET", "STOP", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
PLAIN_ENDS = (
    EventKind.STOP_CANCELED,
    EventKind.STOP_WITHDRAWN,
    EventKind.STOP_EXPIRED,
    EventKind.STOP_REFUSED_AT_TRIGGER,
)
#: What is done, after how many milliseconds, in which symbol, how much, and a choice for it.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "stop", "stop", "end", "hit", "settle", "refuse", "fund"]),
        st.integers(0, 3),
        st.sampled_from([SYMBOLS[0], SYMBOLS[0], *SYMBOLS]),
        st.integers(1, 4),
        st.integers(0, 11),
    ),
    min_size=8,
    max_size=40,
)


@dataclass
class Writer:
    """Writes a journal as an exchange would: nothing crosses zero, nothing ends twice."""

    journal: Journal = field(default_factory=lambda: Journal(1_000))
    amounts: Counter[str] = field(default_factory=Counter)
    live: dict[int, Placed] = field(default_factory=dict)
    working: dict[int, tuple[Placed, bool]] = field(default_factory=dict)
    ids: int = 0

    def write(self, steps: list[tuple[str, int, str, int, int]]) -> list[Event]:
        """Return the events of the steps."""
        for step, wait_ms, symbol, size, choice in steps:
            self.journal.now_ms += wait_ms
            getattr(self, f"_{step}")(symbol, size, choice)
        return list(self.journal.events)

    def _trade(self, symbol: str, signed: int, choice: int, algo_id: int | None = None) -> None:
        held = self.amounts[symbol]
        closing = min(abs(held), abs(signed)) if held * signed < 0 else 0
        self.ids += 1
        for part in (closing, abs(signed) - closing):
            if part:
                self.amounts[symbol] += part if signed > 0 else -part
                self.journal.add(
                    EventKind.ORDER_FILLED,
                    symbol,
                    side=Side.BUY if signed > 0 else Side.SELL,
                    order_id=self.ids,
                    quantity=Decimal(part),
                    price=Decimal(95 + choice),
                    cause="market" if algo_id is None else "stop",
                    fee=Decimal("0.5"),
                    realized=Decimal(choice - 6) if part == closing else Decimal(0),
                    margin=Decimal(abs(self.amounts[symbol])),
                    **({} if algo_id is None else {"algo_id": algo_id}),
                )

    def _buy(self, symbol: str, size: int, choice: int) -> None:
        self._trade(symbol, size, choice)

    def _sell(self, symbol: str, size: int, choice: int) -> None:
        self._trade(symbol, -size, choice)

    def _stop(self, symbol: str, size: int, choice: int) -> None:
        self.ids += 1
        side = Side.SELL if choice % 3 else Side.BUY
        type_ = TYPES[0 if choice < 8 else choice - 8]
        quantity = None if choice % 5 == 4 else size
        self.live[self.ids] = (symbol, side, type_, quantity, choice != 7)
        self._log(EventKind.STOP_ACCEPTED, self.ids, self.live[self.ids])

    def _end(self, _symbol: str, size: int, choice: int) -> None:
        if self.live:
            number = list(self.live)[choice % len(self.live)]
            self._log(PLAIN_ENDS[size - 1], number, self.live.pop(number))

    def _hit(self, _symbol: str, size: int, choice: int) -> None:
        if not self.live:
            return
        number = list(self.live)[choice % len(self.live)]
        placed = self.live.pop(number)
        symbol, side, _, quantity, reduce_only = placed
        self._log(EventKind.STOP_TRIGGERED, number, placed)
        held = self.amounts[symbol]
        wanted = abs(held) if quantity is None else quantity
        if reduce_only:
            wanted = min(wanted, abs(held)) if held * side.sign < 0 else 0
        filled = min(wanted, size)
        for part in (filled - filled // 2, filled // 2):
            if part:
                self._trade(symbol, part * side.sign, choice, number)
        self._log(EventKind.STOP_RELEASED, number, placed)
        self.working[number] = (placed, filled < wanted)

    def _settle(self, _symbol: str, _size: int, _choice: int) -> None:
        for number, (placed, has_rest) in self.working.items():
            if has_rest:
                self.journal.add(EventKind.ORDER_EXPIRED, placed[0], algo_id=number)
            self._log(EventKind.STOP_FINISHED, number, placed)
        self.working.clear()

    def _refuse(self, symbol: str, size: int, choice: int) -> None:
        self.journal.add(EventKind.STOP_REJECTED, symbol, type=TYPES[choice % 4], code=-2020 - size)

    def _fund(self, symbol: str, size: int, _choice: int) -> None:
        self.journal.add(EventKind.FUNDING, symbol, fee=Decimal(size))

    def _log(self, kind: EventKind, number: int, placed: Placed) -> None:
        symbol, side, type_, quantity, reduce_only = placed
        self.journal.add(
            kind,
            symbol,
            side=side,
            type=type_,
            algo_id=number,
            client_id=f"c-{number}",
            quantity=None if quantity is None else Decimal(quantity),
            price=None if type_ == TYPES[3] else Decimal(90 + number % 7),
            reduce_only=reduce_only,
        )


HISTORIES = STEPS.map(lambda steps: Writer().write(steps))


@dataclass
class State:
    """The exchange after some events: positions (number, signed size), live stops, who met one."""

    positions: dict[str, tuple[int, Decimal]]
    stops: dict[int, Event]
    met: set[int]

    def uncovered(self, number: int) -> Decimal:
        """Return the naked size of position `number`, zero if it is not there."""
        amount, completing = self._cover(number)
        return max(amount, Decimal(0)) if completing is None else Decimal(0)

    def completing(self, number: int) -> Event | None:
        """Return the stop that completes the cover of position `number`."""
        return self._cover(number)[1]

    def orphans(self) -> dict[int, bool]:
        """Return the orphans, and whether each is left over."""
        return {
            number: number in self.met
            for number, stop in self.stops.items()
            if stop.reduce_only and not self._meets(stop)
        }

    def _meets(self, stop: Event) -> bool:
        _, amount = self.positions.get(stop.symbol, (0, Decimal(0)))
        return amount * (1 if stop.side == "BUY" else -1) < 0

    def _cover(self, number: int) -> tuple[Decimal, Event | None]:
        for symbol, (own, signed) in self.positions.items():
            if own == number:
                left = abs(signed)
                for stop in self.stops.values():
                    stops = stop.type in TYPES[:2] and stop.reduce_only and stop.symbol == symbol
                    if stops and self._meets(stop):
                        left -= left if stop.quantity is None else stop.quantity
                        if left <= 0:
                            return left, stop
                return left, None
        return Decimal(0), None


def state_after(events: list[Event]) -> State:
    """Return the state that all of these events led to."""
    state, opened = State({}, {}, set()), 0
    for event in events:
        if event.kind is EventKind.ORDER_FILLED and event.quantity is not None:
            number, signed = state.positions.pop(event.symbol, (0, Decimal(0)))
            opened += number == 0
            signed += event.quantity * (1 if event.side == "BUY" else -1)
            if signed:
                state.positions[event.symbol] = (number or opened, signed)
        elif event.kind is EventKind.STOP_ACCEPTED and event.algo_id is not None:
            state.stops[event.algo_id] = event
        elif event.kind in {*PLAIN_ENDS, EventKind.STOP_RELEASED}:
            state.stops.pop(event.algo_id or 0, None)
        state.met |= {number for number, stop in state.stops.items() if state._meets(stop)}
    return state


def moments(events: list[Event], now_ms: int) -> Iterator[tuple[int, int, State]]:
    """Yield from when to when which state stood."""
    times = [*sorted({event.ms for event in events if event.ms < now_ms}), now_ms]
    for since_ms, until_ms in pairwise(times):
        yield since_ms, until_ms, state_after([e for e in events if e.ms <= since_ms])


def runs(spans: list[Span]) -> list[Span]:
    """Return the spans with those that follow on each other joined, and their largest size."""
    joined: list[Span] = []
    for key, since_ms, until_ms, size in spans:
        before = next((run for run in joined if run[0] == key and run[2] == since_ms), None)
        if before is None:
            joined.append((key, since_ms, until_ms, size))
        else:
            joined[joined.index(before)] = (key, before[1], until_ms, max(before[3], size))
    return joined
