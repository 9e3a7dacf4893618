"""One pair of a made-up exchange: it does what it is asked, or fails as it was told to.

It keeps its own books of what the guard promises, and raises `PromiseBrokenError` the moment it
breaks one.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from qt_protections.rules.retry_policy import Outcome
from qt_protections.rules.stop_plan import LiveStop, tightest
from qt_protections.stops.venue.protocol import RequestError

T = TypeVar("T")

TICK = 1.0
PRICE = 10_000.0


class PromiseBrokenError(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The price moves just before a request is looked at, by so many ticks."""

    ticks: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """A request is turned away."""

    code: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Lose:
    """An answer is lost; the request is executed after so many further ones, or never."""

    after: int | None


@dataclass(frozen=True, slots=True)
class Vanish:
    """A stop is accepted, and rejected a moment later."""


Fault = Jump | Refuse | Lose | Vanish


@dataclass
class Exchange:
    """Position and stops of one side; amounts in lots, prices in ticks.

    Attributes:
        takes_before: Whether it takes a stop without a position.
        resting: What entries may still fill.
        faults: What happens to the next requests, one each.
        grudges: The same for those that send or cancel something; looks pass.
        late: Lost requests still on their way, and how many others they let pass.
        unseen: Whether anything happened since the keeper last looked.
        arriving: Whether a late request is at work.
        shaken: Whether anything happened since the last quiet moment that may cost the cover.
        floor: The trigger nothing may be looser than; None before the first.
        forgotten: Whether the keeper knows no more than it will see at its next look.
        passed: Whether the exchange said that the price had passed a trigger.
    """

    is_short: bool
    takes_before: bool
    price: float = PRICE
    position: int = 0
    resting: int = 0
    stops: dict[str, LiveStop] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    grudges: deque[Fault] = field(default_factory=deque)
    late: list[tuple[int, Callable[[], object]]] = field(default_factory=list)
    backwards: bool = False
    unseen: bool = False
    arriving: bool = False
    shaken: bool = False
    floor: float | None = None
    forgotten: bool = False
    passed: bool = False
    count: int = 0

    # What the keeper may ask

    def place(self, amount: float, trigger: float, name: str) -> None:
        """Take a stop."""
        self._send(lambda: self._take_stop(amount, trigger, name))

    def cancel(self, order_id: str) -> None:
        """Cancel a stop."""
        self._send(lambda: self._drop_stop(order_id))

    def close(self) -> None:
        """Close the position at market."""
        self._send(self._flatten)

    def enter(self, amount: int, at_once: int, *, covered: bool) -> None:
        """Take an entry, of which a part fills at once.

        Args:
            amount: What may fill, lots.
            at_once: What fills now.
            covered: Whether the keeper has seen to it that its stop stands.
        """
        self._send(lambda: self._take_entry(amount, at_once, covered))

    def cancel_entries(self) -> None:
        """Cancel what has not filled."""
        self._send(lambda: setattr(self, "resting", 0))

    def look(self) -> tuple[list[LiveStop], int, int]:
        """Return the stops, the position and what may still fill: three requests."""
        self.unseen = False
        stops = self._request(lambda: list(self.stops.values()))
        if self.forgotten:
            triggers = [stop.trigger for stop in stops]
            self.floor = tightest(self.is_short, *triggers) if triggers else None
        position = self._request(lambda: self.position)
        resting = self._request(lambda: self.resting)
        self.forgotten = False
        if position == 0 and resting == 0:
            self.floor = None
        return stops[::-1] if self.backwards else stops, position, resting

    def find(self, name: str) -> bool:
        """Whether a stop of this name stands."""
        return self._request(lambda: self.names.get(name) in self.stops)

    def stands(self, order_id: str) -> bool:
        """Whether a stop of this id stands."""
        return self._request(lambda: order_id in self.stops)

    def last_price(self) -> float:
        """Return the current price."""
        return self._request(lambda: self.price)

    # What happens by itself

    def move_price(self, ticks: int) -> None:
        """Move the price; stops it reaches fire, and reduce what there is."""
        self.unseen = True
        self.price = max(self.price + ticks, PRICE / 2)
        for stop in [stop for stop in self.stops.values() if self.has_passed(stop.trigger)]:
            del self.stops[stop.order_id]
            self.position = max(0, self.position - int(stop.amount))
            self.shaken = True

    def fill(self, amount: int) -> None:
        """Fill part of what rests."""
        amount = min(amount, self.resting)
        self.resting -= amount
        self.position += amount

    def add_stop(self, amount: int, trigger: float) -> None:
        """Somebody else places a stop, or an earlier run of the bot did."""
        if not self.has_passed(trigger):
            order_id = self.new_number()
            self.stops[order_id] = LiveStop(order_id, amount, trigger)

    def lose_stop(self, order_id: str) -> None:
        """Somebody else cancels a stop, or the exchange rejects it after all."""
        self.shaken = True
        del self.stops[order_id]

    # What is true

    @property
    def is_covered(self) -> bool:
        """Whether one stop covers the whole position."""
        return self.covers(self.position)

    def covers(self, amount: int) -> bool:
        """Whether one stop covers so much."""
        return amount == 0 or any(stop.amount >= amount for stop in self.stops.values())

    @property
    def is_calm(self) -> bool:
        """Whether looks tell the truth, and nothing is still on its way."""
        return not (self.faults or self.late)

    def has_passed(self, trigger: float) -> bool:
        """Whether a stop at this trigger would fire."""
        return self.price >= trigger if self.is_short else self.price <= trigger

    def is_looser(self, trigger: float, than: float) -> bool:
        """Whether a trigger lies further from the price."""
        return trigger > than if self.is_short else trigger < than

    def new_number(self) -> str:
        """Return a number nobody has used."""
        self.count += 1
        return str(self.count)

    # Requests

    def _send(self, action: Callable[[], object]) -> None:
        self._request(action, self.faults or self.grudges)

    def _request(self, action: Callable[[], T], faults: deque[Fault] | None = None) -> T:
        self._let_arrive()
        faults = self.faults if faults is None else faults
        fault = faults.popleft() if faults else None
        match fault:
            case Refuse(code, outcome):
                self.passed = self.passed or code in (-2021, -4142)
                raise RequestError("refused", outcome, code)
            case Lose(after):
                if after == 0:
                    self._act(action)
                elif after is not None:
                    self.late.append((after, action))
                raise RequestError("lost", Outcome.UNKNOWN)
            case Jump(ticks):
                self.move_price(ticks)
        before = set(self.stops)
        answer = action()
        if isinstance(fault, Vanish):
            for order_id in set(self.stops) - before:
                self.lose_stop(order_id)
        return answer

    def _let_arrive(self) -> None:
        waiting, self.late = self.late, []
        for left, action in waiting:
            if left > 1:
                self.late.append((left - 1, action))
            else:
                self.arriving = self.unseen = True
                self._act(action)
                self.arriving = False

    @staticmethod
    def _act(action: Callable[[], object]) -> None:
        with suppress(RequestError):  # nobody hears the answer
            action()

    def _take_stop(self, amount: float, trigger: float, name: str) -> None:
        if name in self.names:
            raise RequestError("client id taken", Outcome.REFUSED, -4116)
        if self.has_passed(trigger):
            self.passed = True
            raise RequestError("would trigger at once", Outcome.REFUSED, -2021)
        if self.position == 0 and not self.takes_before:
            raise RequestError("no position", Outcome.REFUSED, -2022)
        self._promise(trigger)
        order_id = self.names[name] = self.new_number()
        self.stops[order_id] = LiveStop(order_id, amount, trigger)

    def _promise(self, trigger: float) -> None:
        """Raise if a trigger is looser than the last, unless the price had passed that one."""
        if self.position == 0 and self.resting == 0:
            self.floor = None
        if self.floor is not None and not self.passed:
            if self.is_looser(trigger, self.floor):
                raise PromiseBrokenError(f"never looser: {trigger} after {self.floor}")
            trigger = tightest(self.is_short, trigger, self.floor)
        self.floor, self.passed = trigger, False

    def _drop_stop(self, order_id: str) -> None:
        if order_id not in self.stops:
            raise RequestError("unknown order", Outcome.REFUSED, -2011)
        was_covered = self.is_covered
        del self.stops[order_id]
        # What the keeper could not know when it looked is not its doing.
        excused = self.shaken if self.arriving else self.unseen
        if was_covered and not self.is_covered and not excused:
            raise PromiseBrokenError("make before break: the only cover was cancelled")

    def _flatten(self) -> None:
        if self.position == 0:
            raise RequestError("nothing to close", Outcome.REFUSED, -2022)
        self.position = 0

    def _take_entry(self, amount: int, at_once: int, covered: bool) -> None:
        if not covered:
            self.shaken = True
        elif not self.shaken and not self.covers(self.position + self.resting + amount):
            raise PromiseBrokenError("no stop, no entry")
        self.resting += amount
        self.fill(at_once)
