"""What a bot costs over some time: its process, and what the exchange is asked."""

import math
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.live_bot import Bot, Exchange, Venue, opened
from benchmarks.never_naked.rig import tell

#: Names of strategies/LoopSignals.py.
LOOPS = "loops"
HOUR_S, MINUTE_S = 3600, 60
#: The longest window that a full hour is kept out of.
SHORT_S = 600
#: Where in a minute a window begins: what the new candle brings is over by then, so a window of
#: whole minutes has as many candles whatever the load.
OFFSET_S = 20
_MB = 1_000_000

#: How often an endpoint was asked at one weight each.
Costs = Counter[tuple[str, int]]


@dataclass(frozen=True)
class Reading:
    """Everything counted since the start, at one moment.

    Attributes:
        at: `time.monotonic()`.
        cpu_s: Seconds of CPU of the process and its children.
        threads: Threads of the process.
        rss_mb: Its memory, MB.
        loops: The bot's loops.
        costs: Requests.
        refusals: Answers by HTTP status, errors only.
        summary: `summary` of the exchange's report.
    """

    at: float
    cpu_s: float
    threads: int
    rss_mb: float
    loops: int
    costs: Costs
    refusals: Mapping[str, int]
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """What was used between two readings.

    Attributes:
        minutes: Time between them.
        cpu_s: Seconds of CPU.
        loops: The bot's loops.
        costs: Requests.
        too_many: Answers 429 and 418.
        stops: Stops that were accepted.
        naked_s: Seconds in which positions lacked cover, added up.
        threads: Threads at the end.
        rss_mb: Memory at the end, MB.
    """

    minutes: float
    cpu_s: float
    loops: int
    costs: Costs
    too_many: int
    stops: int
    naked_s: float
    threads: int
    rss_mb: float

    @property
    def requests(self) -> int:
        """How many requests."""
        return self.costs.total()

    @property
    def weight(self) -> int:
        """Their weight."""
        return sum(each * count for (_, each), count in self.costs.items())

    def a_minute(self) -> dict[str, Any]:
        """Return the figures for a minute, and those at the end."""
        loops = max(1, self.loops)
        return {
            "loops": round(self.loops / self.minutes, 1),
            "cpu_s": round(self.cpu_s / self.minutes, 2),
            "cpu_ms_a_loop": round(1000 * self.cpu_s / loops, 1),
            "requests": round(self.requests / self.minutes, 1),
            "requests_a_loop": round(self.requests / loops, 2),
            "weight": round(self.weight / self.minutes, 1),
            "weight_a_loop": round(self.weight / loops, 2),
            "too_many": self.too_many,
            "threads": self.threads,
            "rss_mb": round(self.rss_mb),
        }


def between(before: Reading, after: Reading) -> Usage:
    """Return what was used between two readings of one bot."""

    def too_many(reading: Reading) -> int:
        return reading.refusals.get("429", 0) + reading.refusals.get("418", 0)

    costs = Counter(after.costs)
    costs.subtract(before.costs)
    return Usage(
        minutes=(after.at - before.at) / MINUTE_S,
        cpu_s=after.cpu_s - before.cpu_s,
        loops=after.loops - before.loops,
        costs=+costs,
        too_many=too_many(after) - too_many(before),
        stops=after.summary["stops"]["accepted"] - before.summary["stops"]["accepted"],
        naked_s=after.summary["naked_total_s"] - before.summary["naked_total_s"],
        threads=after.threads,
        rss_mb=after.rss_mb,
    )


@dataclass(frozen=True)
class Metered:
    """A bot on an exchange of its own, both running."""

    exchange: Exchange
    process: "subprocess.Popen[bytes]"

    @property
    def user_data(self) -> Path:
        """The bot's folder of user data."""
        return self.exchange.folder / "user_data"

    def read(self) -> Reading:
        """Take a reading.

        Raises:
            RuntimeError: If the bot has ended.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the bot ended by itself; see the log in {self.exchange.folder}")
        process = psutil.Process(self.process.pid)
        report, costs = self.exchange.ask("report"), self.exchange.ask("requests")
        loops = self.user_data / LOOPS
        return Reading(
            at=time.monotonic(),
            cpu_s=_cpu_s(process),
            threads=process.num_threads(),
            rss_mb=process.memory_info().rss / _MB,
            loops=loops.stat().st_size if loops.exists() else 0,
            costs=Counter({(row["endpoint"], row["each"]): row["requests"] for row in costs}),
            refusals=report["traffic"]["refusals"],
            summary=report["summary"],
        )


@contextmanager
def side_by_side(
    folder: Path, bots: Mapping[str, Bot], venue: Venue
) -> Iterator[dict[str, Metered]]:
    """Run bots at the same time, each on an exchange of its own with the same market."""
    with ExitStack() as stack:
        metered = {}
        for name, bot in bots.items():
            where = folder / name
            where.mkdir(parents=True, exist_ok=True)
            exchange = stack.enter_context(opened(venue, where))
            metered[name] = Metered(exchange, stack.enter_context(exchange.traded_by(bot)))
        yield metered


def until_all(
    metered: Mapping[str, Metered], is_ready: Callable[[Reading], bool], patience_s: float
) -> None:
    """Wait until each bot is ready.

    Raises:
        RuntimeError: If one is not in time, or has ended.
    """
    end = time.monotonic() + patience_s
    waiting = dict(metered)
    while waiting:
        waiting = {name: bot for name, bot in waiting.items() if not is_ready(bot.read())}
        if time.monotonic() > end:
            raise RuntimeError(f"not ready after {patience_s:.0f} s: {', '.join(waiting)}")
        time.sleep(1.0)


def window_start(now_s: float, seconds: float) -> float:
    """Return when to begin to measure: at `OFFSET_S` of a minute, without a full hour in between.

    A full hour brings candles of longer intervals, and payments of funding. A long window takes
    them as they come.

    Args:
        now_s: Epoch seconds.
        seconds: How long it takes.
    """
    start = math.ceil((now_s - OFFSET_S) / MINUTE_S) * MINUTE_S + OFFSET_S
    while seconds <= SHORT_S and start // HOUR_S != (start + seconds) // HOUR_S:
        start += MINUTE_S
    return float(start)


def measured(metered: Mapping[str, Metered], seconds: float) -> dict[str, Usage]:
    """Return what each bot uses in a window that begins at the next good moment."""
    start = window_start(time.time(), seconds)
    tell(f"  measures {seconds:.0f} s, in {start - time.time():.0f} s")
    time.sleep(max(0.0, start - time.time()))
    before = {name: bot.read() for name, bot in metered.items()}
    time.sleep(max(0.0, start + seconds - time.time()))
    return {name: between(before[name], bot.read()) for name, bot in metered.items()}


def _cpu_s(process: psutil.Process) -> float:
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return float(total)
