"""The rule of docs/extending.md in the real `freqtrade backtesting`."""

import re
from datetime import UTC, datetime

import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from qt_protections.reporting.backtest_summary import KEY
from tests.backtests.runs import Backtests, is_reused
from tests.conformance.candles import DAYS, START, pairs
from tests.extending import write_programs

pytestmark = pytest.mark.freqtrade
#: Until then each funding payment of BTC is large, and no other one ever is.
CALM = datetime(2024, 9, 7, tzinfo=UTC)


def write_rates(backtests: Backtests) -> None:
    """Write funding rates of every 8 hours, as `freqtrade download-data` does."""
    handler = get_datahandler(backtests.folder / "data", "feather")
    dates = pd.date_range(START, periods=3 * DAYS, freq="8h", tz="UTC")
    for pair in pairs("futures"):
        frame = pd.DataFrame({"date": dates, "funding_rate": 0.0001})
        if pair.startswith("BTC"):
            frame.loc[dates < CALM, "funding_rate"] = 0.001
        handler.ohlcv_store(pair, "1h", frame, CandleType.FUNDING_RATE)


def test_no_entry_near_a_large_payment(backtests: Backtests) -> None:
    """BTC alone is kept out, at the candles of its large payments alone; that is counted.

    A rule that changes makes a new result, and one that fails lets nothing in and nothing hang.
    """
    write_rates(backtests)
    write_programs(backtests.strategies, "from both import Both as MyStrategy")
    ended = backtests.backtest()
    assert "Entry rules of your own: NearFunding" in re.sub(r"\s+", " ", ended.output)
    entries = [
        (trade["pair"][:3], datetime.fromisoformat(trade["open_date"]))
        for trade in backtests.trades()
    ]
    near = [(base, date) for base, date in entries if date.hour % 8 == 0]
    assert not [date for base, date in near if base == "BTC" and date <= CALM]
    assert {base for base, _ in near} & {"ETH", "XRP"}
    assert [date for base, date in entries if base == "BTC" and date <= CALM]
    refused = backtests.metadata()[KEY]["refused"]
    assert refused["funding_near"] > 0
    assert "funding_unknown" not in refused
    rule = backtests.strategies / "near_funding.py"
    rule.write_text(rule.read_text().replace("if abs(rate) < self.large", "if rate < self.small"))
    broken = backtests.backtest()
    assert not is_reused(broken)
    assert backtests.metadata()[KEY]["refused"]["NearFunding_failed"] > refused["funding_near"]
    assert broken.output.count("has no attribute 'small'") == 1
    entries = [datetime.fromisoformat(trade["open_date"]) for trade in backtests.trades()]
    assert entries
    assert not [date for date in entries if date.hour % 8 == 0]
