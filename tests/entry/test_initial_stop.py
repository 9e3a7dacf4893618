"""Where the stop of an entry stands, whoever moves it, and which stops refuse their entry."""

from collections.abc import Callable, Iterator
from math import nan

import pytest
from freqtrade.enums import RunMode
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.errors import EntryRefused
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.stop_price import FARTHEST, StopBound
from tests.entry.desk import BTC, Desk, entry, put_back

Make = Callable[..., Desk]


@pytest.mark.parametrize(
    ("qt", "stoploss", "ratio", "bound"),
    [
        ({}, -0.2, 0.02, None),
        ({"stop_source": "fixed", "stop_fixed": 1.5}, -0.2, 0.015, None),
        ({"stop_source": "atr", "stop_atr_multiple": 3.0}, -0.2, 0.03, None),
        ({"min_stop": 5.0}, -0.2, 0.05, StopBound.MIN_STOP),
        ({"max_stop": 1.0}, -0.2, 0.01, StopBound.MAX_STOP),
        ({}, -0.9, 0.076, StopBound.LIQUIDATION),
        ({"liquidation_buffer": None}, -0.9, 0.09, None),
        ({"liquidation_buffer": None}, -9.0, FARTHEST, StopBound.FARTHEST),
        ({"stop_source": "fixed", "stop_fixed": 9.0}, -0.2, 0.09, None),
    ],
)
def test_a_new_stop_stands_where_its_source_and_the_bounds_say(
    desk: Make, qt: dict[str, object], stoploss: float, ratio: float, bound: StopBound | None
) -> None:
    """The strategy's is a share of margin; it goes no farther than the liquidation allows."""
    made = desk(stoploss=stoploss, **qt)
    planned = made.rules.stop.planned(entry())
    assert planned.ratio == pytest.approx(ratio)
    assert planned.bound is bound


@pytest.mark.parametrize(
    ("mode", "margin"), [("spot", ""), ("futures", "cross")], ids=["spot", "cross"]
)
def test_only_a_margin_of_its_own_bounds_a_stop(desk: Make, mode: str, margin: str) -> None:
    """Spot is never liquidated, and under cross margin the whole balance carries a position."""
    made = desk(mode=mode, config={"margin_mode": margin}, stoploss=-0.3)
    assert made.rules.stop.planned(entry(leverage=1.0)).ratio == pytest.approx(0.3)
    made = desk(config={"margin_mode": "isolated"}, stoploss=-0.9)
    assert made.rules.stop.planned(entry()).ratio < 0.09


def test_without_an_atr_there_is_no_stop(desk: Make) -> None:
    """Whoever asks for the distance of a position that stands already gets the strategy's."""
    made = desk(stop_source="atr", max_stop=1.5)
    made.candle(qt_atr=nan)
    with pytest.raises(EntryRefused) as told:
        made.rules.stop.planned(entry())
    assert told.value.denial.code is DenyCode.STOP_UNKNOWN
    assert "14 closed candles" in told.value.denial.text
    distance_at = made.rules.stop.distance_by_leverage(BTC)
    assert distance_at(20.0) == pytest.approx(0.01)
    assert distance_at(10.0) == pytest.approx(0.015), "max_stop bounds that, too"
    assert desk(stop_source="atr").rules.stop.distance_by_leverage(BTC)(10.0) == pytest.approx(0.02)


@pytest.mark.parametrize(("is_short", "stop"), [(False, 98.0), (True, 102.0)])
def test_a_position_of_somebody_elses_gets_a_stop_like_any(
    desk: Make, is_short: bool, stop: float
) -> None:
    """By its own leverage."""
    made = desk().rules.stop
    assert made.of_external_position(BTC, 100.0, 10.0, is_short=is_short) == pytest.approx(stop)
    assert made.of_external_position(BTC, 100.0, 20.0, is_short=False) == pytest.approx(99.0)


@pytest.mark.parametrize(
    ("first", "rate", "qt", "stop"),
    [
        (None, 101.0, {}, 98.98),
        (98.0, 101.0, {}, 98.98),
        (99.5, 101.0, {}, 99.5),
        (100.9, 101.0, {}, 98.98),
        (99.5, 101.0, {"stop_source": "fixed"}, 99.99),
    ],
    ids=["none before", "looser", "tighter", "too tight", "a source of the guard's"],
)
def test_the_entry_that_replaces_another_takes_over_its_stop(
    desk: Make, first: float | None, rate: float, qt: dict[str, object], stop: float
) -> None:
    """As Freqtrade does, which only tightens a trade's stop; unless that leaves it no room."""
    made = desk(**qt)
    if first is not None:
        made.hold(0.0, waiting=1.0, stop=first)
    wish = entry(rate=rate)
    assert made.rules.stop.of_new(
        wish, made.rules.stop.planned(wish), open_trade(wish.pair)
    ) == pytest.approx(stop)


@pytest.mark.parametrize(
    ("stop", "is_short", "at"),
    [(97.0, False, 97.0), (103.0, True, 103.0), (0.0, False, 1.0), (0.0, True, 199.0)],
)
def test_an_entry_that_adds_has_the_stop_of_its_trade(
    desk: Make, stop: float, is_short: bool, at: float
) -> None:
    """A strategy that asks for none has the farthest there is."""
    made = desk(RunMode.BACKTEST)
    trade = made.hold(stop=stop, is_short=is_short)
    expected = at if stop else 100.0 * (1 + FARTHEST if is_short else 1 - FARTHEST)
    assert made.rules.stop.of_trade(trade) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("stop", "is_short", "fee", "code"),
    [
        (98.0, False, 0.0, None),
        (100.5, False, 0.0, DenyCode.STOP_INVALID),
        (99.5, True, 0.0, DenyCode.STOP_INVALID),
        (98.0, False, 0.02, DenyCode.STOP_TOO_CLOSE),
        (98.0, False, 0.001, None),
    ],
)
def test_a_stop_on_the_wrong_side_or_within_its_fees_is_refused(
    desk: Make, stop: float, is_short: bool, fee: float, code: DenyCode | None
) -> None:
    """The second loses more to the exchange than to the market."""
    check = desk(config={"fee": fee}).rules.stop.check
    wish = entry(is_short=is_short)
    if code is None:
        check(wish, stop, counts_fees=True)
        return
    with pytest.raises(EntryRefused) as told:
        check(wish, stop, counts_fees=True)
    assert told.value.denial.code is code
    if code is DenyCode.STOP_TOO_CLOSE:
        check(wish, stop, counts_fees=False)  # no limit of risk asks for that


def test_a_fee_that_nobody_knows_refuses_what_counts_it(
    desk: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that leaves the fees out would lose more than it may."""
    made = desk()
    made.exchange._config.pop("fee")
    made.exchange._markets[BTC]["taker"] = None
    monkeypatch.setattr(made.exchange._api, "fees", {})
    made.account._contracts.clear()
    with pytest.raises(EntryRefused) as told:
        made.rules.stop.check(entry(), 98.0, counts_fees=True)
    assert told.value.denial.code is DenyCode.FEE_UNKNOWN
    assert BTC in told.value.denial.text
    made.rules.stop.check(entry(), 98.0, counts_fees=False)


@given(
    rate=st.floats(0.01, 1e5),
    leverage=st.floats(1.0, 125.0),
    is_short=st.booleans(),
    stoploss=st.floats(-1.0, -0.001),
)
def test_a_planned_stop_is_on_the_losing_side(
    plain: Desk, rate: float, leverage: float, is_short: bool, stoploss: float
) -> None:
    """Whatever the strategy asks for, it is a price, and no closer than min_stop."""
    plain.strategy.stoploss = stoploss
    wish = entry(rate=rate, leverage=leverage, is_short=is_short)
    planned = plain.rules.stop.planned(wish)
    stop = plain.rules.stop.of_new(wish, planned, open_trade(wish.pair))
    assert stop > 0
    lost = (stop - rate if is_short else rate - stop) / rate
    assert lost >= plain.settings.min_stop / 100 * (1 - 1e-9)
    assert lost == pytest.approx(planned.ratio)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for many examples."""
    yield Desk(tmp_path_factory.getbasetemp(), RunMode.BACKTEST)
    put_back()
