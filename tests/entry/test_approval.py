"""The last judgement of an entry: no order that opens a position goes out against a rule."""

from collections.abc import Callable
from math import nan

import pytest
from freqtrade.enums import RunMode

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import Denial, DenyCode
from qt_protections.rules.quote import Quote
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]


def refused(desk: Desk, amount: float = 1.0, **wish: object) -> Denial:
    """Return why an entry is refused."""
    with pytest.raises(EntryRefused) as told:
        desk.approve(amount, **wish)
    assert str(wish.get("pair", BTC)) in str(told.value)
    return told.value.denial


@pytest.mark.parametrize("is_short", [False, True])
def test_what_goes_out_has_its_stop_and_its_size(desk: Make, is_short: bool) -> None:
    """As it was asked for, with the stop on the losing side; and it is counted."""
    made = desk()
    approved = made.approve(2.0, is_short=is_short)
    assert approved.amount == 2.0
    assert approved.stop == pytest.approx(102.0 if is_short else 98.0)
    assert approved.is_new
    assert made.log.tally.allowed == {"short" if is_short else "long": 1}
    assert made.log.tally.cut == {}


def test_a_larger_entry_is_cut_said_and_counted(
    desk: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A position adjustment or a person may ask for any amount."""
    caplog.set_level("INFO")
    made = desk()
    assert made.approve(10.0).amount == 3.75
    assert (
        "[SAFETY] BTCUSDT: entry of 10 cut to 3.75, which loses 7.5 at its stop" in caplog.messages
    )
    assert made.log.tally.cut == {"risk_per_trade": 1}


def test_an_entry_that_adds_is_counted_as_one(desk: Make) -> None:
    """Its stop is that of its trade."""
    made = desk()
    made.hold(1.0, stop=97.0)
    approved = made.approve(0.5, rate=101.0)
    assert approved.stop == 97.0
    assert not approved.is_new
    assert made.log.tally.further == 1


def test_the_gates_are_asked_once_more(desk: Make) -> None:
    """Position adjustments and forced entries skip the callbacks that ask before."""
    made = desk(max_positions_per_symbol=1)
    made.hold()
    assert refused(made).code is DenyCode.SYMBOL_FULL
    assert made.log.tally.allowed == {}


@pytest.mark.parametrize(("skew_s", "way"), [(6.0, "ahead of"), (-6.0, "behind")])
def test_no_entry_goes_out_by_a_wrong_clock(desk: Make, skew_s: float, way: str) -> None:
    """The exchange might refuse its stop for that."""
    made = desk()
    made.stops.skew_s = skew_s
    denial = refused(made)
    assert denial.code is DenyCode.CLOCK_SKEW
    assert f"6.0 s {way} the exchange's" in denial.text
    made.stops.skew_s = nan
    assert refused(made).code is DenyCode.CLOCK_SKEW, "what is not known is not in time"


def test_no_entry_goes_out_while_an_earlier_one_is_unsettled(desk: Make) -> None:
    """The exchange may hold more of the pair than any trade accounts for."""
    made = desk()
    made.stops.unsettled_pairs.add(BTC)
    assert refused(made).code is DenyCode.ENTRY_UNSETTLED
    assert made.approve(1.0, pair=ETH).amount == 1.0


def test_what_is_left_of_an_entry_must_be_worth_an_order(desk: Make) -> None:
    """One below the exchange's minimum is not made larger than its risk allows."""
    made = desk()
    denial = refused(made, 0.0001)
    assert denial.code is DenyCode.STAKE_TOO_SMALL
    assert dict(denial.facts)["risk_ratio"] == 0.0075


@pytest.mark.parametrize(("free", "code"), [(4.0, None), (3.0, DenyCode.TOO_MANY_STOPS)])
def test_each_part_of_a_position_needs_a_stop(
    desk: Make, free: float, code: DenyCode | None
) -> None:
    """Two in parts of a half are four, and the account has room for so many, or not."""
    made = desk()
    made.hold(1.5)
    made.stops.most, made.stops.free = 0.5, free
    if code is None:
        assert made.approve(0.5, rate=101.0).amount == 0.5
    else:
        denial = refused(made, 0.5, rate=101.0)
        assert denial.code is code
        assert dict(denial.facts)["needed"] == 4


def test_a_stop_that_cannot_be_planned_is_refused_and_explained(
    desk: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The words go to whoever asked, the traceback to the log."""
    made = desk()
    made.stops.free = None  # type: ignore[assignment]
    denial = refused(made)
    assert denial.code is DenyCode.GATE_FAILED
    assert denial.text.startswith("the plan of its stop failed, so the entry is refused")
    assert f"No stop could be planned for {BTC}." in caplog.messages


def test_an_entry_is_judged_at_the_price_it_fills_at(desk: Make) -> None:
    """A limit above the ask fills at the ask; by its own price the stop would trigger at once."""
    made = desk()
    made.stops.quotes[BTC] = Quote(99.0, 99.5)
    approved = made.approve(1.0, rate=105.0)
    assert approved.wish.rate == pytest.approx(99.5)
    assert approved.stop == pytest.approx(99.5 * 0.98)
    assert approved.limit == 105.0


def test_a_backtest_hears_the_same(desk: Make) -> None:
    """Its orders leave by the same door."""
    made = desk(RunMode.BACKTEST)
    assert made.approve(10.0).amount == 3.75
