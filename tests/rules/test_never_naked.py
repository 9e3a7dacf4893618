"""I1, I2 and I4 over random lives of a position: covered, make before break, never looser.

The rules decide, the smallest keeper there can be carries out, and a made-up exchange fails it in
every way the real one can: it raises the moment the only cover is cancelled or a trigger loosened.
"""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from qt_protections.rules.retry_policy import Outcome
from qt_protections.rules.stop_plan import LiveStop, RequiredStop, StopPlan, covered, plan
from qt_protections.stops.venue.protocol import RequestError
from tests.rules.model_exchange import (
    Exchange,
    Fault,
    Jump,
    Lose,
    PromiseBrokenError,
    Refuse,
    Vanish,
)
from tests.rules.model_keeper import Decide, Keeper
from tests.rules.test_retry_policy import TABLE

#: How many looks it takes to come to rest once nothing fails any more.
MOST_LOOKS = 12

LOTS = st.integers(1, 4)
TICKS = st.integers(1, 300)
MOVES = st.one_of(st.integers(-400, 400), st.integers(-8, 8))
CODES = st.one_of(st.sampled_from(sorted(TABLE)), st.none(), st.integers(-9999, -1))
FAULTS: st.SearchStrategy[Fault] = st.one_of(
    st.builds(Refuse, CODES, st.sampled_from([Outcome.REFUSED, Outcome.NOT_EXECUTED])),
    st.builds(Lose, st.sampled_from([None, 0, 1, 2, 5])),
    st.builds(Jump, MOVES),
    st.just(Vanish()),
)


class Life(RuleBasedStateMachine):
    """What happens to one pair, in any order."""

    decide: Decide = staticmethod(plan)

    exchange: Exchange
    keeper: Keeper

    @initialize(is_short=st.booleans(), takes_before=st.booleans())
    def begin(self, is_short: bool, takes_before: bool) -> None:
        """Start flat."""
        self.exchange = Exchange(is_short, takes_before)
        self.keeper = Keeper(self.exchange, self.decide)
        self.quiet = False

    # What goes wrong

    @precondition(lambda self: len(self.exchange.faults) < 8)
    @rule(faults=st.lists(FAULTS, min_size=1, max_size=4))
    def fail(self, faults: list[Fault]) -> None:
        """The next requests fail."""
        self.exchange.faults.extend(faults)
        self.quiet = False

    @precondition(lambda self: not self.exchange.grudges)
    @rule(code=CODES, times=st.integers(5, 25))
    def refuse_stubbornly(self, code: int | None, times: int) -> None:
        """The exchange says no for as long as the keeper has patience, and longer."""
        self.exchange.grudges.extend([Refuse(code, Outcome.REFUSED)] * times)
        self.quiet = False

    @precondition(lambda self: not self.exchange.grudges)
    @rule(faults=st.lists(FAULTS, min_size=1, max_size=4), exposed=st.booleans())
    def fail_to_send(self, faults: list[Fault], exposed: bool) -> None:
        """What is sent next fails or is lost; perhaps just when every stop has gone."""
        self.exchange.grudges.extend(faults)
        if exposed:
            self._lose_all()
        self.quiet = False

    @precondition(lambda self: self.exchange.position and self.keeper.trigger is not None)
    @rule(ticks=st.integers(0, 20))
    def run_through(self, ticks: int) -> None:
        """The price runs through where the stop should be, and the stop has gone before."""
        self._lose_all()
        away = self.exchange.price - self.keeper.trigger
        self.exchange.move_price(round(-away) + (ticks if self.exchange.is_short else -ticks))
        self.quiet = False

    @rule(ticks=MOVES)
    def move_price(self, ticks: int) -> None:
        """The price moves, perhaps through the stop."""
        self.exchange.move_price(ticks)
        self.quiet = False

    @rule()
    def list_in_another_order(self) -> None:
        """The exchange promises no order of its lists."""
        self.exchange.backwards = not self.exchange.backwards

    @precondition(lambda self: self.exchange.stops)
    @rule(data=st.data())
    def cancel_by_somebody(self, data: st.DataObject) -> None:
        """A stop is cancelled behind the keeper's back, or rejected after acceptance."""
        self.exchange.lose_stop(data.draw(st.sampled_from(sorted(self.exchange.stops))))
        self.quiet = False

    @rule(amount=LOTS, ticks=TICKS)
    def stop_by_somebody(self, amount: int, ticks: int) -> None:
        """A stop appears that the keeper did not place."""
        self.exchange.add_stop(amount, self._beyond(ticks))
        self.quiet = False

    @rule()
    def crash(self) -> None:
        """The keeper forgets everything; the exchange does not."""
        if not self.keeper.before:
            self.exchange.shaken = True  # an entry may wait without its stop
        self.keeper = Keeper(self.exchange, self.decide)
        self.exchange.forgotten = True
        self.quiet = False

    # What the strategy does

    @rule(amount=LOTS, filled=st.integers(0, 4), ticks=TICKS)
    def enter(self, amount: int, filled: int, ticks: int) -> None:
        """A first or a further entry, filled in part or whole; its stop anywhere."""
        self.quiet = False
        with suppress(RequestError):  # what became of it shows at the next look
            self.keeper.enter(amount, filled, self._beyond(ticks))

    @rule(amount=LOTS)
    def enter_by_somebody(self, amount: int) -> None:
        """A position the keeper did not see coming, and without a stop."""
        self.exchange.shaken = True
        self.exchange.position += amount
        self.quiet = False

    @precondition(lambda self: self.exchange.resting)
    @rule(amount=LOTS)
    def fill(self, amount: int) -> None:
        """A waiting entry fills, in part or whole."""
        if not self.keeper.before:
            self.exchange.shaken = True
        self.exchange.fill(amount)
        self.quiet = False

    @precondition(lambda self: self.exchange.resting)
    @rule()
    def entry_dies(self) -> None:
        """What has not filled never will."""
        self.exchange.resting = 0
        self.quiet = False

    @precondition(lambda self: self.exchange.position)
    @rule(amount=st.one_of(LOTS, st.just(99)))
    def exit(self, amount: int) -> None:
        """A partial or a full exit."""
        self.exchange.position = max(0, self.exchange.position - amount)
        self.quiet = False

    @precondition(lambda self: self.exchange.position)
    @rule(ticks=MOVES)
    def move_stop(self, ticks: int) -> None:
        """The strategy wants the stop elsewhere: tighter, looser, or where the price has been."""
        self.quiet = False
        with suppress(RequestError):  # the old one stands; the strategy asks again
            self.keeper.move(self._beyond(ticks))

    # What is promised

    @rule()
    def poll(self) -> None:
        """The keeper acts until nothing is left to do: it must come to rest."""
        faults = len(self.exchange.faults) + len(self.exchange.grudges)
        for _ in range(faults + MOST_LOOKS):
            self.exchange.passed = False
            try:
                rests = self.keeper.step()
            except RequestError:
                rests = False
            if rests and self.exchange.is_calm and not self.exchange.unseen:
                self.quiet, self.exchange.shaken = True, False
                return
        raise AssertionError("never comes to rest")

    @invariant()
    def covered(self) -> None:
        """I1: nothing but what happened since the last rest can leave a position uncovered."""
        assert self.exchange.is_covered or self.exchange.shaken

    @invariant()
    def tidy(self) -> None:
        """At rest a position has exactly one stop, a flat account without entries none."""
        if self.quiet:
            needed = self.exchange.position or (self.exchange.resting and self.keeper.before)
            assert len(self.exchange.stops) == (1 if needed else 0)

    def teardown(self) -> None:
        """Whatever happened, it ends well."""
        if hasattr(self, "exchange"):
            self.poll()
            self.covered()
            self.tidy()

    def _lose_all(self) -> None:
        for order_id in list(self.exchange.stops):
            self.exchange.lose_stop(order_id)

    def _beyond(self, ticks: int) -> float:
        return self.exchange.price + (ticks if self.exchange.is_short else -ticks)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def breaks_before_it_makes(need: RequiredStop | None, standing: Sequence[LiveStop]) -> StopPlan:
    """Cancel first, as Freqtrade does."""
    todo = plan(need, standing)
    if todo.place is not None and standing:
        return StopPlan(cancel=tuple(stop.order_id for stop in standing))
    return todo


def loosens(need: RequiredStop | None, standing: Sequence[LiveStop]) -> StopPlan:
    """Follow the strategy wherever it wants the stop."""
    if need is None:
        return plan(need, standing)
    there = [stop for stop in standing if stop.trigger == need.trigger and covered(need, (stop,))]
    if not there:
        return StopPlan(place=need)
    return StopPlan(cancel=tuple(stop.order_id for stop in standing if stop is not there[-1]))


def leaves_leftovers(need: RequiredStop | None, standing: Sequence[LiveStop]) -> StopPlan:
    """Clear nothing up."""
    return StopPlan(place=plan(need, standing).place)


def takes_two_halves(need: RequiredStop | None, standing: Sequence[LiveStop]) -> StopPlan:
    """Believe that any stop will do."""
    return StopPlan() if need is not None and standing else plan(need, standing)


@pytest.mark.parametrize(
    ("broken", "told_by"),
    [
        (breaks_before_it_makes, "make before break|no stop, no entry"),
        (loosens, "never looser"),
        (leaves_leftovers, "len"),
        (takes_two_halves, "covered|len"),
    ],
)
def test_broken_rules_are_found_out(broken: Decide, told_by: str) -> None:
    """The machine can fail: each broken rule breaks the promise it should."""

    class BrokenLife(Life):
        decide = staticmethod(broken)

    few = settings(
        max_examples=3000,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError, match=told_by):
        run_state_machine_as_test(BrokenLife, settings=few)


def test_cancelling_first_is_told_as_such() -> None:
    """The plainest case: a stop is to move, and the old one goes before the new one stands."""
    exchange = Exchange(is_short=False, takes_before=True)
    keeper = Keeper(exchange, breaks_before_it_makes)
    keeper.enter(2, 2, exchange.price - 100)
    with pytest.raises(PromiseBrokenError, match="make before break"):
        keeper.move(exchange.price - 50)
