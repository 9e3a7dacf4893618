"""What the account stands to lose at its stops before one more entry."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType

from qt_protections.errors import EntryRefused
from qt_protections.portfolio.open_risk import OpenRisk
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.sizing import Risks
from tests.entry.desk import BTC, ETH, Desk, entry

Make = Callable[..., Desk]
HELD = [
    Exposure(BTC, False, 1.0, 100.0, 98.0),
    Exposure(BTC, False, 1.0, 100.0, 96.0, is_foreign=True),
    Exposure(ETH, False, 2.0, 100.0, 97.0),
    Exposure(ETH, True, 1.0, 100.0, 90.0),
]


def moving(made: Desk, **betas: float) -> None:
    """Have both coins move with the regime's pair, each as much as its beta says."""
    steps = np.sin(np.arange(400) ** 1.5) / 100
    end = pd.Timestamp(made.time).floor("4h") - pd.Timedelta("4h")
    dates = pd.date_range(end=end, periods=len(steps), freq="4h")
    for coin, beta in {"SOL": 1.0, **betas}.items():
        candles = pd.DataFrame({"date": dates, "close": 100 * np.exp(np.cumsum(steps * beta))})
        made.exchange._klines[f"{coin}/USDT:USDT", "4h", CandleType.FUTURES] = candles


def before(made: Desk, *, limits_groups: bool = True, is_short: bool = False) -> Risks:
    """Return what stands to be lost before an entry of BTC."""
    risk = OpenRisk(made.account, made.market, limits_groups=limits_groups)
    return risk.before(entry(is_short=is_short), None, HELD, made.time)


def test_losses_add_up_and_gains_pay_for_none(desk: Make) -> None:
    """2, 4 and 6; the short's stop locks a gain in, which is not hit at the same moment."""
    risks = before(desk(), limits_groups=False)
    assert risks.open_risk == pytest.approx(12.0)
    assert risks.equity == 1000.0
    assert risks.average is None
    assert risks.benchmark == BTC
    assert risks.group_risk is None, "no limit is set: nobody asks for groups"


def test_the_loss_of_a_position_is_the_bots_own(desk: Make) -> None:
    """What somebody else holds of the pair is none of that trade."""
    assert before(desk()).position_risk == pytest.approx(2.0)


def test_an_entry_that_adds_is_measured_by_its_average(desk: Make) -> None:
    """The trade's."""
    made = desk()
    trade = made.hold(rate=104.0)
    risk = OpenRisk(made.account, made.market, limits_groups=False)
    assert risk.before(entry(), trade, [], made.time).average == 104.0


@pytest.mark.parametrize(
    ("eth", "is_short", "group_risk"),
    [(1.0, False, 12.0), (0.1, False, 6.0), (-1.0, False, 6.0), (1.0, True, 0.0)],
    ids=["moves along", "goes its own way", "moves against", "a short"],
)
def test_positions_that_lose_together_are_one_group(
    desk: Make, eth: float, is_short: bool, group_risk: float
) -> None:
    """By what the market has to do for them to lose."""
    made = desk(regime_pair="SOL/USDT:USDT")
    moving(made, BTC=1.0, ETH=eth)
    risks = before(made, is_short=is_short)
    assert risks.group_risk == pytest.approx(group_risk)
    assert risks.benchmark == "SOL/USDT:USDT"


def test_an_entry_that_goes_its_own_way_is_limited_by_no_group(desk: Make) -> None:
    """Whatever the others do."""
    made = desk(regime_pair="SOL/USDT:USDT")
    moving(made, BTC=0.1, ETH=1.0)
    assert before(made).group_risk is None


def test_shares_of_nothing_are_refused(desk: Make) -> None:
    """In words that name the coin."""
    with pytest.raises(EntryRefused) as told:
        before(desk(config={"dry_run_wallet": 0.0}))
    assert told.value.denial.code is DenyCode.NO_EQUITY
