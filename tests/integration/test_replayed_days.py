"""The night of 2025-02-03, as it was recorded, lived through by the real bot in fast motion."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import time_machine
from freqtrade.freqtradebot import FreqtradeBot

from qt_protections.rehearsal.market.replay import open_replay
from tests.integration.rig import Rig

EVENT = Path(__file__).parents[3] / "shared/data/events/2025-02-03_binance"
START = datetime(2025, 2, 2, 16, tzinfo=UTC)
STEP, STEPS = timedelta(minutes=30), 24
COLUMNS = ["open", "high", "low", "close", "volume"]

pytestmark = pytest.mark.skipif(
    not EVENT.is_dir(), reason=f"the recorded day is not beside the project: {EVENT}"
)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The time of day of bot and exchange, which stands still unless moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def rig(tmp_path: Path, clock: time_machine.Traveller) -> Iterator[Rig]:
    """An exchange that replays the day from `START` on, at its own time."""
    start_ms = int(START.timestamp() * 1000)
    tape, feed, facts = open_replay(EVENT, start_ms, 1.0, 7, start_ms)
    assert facts.shift_ms == 0
    with Rig(tmp_path, (tape, feed), unlimited=True) as opened:
        yield opened


def closed_candles(bot: FreqtradeBot, pair: str, now: datetime) -> pd.DataFrame:
    """Return the bot's own 1m candles of a pair that have closed, by date."""
    frame = bot.dataprovider.get_pair_dataframe(pair, "1m").set_index("date")[COLUMNS]
    return frame[frame.index < now.replace(second=0)]


def test_the_bots_candles_are_the_files(rig: Rig, clock: time_machine.Traveller) -> None:
    """Through a fall of a quarter: every candle is the file's, every position covered."""
    bot = rig.bot("GuardedAlways", max_open_trades=8, qt={"regime_pair": "ETH/USDT:USDT"})
    pairs = bot.config["exchange"]["pair_whitelist"]
    seen: dict[str, list[pd.DataFrame]] = {pair: [] for pair in pairs}
    for _ in range(STEPS):
        clock.shift(STEP)
        bot.process()
        for pair in pairs:
            seen[pair].append(closed_candles(bot, pair, datetime.now(UTC)))
    for pair in pairs:
        lived = pd.concat(seen[pair])
        lived = lived[~lived.index.duplicated()].sort_index()
        file = EVENT / f"futures/{pair[:-10]}_USDT_USDT-1m-futures.feather"
        recorded = pd.read_feather(file).set_index("date")[COLUMNS]
        assert lived.index[0] <= START - timedelta(hours=8)
        assert lived.index[-1] == START + STEP * STEPS - timedelta(minutes=1)
        pd.testing.assert_frame_equal(
            lived, recorded.loc[lived.index[0] : lived.index[-1]], check_index_type=False
        )
    summary = rig.report()["summary"]
    assert summary["closed"] >= 8
    assert summary["naked_s"]["max"] == 0
