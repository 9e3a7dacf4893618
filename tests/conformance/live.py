"""Strategies lived on the rehearsal exchange, plain and guarded with every rule off, and compared.

    python -m tests.conformance.live                    every strategy
    python -m tests.conformance.live Pyramid Grinder    these
    python -m tests.conformance.live --json > out.json  as JSON, with every trade

Exit code: 0 all equal, 1 one or more differ, 2 one or more could not be compared: no trade in the
minutes that were lived, or an error. The exchange trades futures alone: of the strategies of spot
only those are lived that Freqtrade takes there as well.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from qt_protections.conformance.guarding import Found, strategies
from qt_protections.conformance.runs import processes
from tests.conformance.lived import MINUTES, Lived, difference, lived

_FOLDER = Path(__file__).parent / "strategies"
#: Those of spot that Freqtrade takes on futures as well; version 2 it takes on spot alone.
_OF_SPOT = ("MixedNames", "SpotStop")
#: Strategies that trade at certain hours only: how many minutes later their bot begins.
_LATER = {"ConfirmOld": 40, "SmallStakes": 40}


class Verdict(StrEnum):
    """What came out for one strategy."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOTHING = "nothing to compare"
    FAILED = "could not run"


@dataclass(slots=True)
class Result:
    """One strategy: the trades of both, and how long both took, seconds."""

    strategy: str
    verdict: Verdict = Verdict.FAILED
    words: str = ""
    seconds: float = 0.0
    plain: list[Lived] = field(default_factory=list)
    guarded: list[Lived] = field(default_factory=list)

    @property
    def exits(self) -> str:
        """The exit reasons of the plain strategy, with how often each came."""
        counts = Counter(each.reason for each in self.plain if each.reason)
        return ", ".join(f"{reason} {count}" for reason, count in counts.most_common())


def all_strategies() -> list[Found]:
    """Return every strategy that can be lived."""
    of_spot = [each for each in strategies(_FOLDER / "spot") if each.name in _OF_SPOT]
    return [*strategies(_FOLDER / "futures"), *of_spot]


def compared(found: Found, minutes: int) -> Result:
    """Live a strategy both ways."""
    result = Result(found.name)
    began = time.perf_counter()
    live = partial(lived, found, minutes=minutes, later=_LATER.get(found.name, 0))
    result.plain = live(guarded=False)
    try:
        result.guarded = live(guarded=True)
    except Exception:
        result.verdict = Verdict.DIFFERENT
        result.words = f"the guarded one alone fails: {traceback.format_exc()}"
        return result
    result.seconds = round(time.perf_counter() - began, 1)
    result.words = difference(result.plain, result.guarded) or ""
    result.verdict = Verdict.DIFFERENT if result.words else Verdict.EQUAL
    if not (result.plain or result.guarded):
        result.verdict = Verdict.NOTHING
    return result


def main(arguments: Sequence[str]) -> int:
    """Live what is named, or all; return the exit code."""
    asked = _parser().parse_args(arguments)
    found = {each.name: each for each in all_strategies()}
    if unknown := set(asked.names) - found.keys():
        sys.exit(f"no such strategy: {', '.join(sorted(unknown))}")
    chosen = [found[name] for name in asked.names or found]
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as temporary:
        for result in _live_all(chosen, asked.minutes, asked.keep or Path(temporary), asked.jobs):
            results.append(result)
            print(
                f"[{len(results)}/{len(chosen)}] {result.strategy}: {result.verdict}, "
                f"{len(result.plain)} trades, {result.seconds:.0f} s {result.words}",
                file=sys.stderr,
                flush=True,
            )
    results.sort(key=lambda each: each.strategy)
    if asked.json:
        print(json.dumps([asdict(each) for each in results], indent=2))
    else:
        show(Console(), results)
    verdicts = {each.verdict for each in results}
    if Verdict.DIFFERENT in verdicts:
        return 1
    return 2 if verdicts - {Verdict.EQUAL} else 0


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table, what differs, and how many came out how."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("strategy", "plain", "guarded", "trades are", "exits"):
        table.add_column(name, overflow="fold")
    for each in results:
        counts = (str(len(each.plain)), str(len(each.guarded)))
        table.add_row(each.strategy, *counts, each.verdict, each.exits)
    console.print(table)
    for each in results:
        if each.words:
            console.print(f"{each.strategy}: {each.words}", markup=False, highlight=False)
    sums = Counter(each.verdict for each in results)
    console.print(", ".join(f"{count} {verdict}" for verdict, count in sums.items()))


def _live_all(chosen: Sequence[Found], minutes: int, logs: Path, jobs: int) -> Iterator[Result]:
    """Live each strategy in a process of its own, several at once; yield them as they are ready."""
    logs.mkdir(parents=True, exist_ok=True)
    with processes(jobs) as pool:
        futures = {pool.submit(_quietly, each, minutes, logs): each.name for each in chosen}
        for done in as_completed(futures):
            try:
                yield done.result()
            except Exception as error:  # one strategy's error is told, the others go on
                yield Result(futures[done], words=f"{type(error).__name__}: {error}")


def _quietly(found: Found, minutes: int, logs: Path) -> Result:
    """Live a strategy in a process of its own, whose words go to a file."""
    with (logs / f"{found.name}.log").open("w") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    result = compared(found, minutes)
    (logs / f"{found.name}.json").write_text(json.dumps(asdict(result), indent=2))
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="strategies (default: all)")
    parser.add_argument(
        "--minutes", type=int, default=MINUTES, metavar="N", help=f"of the market ({MINUTES})"
    )
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="at once (1)")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="folder that keeps logs and results"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
