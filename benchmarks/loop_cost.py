"""What a loop costs with the guard and without: requests, their weight, CPU, threads.

`python -m benchmarks.loop_cost` needs no network. Plain Freqtrade and the guarded bot run side by
side, each on a rehearsal exchange of its own with the same market, and hold the same positions.
Standing signals that the guard refuses come in each candle; plain Freqtrade does not have these
signals, so that all they cost is the guard's (`--plain-asks` gives them to plain Freqtrade too,
whose strategy then refuses them). The window holds no entry and no exit.
"""

import argparse
import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.live_bot import Bot, Venue
from benchmarks.meter import Reading, Usage, measured, side_by_side, until_all
from benchmarks.never_naked.rig import tell
from qt_protections.rehearsal.market.instruments import Instrument, offered

SECONDS, PATIENCE_S = 300, 420
#: Of equity at risk, a position's stop 3 % away is worth some 14 USDT, of which the exchange takes
#: 5. One 10 % away would be worth 4.5, and is refused.
BALANCE, STAKE = 470, 3
SETTINGS = {"QT_RISK_PER_TRADE": "0.1", "QT_MAX_OPEN_RISK": "100"}
STREAM_DOWN = Path(__file__).with_name("stream_down.toml")
#: Five positions, 30 pairs, 12 standing refusals: the guard's own request weight a minute, at most.
TARGETS = {("up", 5): 60, ("up", 1): 150, ("down", 5): 250, ("down", 1): 250}
#: Stream, pairs, seconds of a loop: what docs/benchmarks.md shows.
MATRIX = (
    ("up", 30, 5), ("up", 30, 2), ("up", 30, 1), ("down", 30, 5),
    ("up", 7, 1), ("up", 80, 5), ("up", 80, 1),
)  # fmt: skip
COLUMNS = (
    "stream", "pairs", "throttle", "open", "refused", "loops", "requests", "guard's", "weight",
    "guard's", "a loop", "target", "CPU, s", "ratio", "threads", "429, 418",
)  # fmt: skip
_SKIPPED = re.compile(r"Skipping\s+(\w+):")  # a console breaks lines where it is narrow

Figures = dict[str, Any]


def main() -> None:
    """Measure each combination, and print a table and JSON."""
    arguments = _arguments()
    cells = []
    with TemporaryDirectory(prefix="loop-cost-") as temporary:
        folder = Path(temporary) if arguments.out is None else arguments.out
        wanted = itertools.product(arguments.stream, arguments.pairs, arguments.throttle)
        for stream, pairs, throttle_s in MATRIX if arguments.matrix else wanted:
            name = f"stream-{stream}-{pairs}-pairs-{throttle_s}-s"
            tell(name)
            try:
                found = cell(arguments, folder / name, stream, pairs, throttle_s)
            except RuntimeError as failure:
                tell(f"  failed: {failure}")
                size = {"stream": stream, "pairs": pairs, "throttle_s": throttle_s}
                cells.append(size | {"failed": str(failure)})
                continue
            alone = found["guard_alone"]
            tell(f"  the guard alone: {alone['requests']} requests, weight {alone['weight']}")
            cells.append(found)
    done = [one for one in cells if "failed" not in one]
    Console(width=180).print(summary(done))
    for one in done:
        Console(width=160).print(by_endpoint(one))
    print(json.dumps({"what": "a minute of plain Freqtrade and guarded", "cells": cells}, indent=2))
    if len(done) < len(cells):
        raise SystemExit(1)


def cell(
    arguments: argparse.Namespace, folder: Path, stream: str, pairs: int, throttle_s: int
) -> Figures:
    """Measure one combination."""
    held, refused = chosen(pairs, arguments.open, arguments.refusals)
    both = {"BENCH_HELD": _listed(held), "BENCH_TIMEFRAME": arguments.timeframe}
    bot = Bot(
        "GuardedLoop",
        stake=STAKE,
        throttle_s=throttle_s,
        config={"max_open_trades": len(held) + len(refused) + 1},
        environment=SETTINGS | both | {"BENCH_REFUSED": _listed(refused)},
    )
    asked = bot.environment if arguments.plain_asks else both
    bots = {"plain": replace(bot, strategy="PlainLoop", environment=asked), "guarded": bot}
    faults = None if stream == "up" else str(STREAM_DOWN)
    venue = Venue("calm", arguments.seed, faults, arguments.latency_ms, BALANCE, pairs)

    def holds_all(reading: Reading) -> bool:
        return bool(reading.summary["open"] == len(held))

    with side_by_side(folder, bots, venue) as metered:
        until_all(metered, holds_all, PATIENCE_S)
        used = measured(metered, arguments.seconds)
        at_end = {name: bot.read() for name, bot in metered.items()}
        # Its console: below pytest Freqtrade writes no log file.
        log = (metered["guarded"].exchange.folder / f"{bot.log}.console").read_text()
    skipped = len(set(_SKIPPED.findall(log)))
    still = {name: (r.summary["open"], r.summary["closed"]) for name, r in at_end.items()}
    return {
        "throttle_s": throttle_s,
        "pairs": pairs,
        "open": len(held),
        "refusals": len(refused),
        "stream": stream,
        "seconds": arguments.seconds,
        # Whether the window shows what was meant: all is held, nothing was closed, all was refused.
        "as_meant": skipped == len(refused)
        and all(counts == (len(held), 0) for counts in still.values()),
        "refused_by_guard": skipped,
        **compared(used["plain"], used["guarded"]),
        "target_weight": _target(stream, throttle_s, pairs, len(held), len(refused)),
    }


def chosen(pairs: int, held: int, refused: int) -> tuple[list[str], list[str]]:
    """Return which pairs are held, and whose signals are refused.

    Contracts of which the exchange takes no small order cannot be held at so small a risk: they
    are the first to be refused.
    """
    on_offer = offered(pairs)
    small = [item for item in on_offer if item.min_notional <= 5]
    large = [item for item in on_offer if item not in small]
    if len(small) < held:
        raise SystemExit(f"--open {held} is more than the {len(small)} small contracts on offer")
    return _pairs(small[:held]), _pairs((large + small[held:])[:refused])


def compared(plain: Usage, guarded: Usage) -> Figures:
    """Return both sides, what is the guard's alone, and the ratios."""
    left, right = plain.a_minute(), guarded.a_minute()
    told = ("requests", "requests_a_loop", "weight", "weight_a_loop", "cpu_s", "cpu_ms_a_loop")
    return {
        "plain": left,
        "guarded": right,
        "guard_alone": {
            name: round(right[name] - left[name], 2) for name in (*told, "threads", "rss_mb")
        },
        "ratio": {
            name: round(right[name] / left[name], 3) if left[name] else None
            for name in ("requests", "weight", "cpu_s")
        },
        "endpoints": endpoints(plain, guarded),
    }


def endpoints(plain: Usage, guarded: Usage) -> list[Figures]:
    """Return how often each endpoint is asked a minute, the dearest of the guard's first."""

    def row(endpoint: str, each: int) -> Figures:
        key = (endpoint, each)
        counts = [used.costs[key] / used.minutes for used in (plain, guarded)]
        return {
            "endpoint": endpoint,
            "each": each,
            "plain": round(counts[0], 1),
            "guarded": round(counts[1], 1),
            "guard_alone": round(counts[1] - counts[0], 1),
            "guard_alone_weight": round((counts[1] - counts[0]) * each, 1),
        }

    rows = [row(*key) for key in {*plain.costs, *guarded.costs}]
    return sorted(rows, key=lambda r: (-r["guard_alone_weight"], -r["guard_alone"], r["endpoint"]))


def summary(cells: Iterable[Figures]) -> Table:
    """Return the table of all combinations: plain, guarded, and what the guard adds."""
    table = Table(title="A minute of plain / guarded, and the guard alone", box=box.SIMPLE_HEAD)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for one in cells:
        table.add_row(*map(str, summary_row(one)))
    return table


def summary_row(one: Figures) -> tuple[object, ...]:
    """Return a combination's row of the table."""
    plain, guarded, alone = one["plain"], one["guarded"], one["guard_alone"]

    def both(name: str) -> str:
        return f"{plain[name]:g} / {guarded[name]:g}"

    return (
        one["stream"], one["pairs"], f"{one['throttle_s']} s", one["open"], one["refusals"],
        both("loops"), both("requests"), f"{alone['requests']:g}", both("weight"),
        f"{alone['weight']:g}", alone["weight_a_loop"], one["target_weight"] or "",
        both("cpu_s"), one["ratio"]["cpu_s"], both("threads"), both("too_many"),
    )  # fmt: skip


def by_endpoint(one: Figures) -> Table:
    """Return the table of one combination's requests."""
    title = (
        f"Requests a minute: stream {one['stream']}, {one['pairs']} pairs, {one['throttle_s']} s"
    )
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("endpoint")
    for column in ("weight", "plain", "guarded", "guard's", "guard's weight"):
        table.add_column(column, justify="right")
    for row in one["endpoints"]:
        table.add_row(row["endpoint"], *(f"{row[name]:g}" for name in list(row)[1:]))
    return table


def _target(stream: str, throttle_s: int, *size: int) -> int | None:
    return TARGETS.get((stream, throttle_s)) if size == (30, 5, 12) else None


def _pairs(instruments: Iterable[Instrument]) -> list[str]:
    return [f"{item.base}/USDT:USDT" for item in instruments]


def _listed(pairs: Iterable[str]) -> str:
    return ",".join(pairs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop_cost",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_size(parser)
    parser.add_argument("--throttle", type=int, nargs="+", default=[5], help="seconds a loop (5)")
    parser.add_argument("--pairs", type=int, nargs="+", default=[30], help="how many (30)")
    parser.add_argument(
        "--stream", nargs="+", choices=("up", "down"), default=["up"], help="of user data (up)"
    )
    parser.add_argument("--matrix", action="store_true", help="the page's combinations instead")
    parser.add_argument(
        "--plain-asks", action="store_true", help="give plain Freqtrade the refused signals too"
    )
    parser.add_argument("--out", type=Path, help="keep logs and journals in this new folder")
    return parser.parse_args()


def add_size(parser: argparse.ArgumentParser) -> None:
    """Add the options that `ratchet` takes too, and what it leaves at its default."""
    parser.set_defaults(plain_asks=False)
    parser.add_argument("--open", type=int, default=5, help="positions held (5)")
    parser.add_argument("--refusals", type=int, default=12, help="standing signals refused (12)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"measured ({SECONDS})")
    parser.add_argument("--timeframe", default="5m", help="of the signals (5m)")
    parser.add_argument("--latency-ms", type=int, default=50, help="round trip added (50)")
    parser.add_argument("--seed", type=int, default=7, help="of the market (7)")


if __name__ == "__main__":
    main()
