"""One set of rules: a live run, and the backtest of the candles it saw, decide alike."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import time_machine
from freqtrade.configuration import Configuration
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade, Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.cli.package_data import base_config
from qt_protections.entry.decision import Decision
from qt_protections.entry.gates import RARE_SHORT_TAG
from qt_protections.market.trends import REGIME
from qt_protections.rules.denial import DenyCode
from tests.inside import runtime_of
from tests.integration.rig import HERE, Rig
from tests.integration.turns import BASES, MINUTES, START, turns_market

pytestmark = pytest.mark.long

PAIRS = [f"{base}/USDT:USDT" for base in BASES]
INTERVALS = ("1m", "15m")
STRATEGY = "GuardedTurns"
QT = {
    "trail_callback": None,
    "stop_source": "atr",
    "regime_timeframe": "15m",
    "stack_entries": True,
    "stack_distance": 0.2,
    "max_positions_per_symbol": 2,
    "max_open_risk": 3.4,
    "uptrend_short_exception_conf": 0.5,
}
MINUTE = timedelta(minutes=1)
#: The last candle that has closed when the live run ends.
LAST = START + (MINUTES - 2) * MINUTE
#: What the strategy and the guard wrote into their frames; signals, regimes and ATRs among them.
COLUMNS = [
    "open", "high", "low", "close", "confidence", "wants_long", "wants_short", "qt_regime",
    "qt_local_distance", "qt_atr", "enter_long", "enter_short", "enter_tag", "exit_long",
]  # fmt: skip


@dataclass(frozen=True)
class Fill:
    """An entry as it was filled, and where its position's first stop stood."""

    candle: datetime
    pair: str
    is_short: bool
    amount: float
    price: float
    leverage: float
    tag: str | None
    stop: float | None


@dataclass(frozen=True)
class Run:
    """What a run decided, and what became of it."""

    decisions: list[Decision]
    frames: dict[str, pd.DataFrame]
    fills: list[Fill]
    closed: list[tuple[datetime, str, float, float]]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The time of day of bot and exchange, which stands still unless moved."""
    with time_machine.travel(START + timedelta(seconds=2), tick=False) as traveller:
        yield traveller


@pytest.fixture
def rig(tmp_path: Path, clock: time_machine.Traveller) -> Iterator[Rig]:
    """The exchange of the market that takes turns."""
    tape, feed = turns_market()
    with Rig(tmp_path, (tape, feed), unlimited=True) as opened:
        feed.triggers = lambda symbol: [
            float(stop.request.trigger_price or 0) for stop in opened.live_stops(symbol)
        ]
        yield opened


def observe(strategy: IStrategy) -> list[Decision]:
    """Return the list that the decisions of a strategy's guard will be on, by their candle."""
    heard: list[Decision] = []
    running = runtime_of(strategy)
    running.pre_trade.policy.observe = lambda one: heard.append(
        replace(one, moment=candle_of(one.moment))
    )
    return heard


def candle_of(moment: datetime) -> datetime:
    """Return when the candle of a moment opened."""
    return moment.replace(second=0, microsecond=0)


def lived(rig: Rig, clock: time_machine.Traveller) -> Run:
    """Live through the market, and store the candles the bot was served as Freqtrade's data."""
    bot = rig.bot(STRATEGY, qt=QT)
    decisions = observe(bot.strategy)
    candles = [served(bot)]
    rows: dict[str, list[pd.DataFrame]] = {pair: [] for pair in PAIRS}
    for minute in range(MINUTES):
        moves = minute % 2 == 0
        clock.move_to(START + minute * MINUTE + timedelta(seconds=50 if moves else 2))
        bot.process()
        for pair in PAIRS:
            rows[pair].append(bot.dataprovider.get_analyzed_dataframe(pair, "1m")[0].iloc[-1:])
    candles.append(served(bot))
    for pair, interval in candles[0]:
        whole = pd.concat(part[pair, interval] for part in candles)
        whole = whole.drop_duplicates("date").sort_values("date").reset_index(drop=True)
        store = get_datahandler(rig.folder, "feather").ohlcv_store
        store(pair, interval, whole, CandleType.FUTURES)
    run = Run(
        decisions,
        {pair: pd.concat(parts) for pair, parts in rows.items()},
        fills(Trade.get_trades_proxy()),
        closed(Trade.get_trades_proxy()),
    )
    rig.forget(bot)
    bot.cleanup()
    return run


def served(bot: FreqtradeBot) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the closed candles the bot has of each pair and interval."""
    ohlcv = bot.dataprovider.ohlcv
    return {(pair, interval): ohlcv(pair, interval) for pair in PAIRS for interval in INTERVALS}


class Watched(Backtesting):
    """A backtest whose decisions are heard."""

    decisions: list[Decision]

    def _set_strategy(self, strategy: IStrategy) -> None:
        super()._set_strategy(strategy)
        self.decisions = observe(strategy)


def backtested(rig: Rig) -> Run:
    """Backtest the stored candles with the configuration of the live run."""
    rig.config(STRATEGY, qt=QT, futures_funding_rate=0.0)
    arguments = {
        "config": [str(base_config()), str(rig.folder / "overlay.json")],
        "strategy": STRATEGY,
        "strategy_path": str(HERE),
        "user_data_dir": str(rig.folder),
        "datadir": str(rig.folder),
        "backtest_cache": "none",
        "timerange": f"{START.timestamp():.0f}-{LAST.timestamp():.0f}",
    }
    backtest = Watched(Configuration(arguments, RunMode.BACKTEST).get_config())
    try:
        candles, timerange = backtest.load_bt_data()
        backtest.backtest_one_strategy(backtest.strategylist[0], candles, timerange)
        frames = {
            pair: backtest.dataprovider.get_analyzed_dataframe(pair, "1m")[0] for pair in PAIRS
        }
        return Run(
            backtest.decisions, frames, fills(LocalTrade.bt_trades), closed(LocalTrade.bt_trades)
        )
    finally:
        Backtesting.cleanup()


def fills(trades: Iterable[LocalTrade]) -> list[Fill]:
    """Return every entry of some trades, by time and pair."""
    found = [
        Fill(
            candle_of(order.order_filled_utc or START),
            trade.pair,
            trade.is_short,
            order.safe_filled,
            order.safe_price,
            trade.leverage,
            order.ft_order_tag,
            trade.initial_stop_loss,
        )
        for trade in trades
        for order in trade.orders
        if order.ft_order_side == trade.entry_side
    ]
    return sorted(found, key=lambda fill: (fill.candle, fill.pair))


def closed(trades: Iterable[LocalTrade]) -> list[tuple[datetime, str, float, float]]:
    """Return candle, pair, price and profit of each trade that closed before the last candle."""
    return sorted(
        (candle_of(trade.close_date_utc), trade.pair, trade.close_rate, trade.close_profit_abs)
        for trade in trades
        if trade.close_date_utc is not None and candle_of(trade.close_date_utc) < LAST
    )


def shared(run: Run, pair: str) -> pd.DataFrame:
    """Return the rows of a run's frame for the live minutes, by date."""
    frame = run.frames[pair].drop_duplicates("date").set_index("date")[COLUMNS]
    frame.index = pd.DatetimeIndex(frame.index).as_unit("ms")
    frame["enter_tag"] = frame["enter_tag"].fillna("").astype(str)
    return frame[(frame.index >= START) & (frame.index < LAST)]


def short_verdicts(run: Run) -> Counter[str]:
    """Count what the gate made of the shorts the strategy wanted, by the regime."""
    counts: Counter[str] = Counter()
    for pair in PAIRS:
        frame = shared(run, pair)
        for _, row in frame[frame["wants_short"] == 1].iterrows():
            verdict = "allowed" if row["enter_short"] == 1 else "refused"
            rare = RARE_SHORT_TAG in row["enter_tag"]
            counts[f"{row[REGIME]}: {'rare' if rare else verdict}"] += 1
    return counts


def test_live_and_backtest_decide_alike(rig: Rig, clock: time_machine.Traveller) -> None:
    """Every signal, verdict, stop, leverage and size of three hours is the same on both sides.

    In this market the fills of both are too, so that equity and open positions are, and no decision
    has to be left out. A fee of the exchange's is rounded to 1e-8 USDT, which equity remembers.
    """
    live, back = lived(rig, clock), backtested(rig)

    for pair in PAIRS:
        pd.testing.assert_frame_equal(
            shared(live, pair), shared(back, pair), check_dtype=False, rtol=1e-12
        )
    shorts = short_verdicts(live)
    print(shorts)
    assert shorts["UPTREND: rare"] >= 10
    assert shorts["UPTREND: refused"] >= 20
    assert shorts["SIDEWAYS: allowed"] >= 10
    assert shorts["DOWNTREND: allowed"] >= 10

    key = [(one.moment, one.pair, one.is_short, one.code) for one in live.decisions]
    assert sorted(key, key=str) == sorted(
        [(one.moment, one.pair, one.is_short, one.code) for one in back.decisions], key=str
    )
    for one, other in matched(live, back):
        assert numbers(one)[:2] == pytest.approx(numbers(other)[:2], rel=0, nan_ok=True)
        assert numbers(one)[2:] == pytest.approx(numbers(other)[2:], rel=1e-7, nan_ok=True)
    codes = Counter(one.code for one in live.decisions)
    print(codes)
    assert codes[None] >= 60
    assert codes[DenyCode.OPEN_RISK_FULL] >= 20
    assert codes[DenyCode.SYMBOL_FULL] >= 5
    assert codes[DenyCode.AVERAGING_DOWN] >= 5
    levers = {(one.pair, one.leverage) for one in live.decisions if one.leverage == one.leverage}
    print(sorted(levers))
    assert len(levers) >= len(PAIRS) + 2, "leverage is to be lowered for some"

    assert live.fills == back.fills
    assert len(live.fills) == codes[None]
    assert [row[:3] for row in live.closed] == [row[:3] for row in back.closed]
    assert [row[3] for row in live.closed] == pytest.approx([r[3] for r in back.closed], abs=1e-6)
    assert len(live.closed) >= 30


def matched(live: Run, back: Run) -> list[tuple[Decision, Decision]]:
    """Return the decisions of both runs on the same entries."""
    other = {(one.moment, one.pair): one for one in back.decisions}
    assert len(other) == len(back.decisions), "one decision for each candle and pair"
    return [(one, other[one.moment, one.pair]) for one in live.decisions]


def numbers(one: Decision) -> tuple[float, ...]:
    """Return rate, leverage, stop distance and loss of a decision."""
    return one.rate, one.leverage, one.distance, one.loss_ratio
