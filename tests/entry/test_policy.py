"""What Freqtrade asks of an entry before its order: which stake, which refusal, and who hears."""

from collections.abc import Callable
from math import isnan, nan

import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import Trade

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]
FORCED = "force_entry"
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


def full(make: Make, runmode: RunMode = RunMode.DRY_RUN) -> Desk:
    """Return a desk whose BTC holds as many entries as it may."""
    made = make(runmode, max_positions_per_symbol=1)
    made.hold()
    return made


# Whether an entry goes on


@LIVE_AND_TEST
def test_an_entry_that_no_rule_objects_to_goes_on(desk: Make, runmode: RunMode) -> None:
    """Nobody who looks on hears of a decision yet: the stake is still to be judged."""
    made = desk(runmode)
    assert made.passes()
    assert made.decisions == []


@LIVE_AND_TEST
def test_a_refused_entry_ends_and_is_told(desk: Make, runmode: RunMode) -> None:
    """Whoever looks on hears which rule objects, and the operator's log counts it."""
    made = full(desk, runmode)
    assert not made.passes()
    (decision,) = made.decisions
    assert (decision.pair, decision.code, decision.is_short) == (BTC, DenyCode.SYMBOL_FULL, False)
    assert decision.moment == made.time
    assert [(pair, code) for pair, code in made.log.refused] == [(BTC, DenyCode.SYMBOL_FULL)]


def test_nobody_has_to_look_on(desk: Make) -> None:
    """A refusal is one without a hearer, too, and a stake is the same."""
    made = full(desk)
    made.rules.policy.observe = None
    assert not made.passes()
    assert made.stake(5.0, rate=101.0, is_new=False) == 5.0


def test_a_forced_entry_goes_on_to_hear_why_it_may_not(desk: Make) -> None:
    """Freqtrade says nothing of an entry that ends before its order; the order's error is heard."""
    made = full(desk)
    assert made.passes(tag=FORCED)
    with pytest.raises(EntryRefused) as told:
        made.approve()
    assert told.value.denial.code is DenyCode.SYMBOL_FULL


def test_a_tag_forces_nothing_in_a_backtest(desk: Make) -> None:
    """A strategy may call its entries whatever it likes."""
    assert not full(desk, RunMode.BACKTEST).passes(tag=FORCED)


# Whether a signal is worth a request


def test_a_signal_that_was_refused_is_refused_at_sight(desk: Make) -> None:
    """Until what it was judged by changes; the first time it has to be asked for."""
    made = full(desk)
    policy = made.rules.policy
    assert not policy.refuses_at_sight(BTC, is_short=False)
    assert not made.passes()
    policy.loop_begins()
    assert policy.refuses_at_sight(BTC, is_short=False)
    assert not policy.refuses_at_sight(ETH, is_short=False)
    made.candle(BTC, hours_ago=0.0)
    assert not policy.refuses_at_sight(BTC, is_short=False)


@pytest.mark.parametrize(
    ("is_new", "tag"), [(False, None), (True, FORCED)], ids=["further", "forced"]
)
def test_only_the_refusal_of_a_signal_is_remembered(
    desk: Make, is_new: bool, tag: str | None
) -> None:
    """A further entry depends on the price, and whoever forces one is answered each time."""
    made = full(desk)
    made.passes(tag=tag, is_new=is_new)
    assert not made.rules.policy.refuses_at_sight(BTC, is_short=False)


def test_no_signal_of_an_unsettled_pair_is_worth_a_request(desk: Make) -> None:
    """It is said, for nothing else would say why the bot does not trade."""
    made = desk()
    made.stops.unsettled_pairs.add(BTC)
    assert made.rules.policy.refuses_at_sight(BTC, is_short=False)
    assert not made.rules.policy.refuses_at_sight(ETH, is_short=False)
    assert list(made.log.refused) == [(BTC, DenyCode.ENTRY_UNSETTLED)]


def test_a_backtest_refuses_nothing_at_sight(desk: Make) -> None:
    """There a request costs nothing, and each candle is judged by itself."""
    made = full(desk, RunMode.BACKTEST)
    assert not made.passes()
    made.stops.unsettled_pairs.add(BTC)
    assert not made.rules.policy.refuses_at_sight(BTC, is_short=False)


def test_an_error_at_sight_decides_nothing(desk: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The order of the entry is judged again."""
    made = desk()
    made.stops.unsettled_pairs = None  # type: ignore[assignment]
    assert not made.rules.policy.refuses_at_sight(BTC, is_short=False)
    assert f"The signal of {BTC} could not be judged at sight." in caplog.messages


# The stake


@LIVE_AND_TEST
@pytest.mark.parametrize(("wanted", "stake"), [(20.0, 20.0), (1000.0, 37.5), (float("inf"), 37.5)])
def test_a_stake_is_at_most_what_the_risk_allows(
    desk: Make, runmode: RunMode, wanted: float, stake: float
) -> None:
    """0.75 % of 1000 is lost at 2 % by 375, which 10x buys with 37.5."""
    made = desk(runmode)
    assert made.stake(wanted) == pytest.approx(stake)
    (decision,) = made.decisions
    assert (decision.code, decision.rate, decision.leverage) == (None, 100.0, 10.0)
    assert decision.distance == pytest.approx(0.02)
    assert decision.loss_ratio == pytest.approx(0.0075 * stake / 37.5)


@pytest.mark.parametrize("wanted", [0, 0.0, -5.0, nan])
def test_a_strategy_that_wants_no_entry_gets_none(desk: Make, wanted: float) -> None:
    """That is no refusal of the guard's, and nobody is told of one."""
    made = desk()
    assert made.stake(wanted) == 0.0
    assert made.log.refused == {}
    assert made.decisions == []


@pytest.mark.parametrize("wanted", ["100", None, object()])
def test_a_stake_that_is_no_number_is_refused(
    desk: Make, wanted: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a strategy returns: nobody knows what it would have bought."""
    made = desk()
    assert made.stake(wanted) == 0.0
    assert list(made.log.refused) == [(BTC, DenyCode.GATE_FAILED)]
    assert f"Sizing failed for {BTC}." in caplog.messages
    (decision,) = made.decisions
    assert decision.code == DenyCode.GATE_FAILED
    assert isnan(decision.distance)


@LIVE_AND_TEST
def test_an_entry_without_a_stop_is_refused(desk: Make, runmode: RunMode) -> None:
    """Its size would be anybody's guess; whoever looks on hears the rule and no size."""
    made = desk(runmode, stop_source="atr")
    made.candle(qt_atr=nan)
    assert made.stake() == 0.0
    assert list(made.log.refused) == [(BTC, DenyCode.STOP_UNKNOWN)]
    (decision,) = made.decisions
    assert decision.code == DenyCode.STOP_UNKNOWN
    assert isnan(decision.loss_ratio)


def test_a_stake_below_the_minimum_is_refused_and_remembered(desk: Make) -> None:
    """Freqtrade would raise the stake to the minimum, beyond what the risk allows."""
    made = desk(config={"dry_run_wallet": 1.0})
    assert made.stake() == 0.0
    assert list(made.log.refused) == [(BTC, DenyCode.STAKE_TOO_SMALL)]
    (decision,) = made.decisions
    assert decision.distance == pytest.approx(0.02)
    assert isnan(decision.loss_ratio), "a refused entry loses nothing"
    assert made.rules.policy.refuses_at_sight(BTC, is_short=False)


def test_the_refused_stake_of_a_further_entry_is_not_remembered(desk: Make) -> None:
    """The price decides anew."""
    made = desk(config={"dry_run_wallet": 1.0})
    assert made.stake(is_new=False) == 0.0
    assert not made.rules.policy.refuses_at_sight(BTC, is_short=False)


def test_a_forced_stake_goes_on_to_hear_why_it_may_not(desk: Make) -> None:
    """With a stake that Freqtrade lets through, or the reason would never be heard."""
    made = desk(config={"dry_run_wallet": 1.0})
    assert made.stake(tag=FORCED) == 1.0
    with pytest.raises(EntryRefused) as told:
        made.approve()
    assert told.value.denial.code is DenyCode.STAKE_TOO_SMALL
    made.exchange._markets[BTC]["limits"]["cost"]["min"] = 50.0
    assert made.stake(tag=FORCED) >= 5.0


def test_a_refusal_that_waits_ends_no_later_entry(desk: Make) -> None:
    """The forced entry ended elsewhere, and what stood against it is gone."""
    made = desk(max_positions_per_symbol=1)
    held = made.hold()
    assert made.passes(tag=FORCED)
    held.is_open = False
    Trade.commit()
    assert made.passes()
    assert made.stake(20.0) == 20.0
    assert made.approve(2.0).amount == 2.0


# What is counted, and which stop a backtest begins with


@pytest.mark.parametrize(("wanted", "cut"), [(20.0, {}), (1000.0, {"risk_per_trade": 1})])
def test_a_backtests_entry_is_counted_as_the_strategy_confirms_it(
    desk: Make, wanted: float, cut: dict[str, int]
) -> None:
    """With the limit that cut it; one that Freqtrade replaces is counted once."""
    made = desk(RunMode.BACKTEST)
    made.stake(wanted)
    assert made.log.tally.allowed == {}
    made.rules.policy.confirmed(BTC, is_short=False)
    assert (made.log.tally.allowed, made.log.tally.cut) == ({"long": 1}, cut)
    made.hold(0.0, waiting=1.0)
    made.rules.policy.confirmed(BTC, is_short=False)
    assert made.log.tally.allowed == {"long": 1}


def test_a_live_entry_is_counted_as_its_order_goes_out(desk: Make) -> None:
    """A confirmation may yet be followed by a refusal."""
    made = desk()
    made.stake()
    made.rules.policy.confirmed(BTC, is_short=False)
    assert made.log.tally.allowed == {}
    made.approve(3.75)
    assert made.log.tally.allowed == {"long": 1}


@pytest.mark.parametrize(("runmode", "further"), [(RunMode.BACKTEST, 1), (RunMode.DRY_RUN, 0)])
def test_a_further_entry_of_a_backtest_is_counted_as_it_is_sized(
    desk: Make, runmode: RunMode, further: int
) -> None:
    """A backtest asks nothing after that; a live bot's order is counted as it leaves."""
    made = desk(runmode)
    made.hold(0.5)
    assert made.stake(5.0, is_new=False, rate=101.0) == 5.0
    assert made.log.tally.further == further


@pytest.mark.parametrize(
    ("stoploss", "qt", "stop"),
    [
        (-0.2, {}, 98.0),
        (-0.2, {"max_stop": 1.0}, 99.0),
        (-0.2, {"min_stop": 3.0}, 97.0),
        (-9.0, {}, 92.4),
        (-9.0, {"risk_per_trade": None, "max_open_risk": None, "liquidation_buffer": None}, None),
    ],
    ids=["the strategy's", "nearest", "least", "liquidation", "every rule off"],
)
def test_a_backtests_trade_begins_with_the_stop_it_was_sized_by(
    desk: Make, stoploss: float, qt: dict[str, object], stop: float | None
) -> None:
    """With every rule off it goes by the strategy's stop, however far that is."""
    made = desk(RunMode.BACKTEST, stoploss=stoploss, **qt)
    assert made.stake(5.0) == 5.0
    planned = made.simulated.planned(made.hold(0.0, waiting=1.0))
    assert planned == (None if stop is None else pytest.approx(stop))
