"""The file in which a running bot tells what its guard knows, and `qt-guard status` reads it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from qt_protections.reporting.entry_counts import Summary

logger = logging.getLogger(__name__)

#: Within Freqtrade's user_data_dir.
FOLDER = "qt_guard"


@dataclass(frozen=True, slots=True)
class Bot:
    """Whose guard it is.

    Attributes:
        id: The bot's identity in the client ids of its orders.
        name: `bot_name` of the configuration.
        strategy: The class that trades.
        mode: Freqtrade's word: live or dry_run.
        version: Of this package.
        started_at: When the guard took its post, UTC; refusals are counted from then.
    """

    id: str
    name: str
    strategy: str
    mode: str
    version: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class RegimeSeen:
    """The global regime; distance is close over EMA200 minus one. None is unknown."""

    pair: str
    timeframe: str
    regime: str
    distance: float | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in stake currency, and its share of the equity in %; None without equity."""

    amount: float
    pct_of_equity: float | None


@dataclass(frozen=True, slots=True)
class Risk:
    """What may be lost at the stops; `max_open` and `max_group` are None without such a limit."""

    currency: str
    equity: float
    open: Money
    max_open: Money | None
    max_group: Money | None


@dataclass(frozen=True, slots=True)
class Position:
    """A position, or an entry under way, that counts toward the limits.

    Attributes:
        pair: Freqtrade's pair.
        side: long or short.
        amount: Base currency.
        entry: Average price of the entry, quote currency.
        stop: Trigger price of its stop, quote currency.
        entries: How many entries it is made of, filled and waiting.
        risk: What it loses at its stop.
        is_foreign: Whether no trade of the bot's accounts for it.
        stop_state: As in the trade's `qt_stop`: live, in doubt, none.
    """

    pair: str
    side: str
    amount: float
    entry: float
    stop: float
    entries: int
    risk: Money
    is_foreign: bool
    stop_state: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What one rule refused on one pair.

    Attributes:
        pair: Freqtrade's pair.
        code: The rule's.
        text: The last one, in words.
        facts: What that was judged by.
        at: The open time (UTC) of the candle it was last said in; None before the first loop.
        count: In how many candles.
    """

    pair: str
    code: str
    text: str
    facts: dict[str, object]
    at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class ThreadSeen:
    """A thread of the guard's own.

    Attributes:
        name: Of the thread.
        state: running, hangs, dead or ended; ended before its start, too.
        restarts: How often it began again after a failure.
        silent_s: Seconds since its last sign of life; 0 while it waits for work.
    """

    name: str
    state: str
    restarts: int
    silent_s: float


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """The user data stream.

    Attributes:
        state: up; down; mute, it tells nothing of the guard's own orders; late, its events wait.
        since: UTC.
    """

    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WatchSeen:
    """What watches between the bot's loops.

    Attributes:
        threads: Each of them.
        stream: How it hears.
        looked_s: Seconds since the stops of a protected pair were last compared with the book, of
            the pair that waits longest; None if nothing has to be protected.
    """

    threads: tuple[ThreadSeen, ...]
    stream: StreamSeen
    looked_s: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it.

    Attributes:
        written_at: UTC.
        is_running: False in the last one a bot writes, at its end.
        bot: Whose guard it is.
        regime: Where the market stands.
        risk: What may be lost at the stops.
        positions: Each that counts.
        refusals: The newest first.
        totals: Candles with a refusal, by code, summed over pairs.
        watch: What watches between the loops; None where the loop alone does, and in files of
            versions that did not tell.
        summary: What became of the entries since the start; None in files of such versions.
    """

    written_at: datetime
    is_running: bool
    bot: Bot
    regime: RegimeSeen
    risk: Risk
    positions: tuple[Position, ...]
    refusals: tuple[Refusal, ...]
    totals: dict[str, int]
    watch: WatchSeen | None = None
    summary: Summary | None = None


_FORMAT = TypeAdapter(Snapshot)


class Unreadable(Exception):  # noqa: N818  states the fact
    """The file is not what a bot of this version writes."""


def as_json(snapshot: Snapshot) -> bytes:
    """Return what the file holds."""
    return _FORMAT.dump_json(snapshot, indent=2)


def read(path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        FileNotFoundError: If there is none.
        Unreadable: If it cannot be read, or is another version's.
    """
    try:
        return _FORMAT.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"{place}: {first['msg']}" if place else first["msg"]) from error


def status_path(user_data_dir: Path, bot_id: str) -> Path:
    """Return where a bot's snapshot is."""
    return user_data_dir / FOLDER / f"status-{bot_id}.json"


class StatusFile:
    """The newest snapshot on disk, whole at every moment; what fails here disturbs nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_failing = False

    def write(self, make: Callable[[], Snapshot]) -> None:
        """Replace the file by what `make` returns; a failure is logged once, until it works."""
        try:
            self._replace(as_json(make()))
        except Exception as error:
            if not self._is_failing:
                unexpected = not isinstance(error, OSError)
                logger.warning(
                    "qt-guard status is out of date: %s could not be written: %s",
                    self._path,
                    error,
                    exc_info=unexpected,
                )
            self._is_failing = True
        else:
            self._is_failing = False

    def _replace(self, content: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".tmp")
        beside.write_bytes(content)
        beside.replace(self._path)
