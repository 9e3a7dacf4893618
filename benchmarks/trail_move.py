"""What it costs to move a stop: requests, weight and CPU a move, guarded beside plain Freqtrade.

`python -m benchmarks.trail_move` needs no network. Both bots hold the same positions, each on a
rehearsal exchange of its own with the same market. First their stops stand still, then a
strategy's custom stop moves them in every loop. A move's cost is what a loop then costs more, by
the number of stops the exchange accepted. Plain Freqtrade cancels a stop before it places the
next, so its positions are naked meanwhile.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from benchmarks.live_bot import Bot, Venue
from benchmarks.loop_cost import BALANCE, PATIENCE_S, SETTINGS, STAKE, chosen
from benchmarks.meter import Reading, Usage, measured, side_by_side, until_all
from benchmarks.never_naked import tables
from benchmarks.never_naked.rig import tell

#: Of strategies/LoopSignals.py.
MOVING = "moving"
SECONDS, PAIRS = 60, 7

Figures = dict[str, Any]
ROWS: tables.Rows = (
    ("moves", "moves"),
    ("requests a move", "a_move.requests"),
    ("weight a move", "a_move.weight"),
    ("CPU a move, ms", "a_move.cpu_ms"),
    ("  by endpoint (weight)", "a_move.endpoints"),
    ("naked a move, ms", "a_move.naked_ms"),
    ("requests a loop: stops at rest", "still.requests_a_loop"),
    ("  moving", "moving.requests_a_loop"),
    ("weight a loop: stops at rest", "still.weight_a_loop"),
    ("  moving", "moving.weight_a_loop"),
)


def main() -> None:
    """Measure, and print a table and JSON."""
    arguments = _arguments()
    with TemporaryDirectory(prefix="trail-move-") as temporary:
        folder = Path(temporary) if arguments.out is None else arguments.out
        runs = _run(arguments, folder)
    Console(width=100).print(tables.side_by_side("The cost of moving a stop", ROWS, runs))
    ratio = {
        name: round(runs["guarded"]["a_move"][name] / runs["plain"]["a_move"][name], 2)
        for name in ("requests", "weight", "cpu_ms")
        if runs["plain"]["a_move"][name]
    }
    result = {"what": "the cost of moving a stop", "runs": runs, "ratio": ratio}
    print(json.dumps(result, indent=2))


def a_move(still: Usage, moving: Usage) -> Figures:
    """Return what a move cost beyond what as many loops cost without any.

    By loops and not by time: moves take time, so there may be fewer loops in a minute.

    Args:
        still: Of a window without moves.
        moving: Of one with moves.
    """
    share, count = moving.loops / max(1, still.loops), max(1, moving.stops)
    return {
        "requests": round((moving.requests - still.requests * share) / count, 2),
        "weight": round((moving.weight - still.weight * share) / count, 2),
        "cpu_ms": round(1000 * (moving.cpu_s - still.cpu_s * share) / count, 1),
        "naked_ms": round(1000 * moving.naked_s / count, 1),
        "endpoints": {
            f"{endpoint} ({each})": each_move
            for (endpoint, each), asked in sorted(moving.costs.items())
            if (each_move := round((asked - still.costs[endpoint, each] * share) / count, 1))
        },
    }


def _run(arguments: argparse.Namespace, folder: Path) -> dict[str, Figures]:
    held, _ = chosen(PAIRS, arguments.open, 0)
    settings = SETTINGS | {"BENCH_HELD": ",".join(held)}
    bot = Bot("GuardedTrail", STAKE, arguments.throttle, environment=settings)
    bots = {"plain": replace(bot, strategy="PlainTrail"), "guarded": bot}
    venue = Venue("calm", arguments.seed, None, arguments.latency_ms, BALANCE, PAIRS)

    def holds_all(reading: Reading) -> bool:
        return bool(reading.summary["open"] == len(held))

    with side_by_side(folder, bots, venue) as metered:
        until_all(metered, holds_all, PATIENCE_S)
        tell("stops at rest")
        still = measured(metered, arguments.seconds)
        for one in metered.values():
            (one.user_data / MOVING).touch()
        tell("stops that move")
        moving = measured(metered, arguments.seconds)
    return {
        name: {
            "moves": moving[name].stops,
            "a_move": a_move(still[name], moving[name]),
            "still": still[name].a_minute(),
            "moving": moving[name].a_minute(),
        }
        for name in bots
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trail_move",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--open", type=int, default=5, help="positions held (5)")
    parser.add_argument("--throttle", type=int, default=5, help="seconds a loop (5)")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help=f"of each of two windows ({SECONDS})"
    )
    parser.add_argument("--latency-ms", type=int, default=50, help="round trip added (50)")
    parser.add_argument("--seed", type=int, default=7, help="of the market (7)")
    parser.add_argument("--out", type=Path, help="keep logs and journals in this new folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
