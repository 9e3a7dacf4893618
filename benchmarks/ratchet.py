"""The guard's cost may not grow unnoticed: a short `loop_cost` against recorded figures.

`python -m benchmarks.ratchet` measures and compares, `--record` writes what was measured into
ratchet.json. All figures are of plain Freqtrade and the guarded bot in one run: what the guard adds
in requests and weight a minute, in threads, and the ratio of both CPU times. The guard asks by the
clock, not by the loop, so a busy machine changes little. CPU depends on what else the machine does,
so its margin is wide: it shows a loop that became more than twice as dear, and no less.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.loop_cost import add_size, cell

FILE = Path(__file__).with_name("ratchet.json")
#: Small, so that it fits into a test: 12 loops a minute, and two signals the guard refuses.
PAIRS, THROTTLE_S = 7, 5
SIZE = ("--refusals=2", "--seconds=60", "--timeframe=1m")
#: By how much a figure may exceed its record: a share of it, and so much on top. On a busy machine
#: events come late, and the guard polls for a while. A list of the whole account in each loop, or
#: refused signals that are asked for in each, are far more.
MARGINS = {
    "requests": (1.0, 60.0),
    "weight": (1.0, 60.0),
    "threads": (0.0, 4.0),
    "cpu_ratio": (1.0, 0.5),
}

Figures = dict[str, float]


def main() -> None:
    """Measure, compare or record, and print JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ratchet",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--record", action="store_true", help=f"write {FILE.name}")
    is_record = parser.parse_args().record
    with TemporaryDirectory(prefix="ratchet-") as folder:
        found = measure(Path(folder))
    if is_record:
        FILE.write_text(json.dumps(found, indent=2) + "\n")
    broken = worse(found, recorded())
    print(json.dumps({"measured": found, "recorded": recorded(), "worse": broken}, indent=2))
    if broken:
        raise SystemExit(1)


def recorded() -> Figures:
    """Return the figures on record."""
    figures: Figures = json.loads(FILE.read_text())
    return figures


def measure(folder: Path) -> Figures:
    """Return the present figures.

    Args:
        folder: An empty folder for the runs' files.

    Raises:
        RuntimeError: If the runs were not what is meant, or the exchange refused one of them.
    """
    parser = argparse.ArgumentParser()
    add_size(parser)
    found = cell(parser.parse_args(SIZE), folder, "up", PAIRS, THROTTLE_S)
    return figures(found)


def figures(found: dict[str, Any]) -> Figures:
    """Return the figures of a cell of `loop_cost`; see `measure`."""
    if not found["as_meant"]:
        raise RuntimeError(f"positions or refusals are not what they should be: {found}")
    if any(found[side]["too_many"] for side in ("plain", "guarded")):
        raise RuntimeError("the exchange answered 429 or 418")
    # What plain Freqtrade asks and the guard answers from memory grows with the loops, and a busy
    # machine has fewer: only what the guard adds is compared.
    added = [row for row in found["endpoints"] if row["guard_alone"] > 0]
    return {
        "requests": round(sum(row["guard_alone"] for row in added), 1),
        "weight": round(sum(row["guard_alone_weight"] for row in added), 1),
        "threads": found["guard_alone"]["threads"],
        "cpu_ratio": found["ratio"]["cpu_s"],
    }


def worse(found: Figures, record: Figures) -> list[str]:
    """Return what exceeds its record by more than its margin, each in a few words."""
    return [
        f"{name}: {found[name]:g}, recorded {record[name]:g}, allowed {most:g}"
        for name, (share, plus) in MARGINS.items()
        if found[name] > (most := round(record[name] + abs(record[name]) * share + plus, 2))
    ]


if __name__ == "__main__":
    main()
