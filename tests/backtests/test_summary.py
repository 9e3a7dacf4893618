"""What the guard did is told at the end of a backtest, below Freqtrade's tables."""

import re

import pandas as pd
import pytest

from qt_protections.reporting.backtest_summary import KEY
from qt_protections.rules.regime import Regime, TrendRule, as_of
from tests.backtests.runs import Backtests, is_reused
from tests.conformance.candles import TIMERANGE

pytestmark = pytest.mark.freqtrade
FIRST, LAST = (pd.Timestamp(day, tz="UTC") for day in TIMERANGE.split("-"))
HOUR, FOUR_HOURS = pd.Timedelta(hours=1), pd.Timedelta(hours=4)


def signals(backtests: Backtests, pair: str) -> pd.DataFrame:
    """Tell independently which candles signal a short, and in which regime of BTC they close."""
    folder = backtests.folder / "data" / "futures"
    candles = pd.read_feather(folder / f"{pair}_USDT_USDT-1h-futures.feather")
    market = pd.read_feather(folder / "BTC_USDT_USDT-4h-futures.feather")
    history = TrendRule().history(market, FOUR_HOURS)
    closes = candles["date"] + HOUR
    acted_on = (closes > FIRST) & (closes < LAST)
    short = candles["close"].pct_change() < -0.002
    regime = as_of(history, closes, FOUR_HOURS)["regime"]
    frame = pd.DataFrame({"regime": regime, "short": short, "acted_on": acted_on})
    return frame[frame["acted_on"]]


def test_a_backtest_says_what_the_guard_did(backtests: Backtests) -> None:
    """In numbers that are right, within 80 columns, beside the result, and from the cache again."""
    ended = backtests.backtest(QT_UPTREND_SHORT_EXCEPTION_CONF="1.0")
    told, trades = backtests.metadata()[KEY], backtests.trades()
    shorts = sum(trade["is_short"] for trade in trades)
    assert told["allowed"] == {"long": len(trades) - shorts, "short": shorts}
    of_pairs = [signals(backtests, pair) for pair in ("BTC", "ETH", "XRP")]
    expected = {
        rule: sum(int((of["short"] & (of["regime"] == regime)).sum()) for of in of_pairs)
        for rule, regime in (
            ("short_in_uptrend", Regime.UPTREND),
            ("short_regime_unknown", Regime.UNKNOWN),
        )
    }
    assert told["removed"] == {rule: count for rule, count in expected.items() if count}
    assert told["removed"], "without a removed candle there is nothing to see"
    shares = of_pairs[0]["regime"].value_counts(normalize=True).to_dict()
    a_candle = 1 / len(of_pairs[0])  # the last is told of, and acted on by nobody
    assert told["regimes"] == pytest.approx(shares, abs=a_candle)
    assert told["cut"].keys() == {"risk_per_trade"}
    said = re.findall(r"leverage 20 lowered to", re.sub(r"\s+", " ", ended.output))
    assert len(said) == len(told["lowered"]) <= 3
    assert sum(told["lowered"].values()) > 30
    page = ended.output[ended.output.index("Mine under the guard") :]
    assert max(len(line) for line in page.splitlines()) <= 80
    assert f"{len(trades)} long" not in page or shorts == 0
    assert re.search(rf"entries allowed +{len(trades)} ", page), page
    again = backtests.backtest(QT_UPTREND_SHORT_EXCEPTION_CONF="1.0")
    assert is_reused(again)
    cached = again.output[again.output.index("Mine under the guard, in backtest-result") :]
    assert cached.splitlines()[1:] == page.splitlines()[1:]


def test_what_the_strategy_refuses_by_itself_is_no_entry(backtests: Backtests) -> None:
    """The strategy's `confirm_trade_entry` is asked after the guard, and may say no."""
    with backtests.plain.open("a") as plain:
        plain.write(
            "\n    def confirm_trade_entry(self, *args, current_time, **kwargs):"
            "\n        return current_time.hour % 2 == 0\n"
        )
    backtests.backtest()
    told, trades = backtests.metadata()[KEY], backtests.trades()
    assert sum(told["allowed"].values()) == len(trades) > 0
    assert max(told["cut"].values()) <= len(trades)


def test_an_epoch_of_hyperopt_says_so_on_request(backtests: Backtests) -> None:
    """A line each, counted from its own first candle; none without the setting."""
    options = (
        "--strategy=Mine", "--spaces=buy", "--epochs=2", "--job-workers=1", "--random-state=1",
        "--hyperopt-loss=SharpeHyperOptLoss", "--disable-param-export", "--print-all",
    )  # fmt: skip
    ended = backtests.run(*options, command="hyperopt", QT_HYPEROPT_SUMMARY="true", COLUMNS="400")
    lines = re.findall(r"\[GUARD\] Mine: ([\d,]+) entries allowed .*", ended.output)
    assert len(lines) == 2
    trades = [int(n) for n in re.findall(r"[│|] +[12]/2 [│|] +(\d+)", ended.output)]
    assert [int(line.replace(",", "")) for line in lines] == trades, ended.output
    assert "lowered to" not in ended.output
