"""Recorded candles: reads the 1m futures files of a Freqtrade data folder, whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel

from qt_protections.rehearsal.market.candles import MINUTE_MS, VOLUME, Floats
from qt_protections.rehearsal.market.instruments import REPLAYABLE, Instrument

COLUMNS = ["open", "high", "low", "close", "volume"]
FINEST_STEP = Decimal("1E-8")


class ReplayError(Exception):
    """A market that cannot be replayed; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The 1m candles of one symbol, without gaps.

    Attributes:
        instrument: The symbol.
        start_ms: Opening time of the first candle, epoch milliseconds.
        columns: Rows open, high, low, close (USDT) and volume (base units).
    """

    instrument: Instrument
    start_ms: int
    columns: Floats

    @property
    def last_ms(self) -> int:
        """Opening time of the last candle, epoch milliseconds."""
        return self.start_ms + (len(self.columns[0]) - 1) * MINUTE_MS


class ReplayFacts(BaseModel):
    """Which recorded market is being replayed.

    Attributes:
        start: Time of the first live candle in its file, UTC.
        shift_ms: Added to a file's time to get the exchange's: exact up to `start`, and after it
            while `speed` is 1.
        speed: Candle minutes per minute.
        ends_ms: When the files end and prices begin to hold still, exchange time, epoch
            milliseconds.
    """

    start: datetime
    shift_ms: int
    speed: float
    ends_ms: int


def recorded_files(
    folder: Path, instruments: Sequence[Instrument] = REPLAYABLE
) -> list[tuple[Instrument, Path]]:
    """Return the 1m futures files in `folder`, in the order of `instruments`.

    Raises:
        ReplayError: If there is none.
    """
    names = [(item, f"{item.base}_USDT_USDT-1m-futures.feather") for item in instruments]
    found = [(item, folder / "futures" / name) for item, name in names]
    found = [(item, path) for item, path in found if path.is_file()]
    if not found:
        raise ReplayError(
            f"{folder} has no 1m candles of a symbol this exchange knows: "
            f"expected files such as futures/{names[0][1]}."
        )
    return found


def read_recording(instrument: Instrument, path: Path) -> Recording:
    """Return the candles of one file.

    Args:
        instrument: The symbol.
        path: A feather file; columns date (UTC), open, high, low, close, volume.

    Raises:
        ReplayError: If the file cannot be read, is empty, lacks a value, or lacks a minute.
    """
    try:
        frame = pd.read_feather(path, columns=["date", *COLUMNS])
        times = frame["date"].dt.as_unit("ms").astype("int64").to_numpy()
        columns = frame[COLUMNS].to_numpy(dtype=np.float64).T
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ReplayError(
            f"{path.name} is not a Freqtrade candle file: {str(error).splitlines()[0]}"
        ) from error
    if not len(times):
        raise ReplayError(f"{path.name} has no candles.")
    gaps = np.flatnonzero(np.diff(times) != MINUTE_MS)
    if len(gaps):
        raise ReplayError(
            f"{instrument.symbol} has a gap: its candle of {utc_text(times[gaps[0]])} is followed "
            f"by that of {utc_text(times[gaps[0] + 1])}."
        )
    _check_values(instrument, times, columns)
    return Recording(_fitted(instrument, columns), int(times[0]), columns)


def utc_text(ms: int) -> str:
    """Return a time (epoch milliseconds) as `2025-02-02T20:00` in UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M}"


def _fitted(instrument: Instrument, columns: Floats) -> Instrument:
    """Return the contract with steps as fine as the recorded prices and volumes need.

    Binance coarsens a contract's steps when its price has risen: SOL had a tick of 0.001 early in
    2025, and 0.01 later.
    """
    return replace(
        instrument,
        tick=_step(columns[:VOLUME], instrument.tick),
        step=_step(columns[VOLUME], instrument.step),
    )


def _step(values: Floats, usual: Decimal) -> Decimal:
    step = usual
    while step > FINEST_STEP:
        units = values / float(step)
        if np.allclose(units, np.round(units), rtol=0.0, atol=1e-4):
            break
        step /= 10
    return step


def _check_values(
    instrument: Instrument, times: "np.ndarray[tuple[int], np.dtype[np.int64]]", columns: Floats
) -> None:
    body, volume = columns[[0, 3]], columns[4]
    sound = (
        np.isfinite(columns).all(axis=0)
        & (columns[1] >= body.max(axis=0))
        & (columns[2] <= body.min(axis=0))
        & (columns[2] > 0)
        & (volume >= 0)
        & (times % MINUTE_MS == 0)
    )
    if not sound.all():
        at = utc_text(times[np.flatnonzero(~sound)[0]])
        raise ReplayError(f"{instrument.symbol} has no sound candle at {at}.")
