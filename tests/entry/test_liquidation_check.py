"""With which leverage, and up to which size, a position's stop triggers before its liquidation."""

from collections.abc import Callable

import pytest
from freqtrade.enums import RunMode

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.exposure import Exposure
from tests.entry.desk import BTC, ETH, TIER, Desk, entry

Make = Callable[..., Desk]
CROSS = {"margin_mode": "cross"}


@pytest.mark.parametrize("is_short", [False, True])
@pytest.mark.parametrize(("fixed", "highest"), [(2.0, 30.0), (5.0, 14.0), (50.0, 1.0)])
def test_leverage_is_lowered_until_the_stop_comes_first(
    desk: Make, fixed: float, highest: float, is_short: bool
) -> None:
    """A stop at 5 % needs 6.25 % to its liquidation: 1/14 of margin, less maintenance."""
    made = desk(stop_source="fixed", stop_fixed=fixed)
    lowered = made.rules.liquidation.highest_leverage(BTC, 30.0, is_short=is_short)
    assert lowered == highest
    assert made.log.tally.lowered == ({} if highest == 30.0 else {BTC: 1})


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"liquidation_buffer": None}, 50.0),
        ({"config": CROSS}, 50.0),
        ({}, 1.0),
        ({"config": {"dry_run_wallet": 0.0}}, 50.0),
    ],
    ids=["rule off", "cross margin", "no leverage", "no equity"],
)
def test_leverage_stays_the_strategys(
    desk: Make, changes: dict[str, object], wanted: float
) -> None:
    """Under cross margin the size is judged instead; without equity the sizing refuses."""
    made = desk(stop_source="fixed", stop_fixed=20.0, **changes)
    assert made.rules.liquidation.highest_leverage(BTC, wanted, is_short=False) == wanted
    assert made.log.tally.lowered == {}


def test_without_a_limit_of_risk_the_whole_equity_may_go_in(desk: Make) -> None:
    """Then the largest notional is another, and with it the bracket that counts."""
    big = {**TIER, "maintenanceMarginRate": 0.08, "maintAmt": 0.075 * 5000.0}
    limited = desk(stop_source="fixed", stop_fixed=2.0)
    free = desk(stop_source="fixed", stop_fixed=2.0, risk_per_trade=None, max_open_risk=None)
    for made in (limited, free):
        made.exchange._leverage_tiers = {BTC: [TIER, big]}
    assert limited.rules.liquidation.highest_leverage(BTC, 20.0, is_short=False) == 20.0
    assert free.rules.liquidation.highest_leverage(BTC, 20.0, is_short=False) < 20.0


def allowed(
    *beside: Exposure, stop: float = 98.0, leverage: float = 10.0, is_short: bool = False
) -> ApprovedEntry:
    """Return an entry of one that may go out, beside what is held."""
    wish = entry(amount=1.0, leverage=leverage, is_short=is_short)
    return ApprovedEntry(wish, 100.0, stop, 1.0, beside=beside)


@pytest.mark.parametrize(("stop", "code"), [(98.0, None), (91.0, DenyCode.STOP_BEYOND_LIQUIDATION)])
def test_an_isolated_position_must_survive_to_its_stop(
    desk: Make, stop: float, code: DenyCode | None
) -> None:
    """At 10x it is liquidated at 9.5 %."""
    denial = desk().rules.liquidation.check(allowed(stop=stop), 1.0)
    assert (None if denial is None else denial.code) is code


@pytest.mark.parametrize(
    ("runmode", "mode", "qt"),
    [
        (RunMode.DRY_RUN, "spot", {}),
        (RunMode.BACKTEST, "futures", {"liquidation_buffer": None}),
    ],
    ids=["spot", "rule off"],
)
def test_what_cannot_be_liquidated_is_not_judged(
    desk: Make, runmode: RunMode, mode: str, qt: dict[str, object]
) -> None:
    """Nor is anything with the rule off."""
    config = {"margin_mode": ""} if mode == "spot" else None
    made = desk(runmode, mode=mode, config=config, **qt)
    assert made.rules.liquidation.check(allowed(stop=1.0), 1.0) is None


def test_a_pair_without_brackets_is_refused(desk: Make) -> None:
    """Nobody knows where it is liquidated."""
    made = desk()
    made.exchange._leverage_tiers = {}
    denial = made.rules.liquidation.check(allowed(), 1.0)
    assert denial is not None
    assert denial.code is DenyCode.BRACKETS_UNKNOWN


@pytest.mark.parametrize(
    ("amount", "beside", "code"),
    [
        (1.0, [], None),
        (300.0, [], None),
        (600.0, [], DenyCode.STOP_BEYOND_LIQUIDATION),
        (300.0, [Exposure(ETH, False, 100.0, 10.0, 4.0)], DenyCode.STOP_BEYOND_LIQUIDATION),
        (300.0, [Exposure(ETH, False, 0.0, 10.0, 4.0)], None),
        (10.0, [Exposure(BTC, False, 300.0, 100.0, 98.0)], None),
        (300.0, [Exposure(BTC, False, 300.0, 100.0, 98.0)], DenyCode.STOP_BEYOND_LIQUIDATION),
    ],
    ids=[
        "small",
        "as much as it carries",
        "more",
        "another's loss",
        "nothing",
        "adds",
        "adds much",
    ],
)
def test_under_cross_margin_the_balance_carries_all_positions(
    desk: Make, amount: float, beside: list[Exposure], code: DenyCode | None
) -> None:
    """Each at its own stop, the worst case; what is added to is one with what it holds."""
    made = desk(config=CROSS)
    denial = made.rules.liquidation.check(allowed(*beside), amount)
    assert (None if denial is None else denial.code) is code
