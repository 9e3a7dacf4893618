"""An hour of trading under faults at the shortest loops: does anything grow or run out?"""

import argparse
import itertools
import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
from rich.table import Table

from benchmarks.live_bot import Exchange, log_text, opened
from benchmarks.never_naked import tables
from benchmarks.never_naked.campaigns import exchange, guarded
from benchmarks.never_naked.figures import Figures
from benchmarks.never_naked.rig import tell
from benchmarks.never_naked.trend import Slope, grows, slope
from benchmarks.never_naked.walk import Event

MINUTES = 60
#: Caches fill and the allocator finds its level; a shorter soak gives a third of itself to that.
WARM_UP_S = 600.0
EVERY_S = 10.0
#: Seconds before a full ten of the clock: the last sample of a minute then sees its whole weight.
AHEAD_S = 0.3
#: Memory that surely grows faster is not flat, MB a minute: 0.1 are 144 MB a day.
FLAT_MB_PER_MINUTE = 0.1
#: Open files and sockets that surely grow faster are not flat, each a minute. A pool of connections
#: widens by the most requests that were ever under way at once, which is a step now and then.
FLAT_HANDLES_PER_MINUTE = 0.1
TOO_MANY, BANNED = "429", "418"
_TOO_MANY_CODE = -1003
_MB = 1_000_000


@dataclass(frozen=True)
class Sample:
    """The bot's process at one moment.

    Attributes:
        s: Seconds since its start.
        rss_mb: Memory in RAM, MB.
        uss_mb: The part of it that no other process shares, MB.
        threads: How many.
        handles: Open files and sockets.
        cpu_s: Seconds of CPU since its start.
        weight: Request weight its address used in the present minute, None if not told.
    """

    s: float
    rss_mb: float
    uss_mb: float
    threads: int
    handles: int
    cpu_s: float
    weight: int | None


@dataclass
class Series:
    """Samples of a process, each also a line of a file.

    Attributes:
        samples: Oldest first.
    """

    path: Path
    process: psutil.Process
    samples: list[Sample] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def take(self, exchange_: Exchange) -> None:
        """Take one."""
        memory, cpu = self.process.memory_full_info(), self.process.cpu_times()
        sample = Sample(
            s=round(time.monotonic() - self._started, 1),
            rss_mb=round(memory.rss / _MB, 1),
            uss_mb=round(memory.uss / _MB, 1),
            threads=self.process.num_threads(),
            handles=self.process.num_fds(),
            cpu_s=round(cpu.user + cpu.system, 1),
            weight=used_weight(exchange_),
        )
        self.samples.append(sample)
        with self.path.open("a") as file:
            file.write(json.dumps(vars(sample)) + "\n")
        if len(self.samples) % 6 == 1:
            tell(
                f"  {sample.s:5.0f} s, {sample.rss_mb:.0f} MB, {sample.uss_mb:.0f} MB its own, "
                f"{sample.threads} threads, {sample.handles} handles, weight {sample.weight}"
            )


def soak(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Run one bot for so many minutes, and sample its process."""
    name = "plain" if arguments.plain else "guarded"
    bot = guarded(arguments, arguments.placement[0])
    if arguments.plain:
        bot = replace(bot, strategy="PlainCampaign")
    faults = None if arguments.faults == "none" else arguments.faults
    where = folder / name
    where.mkdir(parents=True, exist_ok=True)
    with (
        opened(exchange(arguments, faults=faults), where) as place,
        place.traded_by(bot) as process,
    ):
        series = Series(where / "series.jsonl", psutil.Process(process.pid))
        _sample(series, place, process, arguments.minutes * 60)
        ended = process.poll() is not None
        report = place.ask("report")
    (where / "report.json").write_text(json.dumps(report, indent=2))
    events = [json.loads(line) for line in place.journal.read_text().splitlines()]
    run = figures(series.samples, report, events, log_text(where / bot.log))
    run["bot_ended"] = ended
    run["broken"] = broken(run)
    table = tables.side_by_side(f"{arguments.minutes:g} minutes", tables.SOAK, {name: run})
    return {name: run, "broken": run["broken"]}, table


def _sample(
    series: Series, place: Exchange, process: "subprocess.Popen[bytes]", seconds: float
) -> None:
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        wait_s = EVERY_S - (time.time() + AHEAD_S) % EVERY_S
        time.sleep(min(wait_s, end - now))
        if process.poll() is not None:
            return
        series.take(place)


def used_weight(place: Exchange) -> int | None:
    """Return the request weight this address used in the present minute, this request's too."""
    answer = place.ping()
    told = None if answer is None else answer.headers.get("X-MBX-USED-WEIGHT-1M")
    return None if told is None else int(told)


def figures(
    samples: Sequence[Sample], report: dict[str, Any], events: Iterable[Event], log: str = ""
) -> Figures:
    """Return what a soak shows; what grows is judged without the time to warm up.

    Args:
        samples: Of the bot's process, oldest first.
        report: The exchange's.
        events: Its journal.
        log: The bot's.
    """
    lasted_s = samples[-1].s if samples else 0.0
    warm_up_s = min(WARM_UP_S, lasted_s / 3)
    warm = [sample for sample in samples if sample.s >= warm_up_s]
    minutes = [sample.s / 60 for sample in warm]
    summary, traffic = report["summary"], report["traffic"]
    whole = [m["requests"] for m in traffic["minutes"][1:-1]]
    weights = weight_by_minute(samples)
    return {
        "minutes": round(lasted_s / 60, 1),
        "warm_up_s": round(warm_up_s),
        "rss": _memory(minutes, [sample.rss_mb for sample in warm]),
        "uss": _memory(minutes, [sample.uss_mb for sample in warm]),
        "threads": _counts([sample.threads for sample in warm]),
        "handles": _handles(minutes, [sample.handles for sample in warm]),
        "cpu_cores": _cores(warm),
        "requests": {"mean": round(mean(whole or [0]), 1), "most": max(whole, default=0)},
        "weight": {"mean": round(mean(weights or [0]), 1), "most": max(weights, default=0)},
        "too_many": too_many(traffic["refusals"], events),
        "entries": summary["entries"],
        "positions": summary["closed"] + summary["open"],
        "naked": {
            "total_s": summary["naked_total_s"],
            "max_s": summary["naked_s"]["max"],
            "by_cause": {cause: gap["seconds"] for cause, gap in summary["naked_by_cause"].items()},
        },
        "log_errors": log.count(" - ERROR - "),
        "reconnects": log.count("User data stream is up again"),
    }


def broken(run: Figures) -> list[str]:
    """Return the promises a soak broke, each in a few words."""
    memory = run["uss"]
    surely = memory["mb_per_minute"] - memory["uncertainty"]
    promises = {
        f"memory grows by {memory['mb_per_minute']:.2f} MB a minute": surely > FLAT_MB_PER_MINUTE,
        "threads grow": run["threads"]["grows"],
        "handles grow": run["handles"]["grows"],
        "too many requests": run["too_many"]["not_injected"] > 0,
        "the bot ended by itself": run["bot_ended"],
    }
    return [text for text, is_broken in promises.items() if is_broken]


def weight_by_minute(samples: Iterable[Sample]) -> list[int]:
    """Return the request weight of each whole minute.

    A sample tells what its minute has used so far: a minute ends where the next sample tells less.
    What was used after its last sample, 0.3 s before its end, is not seen. The first minute and
    the last are not whole.
    """
    told = [sample.weight for sample in samples if sample.weight is not None]
    found = [before for before, after in itertools.pairwise(told) if after < before]
    return found[1:]


def too_many(refusals: dict[str, int], events: Iterable[Event]) -> dict[str, int]:
    """Return the answers 429 and 418, and how many of them no fault accounts for."""
    answered = refusals.get(TOO_MANY, 0) + refusals.get(BANNED, 0)
    injected = sum(e["kind"] == "fault" and e.get("code") == _TOO_MANY_CODE for e in events)
    return {"answers": answered, "not_injected": max(0, answered - injected)}


def _memory(minutes: list[float], mb: list[float]) -> dict[str, float]:
    line = slope(minutes, mb) or Slope(0.0, 0.0)
    return {
        "begin_mb": mb[0] if mb else 0.0,
        "end_mb": mb[-1] if mb else 0.0,
        "most_mb": max(mb, default=0.0),
        "mb_per_minute": round(line.value, 3),
        "uncertainty": round(line.uncertainty, 3),
    }


def _counts(counts: list[int]) -> dict[str, Any]:
    spread = {"least": min(counts, default=0), "most": max(counts, default=0)}
    return spread | {"grows": grows(counts)}


def _handles(minutes: list[float], counts: list[int]) -> dict[str, Any]:
    line = slope(minutes, counts) or Slope(0.0, 0.0)
    found, surely = _counts(counts), line.value - line.uncertainty
    return found | {"grows": found["grows"] and surely > FLAT_HANDLES_PER_MINUTE}


def _cores(samples: Sequence[Sample]) -> float:
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    return round((last.cpu_s - first.cpu_s) / (last.s - first.s), 3)
