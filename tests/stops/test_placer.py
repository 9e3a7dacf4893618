"""The steps that follow when an order that protects is refused, or nobody answers."""

from math import inf

import pytest

from qt_protections.rules.retry_policy import Outcome, Purpose, Refusal, Step, pause_s
from qt_protections.rules.stop_plan import RequiredStop
from qt_protections.stops.placer import Placer, Unplaced
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.venue.protocol import CcxtOrder, CloseOrder, StopOrder, TrailingOrder
from tests.stops.paper import BTC, LOST, Paper, refusal

LONG, SHORT = RequiredStop(False, 1.0, 98.0), RequiredStop(True, 1.0, 102.0)


class Desk:
    """A placer on an exchange on paper, which notes its pauses instead of waiting."""

    def __init__(self) -> None:
        self.paper = Paper()
        self.pauses: list[float] = []
        self.placer = Placer(self.paper, Namer("test", "sqlite://"), self.pauses.append)

    def stop(
        self,
        need: RequiredStop = LONG,
        purpose: Purpose = Purpose.STOP_OF_POSITION,
        until: float = inf,
    ) -> tuple[float, tuple[str, ...]]:
        """Place a stop; return its trigger and the steps it took."""
        order = StopOrder(BTC, need.is_short, need.amount, need.trigger, 10.0)
        placed = self.placer.stop(order, purpose, until)
        return placed.stop.trigger, placed.steps

    @property
    def names(self) -> list[str]:
        """The client ids of the stops that stand."""
        return [order["clientOrderId"] for order in self.paper.live()]


@pytest.fixture
def desk() -> Desk:
    """A placer without a position."""
    return Desk()


def test_a_stop_that_is_taken_takes_one_request(desk: Desk) -> None:
    """And no steps."""
    assert desk.stop() == (98.0, ())
    assert desk.paper.asked == ["place_stop"]


@pytest.mark.parametrize(
    ("need", "price", "trigger"), [(LONG, 97.6, 97.55), (SHORT, 102.4, 102.46)]
)
def test_a_passed_stop_is_put_beyond_the_price_once(
    desk: Desk, need: RequiredStop, price: float, trigger: float
) -> None:
    """0.05 %, in whole steps away from the price."""
    desk.paper.prices[BTC] = price
    at, steps = desk.stop(need)
    assert at == pytest.approx(trigger)
    assert any("-2021" in step for step in steps)
    assert any("re-priced" in step for step in steps)


@pytest.mark.parametrize(("need", "price"), [(LONG, 97.0), (SHORT, 103.0)])
def test_a_stop_that_is_passed_by_far_is_given_up(
    desk: Desk, need: RequiredStop, price: float
) -> None:
    """More is lost than was planned: the position is to be closed, not to be stopped later."""
    desk.paper.prices[BTC] = price
    with pytest.raises(Unplaced) as unplaced:
        desk.stop(need)
    assert (unplaced.value.step, unplaced.value.refusal) == (
        Step.GIVE_UP,
        Refusal.PRICE_PASSED,
    )
    assert desk.paper.sent("place_stop") == 1


@pytest.mark.parametrize("status", ["rejected", "expired"])
def test_a_stop_that_is_dead_on_arrival_is_none(desk: Desk, status: str) -> None:
    """The exchange answers with success, and the order it tells of has ended."""
    desk.paper.dead_on_arrival.append(status)
    assert desk.stop() == (98.0, ("REFUSED: again",))
    assert [order["status"] for order in desk.paper.stops.values()] == [status, "open"]
    first, second = (order["clientOrderId"] for order in desk.paper.stops.values())
    assert first != second


def test_stops_that_are_dead_on_arrival_are_given_up(desk: Desk) -> None:
    """Before an entry at once: nothing is at stake yet."""
    desk.paper.dead_on_arrival.append("rejected")
    with pytest.raises(Unplaced, match="rejected at once"):
        desk.stop(purpose=Purpose.STOP_BEFORE_ENTRY)


def test_no_try_begins_after_its_deadline(desk: Desk) -> None:
    """Whatever the exchange answers, or does not."""
    desk.paper.before["place_stop"].extend([refusal(-1008, Outcome.NOT_EXECUTED)] * 9)
    with pytest.raises(Unplaced) as unplaced:
        desk.stop(until=0.0)
    assert unplaced.value.unanswered
    assert desk.paper.sent("place_stop") == 1


def test_a_stop_passed_twice_is_given_up(desk: Desk) -> None:
    """What follows is the manager's to do: to close."""
    desk.paper.before["place_stop"].extend([refusal(-2021)] * 2)
    with pytest.raises(Unplaced) as unplaced:
        desk.stop()
    assert (unplaced.value.step, unplaced.value.refusal) == (
        Step.REPRICE,
        Refusal.PRICE_PASSED,
    )
    assert desk.paper.sent("place_stop") == 2


def test_a_price_that_has_turned_moves_no_stop_closer(desk: Desk) -> None:
    """It was a wick: the stop goes where it belongs."""
    desk.paper.before["place_stop"].append(refusal(-2021))
    assert desk.stop()[0] == 98.0


def test_before_its_entry_a_passed_stop_ends_it(desk: Desk) -> None:
    """The signal is stale."""
    desk.paper.prices[BTC] = 97.0
    with pytest.raises(Unplaced) as unplaced:
        desk.stop(purpose=Purpose.STOP_BEFORE_ENTRY)
    assert unplaced.value.step is Step.GIVE_UP
    assert desk.paper.sent("place_stop") == 1


@pytest.mark.parametrize(
    ("failures", "asked"),
    [
        ([LOST], ["place_stop", "find_stop"]),
        ([refusal(-1007, Outcome.UNKNOWN)], ["place_stop", "find_stop"]),
    ],
)
def test_a_lost_answer_is_asked_for_not_sent_again(
    desk: Desk, failures: list[Exception], asked: list[str]
) -> None:
    """The order stands under its name."""
    desk.paper.after["place_stop"].extend(failures)  # type: ignore[arg-type]
    desk.stop()
    assert desk.paper.asked == asked
    assert len(desk.names) == 1


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_EXECUTED])
def test_what_was_not_executed_is_sent_again_under_its_name(desk: Desk, outcome: Outcome) -> None:
    """Were the first still to arrive, the second would be refused."""
    names = []
    place = desk.paper.place_stop

    def note(order: StopOrder, client_id: str) -> CcxtOrder:
        names.append(client_id)
        return place(order, client_id)

    desk.paper.place_stop = note  # type: ignore[method-assign]
    desk.paper.before["place_stop"].append(refusal(-1008, outcome))
    desk.stop()
    assert len(names) == 2
    assert names[0] == names[1]


def test_a_late_arrival_is_taken_for_what_it_is(desk: Desk) -> None:
    """It was lost, not found, and stands when it is sent again."""
    desk.paper.after["place_stop"].append(LOST)
    desk.paper.before["find_stop"].append(LOST)
    desk.stop()
    assert len(desk.names) == 1
    assert desk.paper.asked == ["place_stop", "find_stop", "place_stop", "find_stop"]


def test_one_that_was_taken_and_rejected_is_no_find(desk: Desk) -> None:
    """It is sent again."""
    place = desk.paper.place_stop

    def reject(order: StopOrder, client_id: str) -> CcxtOrder:
        taken = place(order, client_id)
        if desk.paper.sent("place_stop") == 1:
            desk.paper.stops[taken["id"]]["status"] = "rejected"
            raise LOST
        return taken

    desk.paper.place_stop = reject  # type: ignore[method-assign]
    desk.stop()
    assert len(desk.names) == 1


@pytest.mark.parametrize("purpose", [Purpose.STOP_OF_POSITION, Purpose.STOP_BEFORE_ENTRY])
def test_silence_ends_after_the_last_pause(desk: Desk, purpose: Purpose) -> None:
    """And whether it stands is then unknown."""
    desk.paper.before["place_stop"].extend([LOST] * 20)
    with pytest.raises(Unplaced) as unplaced:
        desk.stop(purpose=purpose)
    assert unplaced.value.step is Step.GIVE_UP
    assert unplaced.value.unanswered
    wanted = [pause_s(purpose, tries) for tries in range(1, len(desk.pauses) + 1)]
    assert desk.pauses == wanted
    assert pause_s(purpose, len(desk.pauses) + 1) is None


@pytest.mark.parametrize("code", [-2007, -1102])
def test_a_refused_trailing_stop_says_for_how_long(desk: Desk, code: int) -> None:
    """For this pair it is no use to ask again."""
    desk.paper.before["place_trailing"].append(refusal(code))
    with pytest.raises(Unplaced) as unplaced:
        desk.placer.trailing(TrailingOrder(BTC, False, 1.0, 1.5, 101.0))
    assert unplaced.value.step is Step.DISABLE


def test_a_passed_activation_price_is_left_out(desk: Desk) -> None:
    """It trails from now."""
    desk.paper.before["place_trailing"].append(refusal(-2021))
    desk.placer.trailing(TrailingOrder(BTC, False, 1.0, 1.5, 101.0))
    (trail,) = desk.paper.live()
    assert trail["activation"] is None


def test_a_close_is_repeated_for_longest(desk: Desk) -> None:
    """-2022 or -4118 pass when the exchange has caught up."""
    desk.paper.size[BTC] = 1.0
    desk.paper.before["close"].extend([refusal(-2022), refusal(-4118), LOST])
    order = desk.placer.close(CloseOrder(BTC, False, 1.0, 10.0))
    assert order["filled"] == 1.0
    assert desk.paper.size[BTC] == 0.0


def test_a_close_of_nothing_ends(desk: Desk) -> None:
    """Nothing is left to close; the position is looked at elsewhere."""
    with pytest.raises(Unplaced) as unplaced:
        desk.placer.close(CloseOrder(BTC, False, 1.0, 10.0))
    assert unplaced.value.refusal is Refusal.NO_POSITION
    assert len(desk.pauses) == 4
