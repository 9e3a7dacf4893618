"""How far the clocks are apart, on clocks moved by hand."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue.binance.server_clock import ServerClock
from qt_protections.stops.venue.protocol import RequestError


@dataclass
class Clocks:
    """This machine's two clocks, and the exchange's at the end of a wire."""

    wall: float = 1_800_000_000.0
    mono: float = 50.0
    server: float = 1_800_000_000.0
    #: Seconds there and back, of each request to come; the last one stays.
    trips: list[tuple[float, float]] = field(default_factory=lambda: [(0.01, 0.01)])
    asked: int = 0
    is_down: bool = False

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.wall += seconds
        self.mono += seconds
        self.server += seconds

    def read(self) -> float:
        """Ask the exchange."""
        self.asked += 1
        if self.is_down:
            self.pass_(1.5)
            raise RequestError("no answer in time", Outcome.UNKNOWN)
        there, back = self.trips.pop(0) if len(self.trips) > 1 else self.trips[0]
        self.pass_(there)
        told = self.server
        self.pass_(back)
        return told

    def clock(self) -> ServerClock:
        """Return what measures them."""
        return ServerClock(self.read, lambda: self.wall, lambda: self.mono)


trip = st.floats(0.0, 1.5)
#: The exchange tells whole milliseconds, and a float of now has lost some digits.
GRAIN_S = 0.001 + 1e-6


@given(
    ahead=st.floats(-1e5, 1e5),
    trips=st.lists(st.tuples(trip, trip), min_size=1, max_size=4),
    later=st.floats(0.0, 1e4),
)
def test_the_difference_is_right_to_the_quickest_round_trip(
    ahead: float, trips: list[tuple[float, float]], later: float
) -> None:
    """However slow the others are."""
    clocks = Clocks(trips=[*trips])
    clocks.wall += ahead
    clock = clocks.clock()
    begun, asked = clocks.mono, clocks.asked
    assert clock.measure()
    seen = ([*trips] + [trips[-1]] * 3)[: clocks.asked - asked]
    quickest = min(there + back for there, back in seen)
    assert abs(clock.ahead_s - ahead) <= quickest + GRAIN_S
    # No reading begins after half a second.
    assert clocks.mono - begun <= 0.5 + 3.0
    clocks.pass_(later)
    assert abs(clock.now_s() - clocks.server) <= quickest + GRAIN_S
    assert not clock.has_stepped


@given(
    there=trip,
    back=trip,
    ahead=st.floats(-1e5, 1e5),
)
def test_a_slow_answer_does_not_move_a_clock_that_it_agrees_with(
    there: float, back: float, ahead: float
) -> None:
    """On a busy machine half a round trip is a second: a stamp that far ahead is refused."""
    clocks = Clocks(trips=[(0.0, 0.0)])
    clocks.wall += ahead
    clock = clocks.clock()
    assert clock.measure()
    known = clock.ahead_s
    clocks.pass_(600)
    clocks.trips = [(there, back)]
    assert clock.measure()
    assert clock.ahead_s == pytest.approx(known, abs=1e-3)


@given(there=st.floats(0.2, 1.5), back=st.floats(0.2, 1.5))
def test_a_right_clock_stays_right_when_the_first_answers_are_slow(
    there: float, back: float
) -> None:
    """Nothing is known yet, and the difference may as well be none."""
    clock = Clocks(trips=[(there, back)]).clock()
    assert clock.measure()
    assert clock.is_known
    assert clock.ahead_s == 0


@given(step=st.floats(-1e5, 1e5))
def test_a_step_is_seen_and_measured_at_once(step: float) -> None:
    """Even if the last measurement was just now; a failed one does not try for ever."""
    clocks = Clocks()
    clock = clocks.clock()
    clock.measure()
    clocks.wall += step
    if abs(step) < 0.49:
        assert not clock.has_stepped
        return
    if abs(step) < 0.51:
        return
    assert clock.has_stepped
    assert clock.measure()
    assert abs(clock.ahead_s - step) < 0.02
    clocks.wall -= step
    clocks.is_down = True
    assert clock.has_stepped
    assert not clock.measure()
    assert not clock.has_stepped
    assert clock.is_due


def test_refusals_do_not_make_a_flood_of_readings() -> None:
    """Weight is short when everything is refused."""
    clocks = Clocks()
    clock = clocks.clock()
    assert clock.measure()
    asked = clocks.asked
    for _ in range(50):
        clock.measure()
        clocks.pass_(0.01)
    assert clocks.asked == asked
    clocks.pass_(1.0)
    assert clock.measure()


def test_it_is_due_every_ten_minutes() -> None:
    """And at once while unknown."""
    clocks = Clocks()
    clock = clocks.clock()
    assert clock.is_due
    clock.measure()
    assert not clock.is_due
    clocks.pass_(601)
    assert clock.is_due


def test_one_reading_is_enough() -> None:
    """When the second fails, the first counts."""
    clocks = Clocks()
    clocks.wall += 7
    clock = ServerClock(lambda: _once(clocks), lambda: clocks.wall, lambda: clocks.mono)
    assert clock.measure()
    assert abs(clock.ahead_s - 7) < 0.02


def _once(clocks: Clocks) -> float:
    told = clocks.read()
    if clocks.asked > 1:
        raise RequestError("connection lost", Outcome.UNKNOWN)
    return told


@pytest.mark.parametrize(("ahead", "alerts"), [(-6.0, 1), (-2.0, 0), (0.2, 0), (2.0, 0), (6.0, 1)])
def test_a_wrong_clock_is_said_once(
    ahead: float, alerts: int, caplog: pytest.LogCaptureFixture
) -> None:
    """With [ALERT] from 5 s on: the machine's clock has to be set."""
    clocks = Clocks()
    clocks.wall += ahead
    clock = clocks.clock()
    for _ in range(3):
        clocks.pass_(600)
        clock.measure()
    side = "behind" if ahead < 0 else "ahead of"
    text = f"This machine's clock is {abs(ahead):.1f} s {side} the exchange's"
    assert caplog.text.count(text) == (abs(ahead) > 0.5)
    assert caplog.text.count(f"[ALERT] {text}") == alerts
