"""How large one more entry may be, and what stands in the way of a stake."""

from collections.abc import Callable
from math import inf

import pytest
from freqtrade.enums import RunMode

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.quote import Quote
from tests.entry.desk import BTC, ETH, Desk, entry

Make = Callable[..., Desk]
OFF = {"risk_per_trade": None, "max_open_risk": None}
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


@LIVE_AND_TEST
@pytest.mark.parametrize("is_short", [False, True])
def test_a_new_entry_loses_at_its_stop_what_it_may(
    desk: Make, runmode: RunMode, is_short: bool
) -> None:
    """7.5 of 1000, at 2 % of price; fees of both fills count in."""
    allowed = desk(runmode).allowance(is_short=is_short)
    assert allowed.amount == 3.75
    assert allowed.room.loss == pytest.approx(7.5)
    assert allowed.planned is not None
    costly = desk(runmode, config={"fee": 0.001}).allowance(is_short=is_short)
    fees = 0.001 * (100 + costly.stop)
    assert costly.amount == pytest.approx(7.5 / (2 + fees), abs=1e-5)


@LIVE_AND_TEST
def test_without_any_limit_an_entry_may_be_any_size(desk: Make, runmode: RunMode) -> None:
    """Its stop is planned all the same."""
    made = desk(runmode, **OFF)
    assert made.rules.sizer.sizes_nothing
    allowed = made.allowance()
    assert (allowed.amount, allowed.room.loss) == (inf, inf)
    assert allowed.stop == pytest.approx(98.0)
    assert not desk(runmode).rules.sizer.sizes_nothing


@pytest.mark.parametrize(
    ("held", "qt", "amount", "limit"),
    [
        (0.0, {}, 3.75, DenyCode.STAKE_TOO_SMALL),
        (13.0, {}, 2.0, DenyCode.OPEN_RISK_FULL),
        (13.0, {"max_open_risk": None}, 3.75, DenyCode.STAKE_TOO_SMALL),
        (13.0, {"count_foreign_positions": False}, 3.75, DenyCode.STAKE_TOO_SMALL),
        (13.0, {"risk_per_trade": None}, 2.0, DenyCode.OPEN_RISK_FULL),
        (15.0, {}, 0.0, DenyCode.OPEN_RISK_FULL),
        (
            10.0,
            {"risk_equity": "balance_less_open_risk", "max_open_risk": 100.0},
            3.675,
            DenyCode.STAKE_TOO_SMALL,
        ),
    ],
)
def test_what_is_held_leaves_the_rest(
    desk: Make, held: float, qt: dict[str, object], amount: float, limit: DenyCode
) -> None:
    """All positions together may lose 30, each of these 2 a piece."""
    made = desk(**qt)
    if held:
        made.stops.beside.append(Exposure(ETH, False, held, 100.0, 98.0, is_foreign=True))
    allowed = made.allowance()
    assert allowed.amount == pytest.approx(amount)
    assert allowed.room.limit is limit


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("rate", "is_short", "amount", "limit"),
    [
        (101.0, False, 2.5, DenyCode.STAKE_TOO_SMALL),
        (99.9, False, 3.94736, DenyCode.STAKE_TOO_SMALL),
        (99.0, False, 5.5, DenyCode.AVERAGING_DOWN),
        (99.0, True, 2.5, DenyCode.STAKE_TOO_SMALL),
        (101.0, True, 5.5, DenyCode.AVERAGING_DOWN),
    ],
)
def test_an_entry_that_averages_down_gets_what_its_trade_has_left(
    desk: Make, runmode: RunMode, rate: float, is_short: bool, amount: float, limit: DenyCode
) -> None:
    """2 of 7.5 are at risk already; within a tenth of R of the average it is none."""
    made = desk(runmode)
    made.hold(1.0, stop=102.0 if is_short else 98.0, is_short=is_short)
    allowed = made.allowance(rate=rate, is_short=is_short)
    assert not allowed.is_new
    assert allowed.amount == pytest.approx(amount)
    assert allowed.room.limit is limit


@pytest.mark.parametrize(
    ("runmode", "qt", "refused"),
    [
        (RunMode.DRY_RUN, OFF, True),
        (RunMode.DRY_RUN, {}, True),
        (RunMode.BACKTEST, {}, True),
        (RunMode.BACKTEST, OFF, False),
    ],
)
def test_an_entry_beyond_the_stop_of_its_trade_is_refused(
    desk: Make, runmode: RunMode, qt: dict[str, object], refused: bool
) -> None:
    """A plain backtest may add there: its stop counts with the next candle."""
    made = desk(runmode, **qt)
    made.hold(1.0, stop=98.0)
    if refused:
        with pytest.raises(EntryRefused) as told:
            made.allowance(rate=97.0)
        assert told.value.denial.code is DenyCode.STOP_INVALID
    else:
        assert made.allowance(rate=97.0).stop == 98.0


@LIVE_AND_TEST
def test_without_equity_nothing_is_sized(desk: Make, runmode: RunMode) -> None:
    """The words name the coin that is counted in."""
    made = desk(runmode, config={"dry_run_wallet": 0.0})
    with pytest.raises(EntryRefused) as told:
        made.allowance()
    assert told.value.denial.code is DenyCode.NO_EQUITY
    assert "USDT" in told.value.denial.text


# What stands in the way of a stake


@pytest.mark.parametrize(
    ("stake", "least", "qt", "code"),
    [
        (20.0, 5.0, {}, None),
        (20.0, 40.0, {}, DenyCode.STAKE_TOO_SMALL),
        (4.0, 5.0, {}, DenyCode.STAKE_TOO_SMALL),
        (4.0, 5.0, {"risk_per_trade": None}, None),
        (4.0, 5.0, OFF, None),
        (10.0, 4.0, {"stop_source": "fixed", "stop_fixed": 9.0}, DenyCode.STOP_BEYOND_LIQUIDATION),
    ],
    ids=["fits", "no room", "too little", "no share", "no limit", "liquidated first"],
)
def test_what_stands_in_the_way_of_a_stake(
    desk: Make, stake: float, least: float, qt: dict[str, object], code: DenyCode | None
) -> None:
    """Without a share of its own Freqtrade may raise a stake to the minimum."""
    made = desk(**qt)
    allowed = made.allowance()
    denial = made.rules.sizer.objection(allowed, stake, least)
    assert (None if denial is None else denial.code) is code


def test_an_allowance_of_nothing_is_no_entry(desk: Make) -> None:
    """Though the exchange had no minimum."""
    made = desk()
    made.stops.beside.append(Exposure(ETH, False, 15.0, 100.0, 98.0, is_foreign=True))
    denial = made.rules.sizer.objection(made.allowance(), 0.0, 0.0)
    assert denial is not None
    assert denial.code is DenyCode.OPEN_RISK_FULL


def test_a_stop_within_the_spread_stands_in_the_way_last(desk: Make) -> None:
    """That question may cost a request: nothing else is asked after it."""
    made = desk()
    made.stops.quotes[BTC] = Quote(100.0, 103.0)
    allowed = made.allowance(rate=100.01)
    made.stops.asked.clear()
    assert made.rules.sizer.objection(allowed, 4.0, 5.0) is not None
    assert made.stops.asked == []
    denial = made.rules.sizer.objection(allowed, 20.0, 5.0)
    assert denial is not None
    assert denial.code is DenyCode.STOP_TOO_CLOSE
    assert made.stops.asked == [BTC]


@pytest.mark.parametrize(("stake", "ratio"), [(37.5, 0.0075), (10.0, 0.002), (10.00001, 0.002)])
def test_the_loss_of_a_stake_is_that_of_whole_lots(desk: Make, stake: float, ratio: float) -> None:
    """What Freqtrade cuts off is not lost."""
    made = desk()
    assert made.rules.sizer.loss_ratio(made.allowance(), stake) == pytest.approx(ratio)


@LIVE_AND_TEST
@pytest.mark.parametrize(("held", "reserve"), [(0.0, 0.2), (1.0, 0.0)], ids=["new", "further"])
def test_the_least_stake_keeps_freqtrades_reserve(
    desk: Make, runmode: RunMode, held: float, reserve: float
) -> None:
    """Of a new entry for the strategy's stop: what lies below Freqtrade raises itself."""
    made = desk(runmode)
    if held:
        made.hold(held)
    freqtrades = made.exchange.get_min_pair_stake_amount(BTC, 100.0, reserve, 10.0)
    assert made.rules.sizer.least_proposed(entry()) == pytest.approx(freqtrades)
    plain = made.exchange.get_min_pair_stake_amount(BTC, 100.0, 0.0, 10.0)
    assert made.rules.sizer.least_stake(entry()) == pytest.approx(plain)
    made.exchange._markets[BTC]["limits"] = {"cost": {"min": None}, "amount": {"min": None}}
    assert made.rules.sizer.least_stake(entry()) == 0.0


def test_the_limits_are_shares_of_equity(desk: Make) -> None:
    """Of what is left of it, if what is open counts as lost."""
    limits = desk(max_group_risk=1.5).rules.sizer.limits(100.0)
    assert (limits.trade, limits.open, limits.group) == pytest.approx((7.5, 30.0, 15.0))
    careful = desk(risk_equity="balance_less_open_risk").rules.sizer.limits(100.0)
    assert (careful.trade, careful.open, careful.group) == (
        pytest.approx(6.75),
        pytest.approx(27.0),
        None,
    )
