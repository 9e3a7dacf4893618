"""What is remembered of a refusal, and when it is asked for again."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.entry.standing_refusals import LONGEST_S, StandingRefusals
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.exposure import Exposure

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HELD = Exposure("SOL/USDT:USDT", is_short=False, amount=2.0, entry=100.0, stop=98.0)
FULL = deny(DenyCode.SYMBOL_FULL, "Already at max 2", limit=2)


class World:
    """Everything a refusal may depend on, to be changed by hand."""

    def __init__(self, candle_s: float = 60.0) -> None:
        self.versions = {BTC: 1, ETH: 1}
        self.held = [HELD]
        self.balance = (9_900.0, 10_000.0)
        self.now_s = 0.0
        self.reads = 0
        self.refusals = StandingRefusals(
            self.versions.__getitem__,
            self._held,
            lambda: self.balance,
            candle_s,
            lambda: self.now_s,
        )

    def _held(self) -> list[Exposure]:
        self.reads += 1
        return list(self.held)

    def refuse(self, pair: str = BTC, denial: Denial = FULL, *, is_short: bool = False) -> None:
        """Ask for a signal, and refuse it."""
        question = self.refusals.question(pair, is_short=is_short)
        self.refusals.remember(question, denial)

    def stands(self, pair: str = BTC, *, is_short: bool = False) -> bool:
        """Look in the next loop."""
        self.refusals.read_anew()
        return self.refusals.stands(pair, is_short=is_short)


def _hold(**changes: Any) -> Callable[[World], object]:
    return lambda world: setattr(world, "held", [HELD._replace(**changes)])


#: Every way in which one input becomes another one, or unknown.
CHANGES: dict[str, Callable[[World], object]] = {
    "candle": lambda world: world.versions.update({BTC: 2}),
    "no candle": lambda world: world.versions.pop(BTC, None),
    "amount": _hold(amount=1.0),
    "average": _hold(entry=101.0),
    "stop": _hold(stop=99.0),
    "entries": _hold(entries=2),
    "owner": _hold(is_foreign=True),
    "closed": lambda world: world.held.clear(),
    "opened": lambda world: world.held.append(HELD._replace(pair=ETH)),
    "balance": lambda world: setattr(world, "balance", (9_900.0, 10_200.0)),
    "equity": lambda world: setattr(world, "balance", (9_700.0, 10_000.0)),
    "unknown balance": lambda world: setattr(world, "balance", (9_900.0, math.nan)),
}


def test_what_was_never_refused_does_not_stand() -> None:
    """Each side of each pair is a signal of its own."""
    world = World()
    world.refuse(BTC)
    assert world.stands(BTC)
    assert not world.stands(BTC, is_short=True)
    assert not world.stands(ETH)


@pytest.mark.parametrize("what", CHANGES)
def test_any_input_that_differs_ends_it(what: str) -> None:
    """One is enough, and one that cannot be read counts as different."""
    world = World()
    world.refuse()
    CHANGES[what](world)
    assert not world.stands()


@pytest.mark.parametrize(
    ("now", "stands"),
    [
        ((9_890.1984168207, 9_990.099410929999), True),
        ((9_799.0, 9_990.0), True),
        ((9_700.0, 9_990.0), False),
        ((9_890.0, 10_200.0), False),
    ],
)
def test_a_balance_moves_with_the_prices_of_what_is_held(
    now: tuple[float, float], stands: bool
) -> None:
    """Up to a hundredth that is no difference."""
    world = World()
    world.balance = (9_890.1984168207, 9_990.09941093)
    world.refuse()
    world.balance = now
    assert world.stands() is stands


@pytest.mark.parametrize(("candle_s", "lasts_s"), [(60.0, 60.0), (86_400.0, LONGEST_S)])
def test_it_lasts_a_candle_or_some_minutes(candle_s: float, lasts_s: float) -> None:
    """Looking does not make it last: nobody reads the balance while it stands."""
    world = World(candle_s)
    world.refuse()
    world.now_s = lasts_s - 1.0
    assert world.stands()
    world.now_s = lasts_s
    assert not world.stands()


def test_what_changes_while_the_rules_are_asked_is_a_difference() -> None:
    """The inputs are those from before."""
    world = World()
    question = world.refusals.question(BTC, is_short=False)
    world.held.clear()
    world.refusals.remember(question, FULL)
    assert not world.stands()


def test_an_entry_that_went_out_in_the_same_loop_is_seen() -> None:
    """A signal that is asked for may change what is held, for the pairs after it."""
    world = World()
    world.refuse(BTC)
    assert world.refusals.stands(BTC, is_short=False)
    world.refusals.question(ETH, is_short=False)
    world.held.append(HELD._replace(pair=ETH))
    assert not world.refusals.stands(BTC, is_short=False)


def test_what_is_held_is_read_once_a_loop() -> None:
    """However many refusals stand."""
    world = World()
    for pair in (BTC, ETH):
        world.refuse(pair)
    world.refusals.read_anew()
    world.reads = 0
    assert all(world.refusals.stands(pair, is_short=False) for pair in (BTC, ETH, BTC))
    assert world.reads == 1


def test_the_memory_is_bounded() -> None:
    """Pairs that left the pairlist are forgotten."""
    world = World()
    for count in range(1_000):
        world.versions[str(count)] = 1
        world.refuse(str(count))
        world.now_s += 1.0
    assert len(world.refusals._refused) <= 60


def test_an_error_remembers_nothing_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once until it works again."""
    world = World()
    world.refuse()
    for _ in range(2):
        for _ in range(3):
            version = world.versions.pop(BTC)
            assert not world.stands()
            world.refuse()
            world.versions[BTC] = version
        assert world.stands(), "what was known before is true again"
    assert len([line for line in caplog.messages if "no memory of them" in line]) == 2


#: Which refusals stand while nothing but the price changes; all of them, so that a new one is
#: thought about.
STANDS = {
    DenyCode.SHORT_IN_UPTREND: True,
    DenyCode.SHORT_REGIME_UNKNOWN: True,
    DenyCode.SYMBOL_FULL: True,
    DenyCode.PAIR_LOCKED: False,
    DenyCode.AVERAGING_DOWN: False,
    DenyCode.OPEN_RISK_FULL: True,
    DenyCode.GROUP_RISK_FULL: True,
    DenyCode.STAKE_TOO_SMALL: True,
    DenyCode.NO_EQUITY: True,
    DenyCode.STOP_INVALID: False,
    DenyCode.STOP_UNKNOWN: True,
    DenyCode.SPREAD_UNKNOWN: False,
    DenyCode.FEE_UNKNOWN: False,
    DenyCode.STOP_BEYOND_LIQUIDATION: True,
    DenyCode.BRACKETS_UNKNOWN: False,
    DenyCode.STOP_REFUSED: False,
    DenyCode.TOO_MANY_STOPS: False,
    DenyCode.CLOCK_SKEW: False,
    DenyCode.ENTRY_UNSETTLED: False,
    DenyCode.TRADE_CLOSED: False,
    DenyCode.PAIR_TAKEN: False,
    DenyCode.GATE_FAILED: False,
}


@pytest.mark.parametrize("code", sorted(set(DenyCode) - {DenyCode.STOP_TOO_CLOSE}))
def test_what_may_pass_by_itself_is_never_remembered(code: DenyCode) -> None:
    """Prices, clocks, markets and orders change at any moment."""
    world = World()
    world.refuse(denial=deny(code, ""))
    assert world.stands() is STANDS[code]


@pytest.mark.parametrize(("why", "stands"), [("fees", True), ("spread", False)])
def test_a_stop_within_the_fees_stays_there(why: str, stands: bool) -> None:
    """And one within the spread does not."""
    facts = {"stop": 99.95, "entry": 100.0, "distance": 0.0005, why: 0.001}
    world = World()
    world.refuse(denial=deny(DenyCode.STOP_TOO_CLOSE, "", **facts))
    assert world.stands() is stands


def _rule(world: World, pair: str) -> Denial | None:
    """Judge by all inputs, and by nothing else: each of them counts."""
    mixed = hash((pair, world.versions.get(pair), tuple(world.held), world.balance))
    return None if mixed % 3 == 0 else FULL


def _pass(world: World, seconds: float) -> None:
    world.now_s += seconds


STEPS = {
    **CHANGES,
    "as before": lambda world: vars(world).update(
        held=[HELD], balance=(9_900.0, 10_000.0), now_s=world.now_s + 1.0
    ),
    "the first candle": lambda world: world.versions.update({BTC: 1}),
    "seconds": lambda world: _pass(world, 20.0),
    "a minute": lambda world: _pass(world, 60.0),
}


@given(st.lists(st.sampled_from([*STEPS, "loop"]), max_size=80))
def test_a_remembered_answer_is_the_one_of_asking_anew(steps: list[str]) -> None:
    """Whatever the rules make of their inputs, and however those change between the loops."""
    world = World()
    asked: list[tuple[object, float]] = []
    for step in steps:
        if step != "loop":
            STEPS[step](world)
            continue
        world.refusals.read_anew()
        for pair in (BTC, ETH):
            inputs = pair, world.versions.get(pair), tuple(world.held), world.balance
            denial = _rule(world, pair)
            if world.refusals.stands(pair, is_short=False):
                assert pair in world.versions
                assert denial == FULL, "asked anew, the rules refuse as well"
                assert any(each == inputs and world.now_s - at < 60.0 for each, at in asked)
                continue
            question = world.refusals.question(pair, is_short=False)
            if denial is not None:
                world.refusals.remember(question, denial)
                asked.append((inputs, world.now_s))
