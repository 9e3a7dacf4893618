"""Campaigns with the real `freqtrade trade` against the rehearsal exchange: what stood naked?

`python -m benchmarks.never_naked violent|faults|kills|sidebyside|fuzz|soak` needs no network.
docs/never-naked.md defines every figure. fuzz and soak end with code 1 if a promise was broken.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.never_naked.campaigns import PLACEMENTS, side_by_side, storm, violent
from benchmarks.never_naked.fuzz import RUNS, fuzz
from benchmarks.never_naked.kills import KILLS, kills
from benchmarks.never_naked.soak import MINUTES, soak

CAMPAIGNS = {
    "violent": violent,
    "faults": storm,
    "kills": kills,
    "sidebyside": side_by_side,
    "fuzz": fuzz,
    "soak": soak,
}


def main() -> None:
    """Run one campaign and print what became of it."""
    arguments = _arguments()
    with TemporaryDirectory(prefix="never-naked-") as temporary:
        folder = Path(temporary) if arguments.out is None else arguments.out
        result, table = CAMPAIGNS[arguments.campaign](arguments, folder)
        whole = {"campaign": arguments.campaign, "seed": arguments.seed} | result
        text = json.dumps(whole, indent=2)
        if arguments.out is not None:
            (folder / "figures.json").write_text(text + "\n")
    if arguments.json:
        print(text)
    else:
        Console().print(table)
    if result.get("broken"):
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.never_naked",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("campaign", choices=CAMPAIGNS)
    parser.add_argument("--seed", type=int, default=7, help="of the market and all chance (7)")
    parser.add_argument(
        "--latency-ms",
        type=int,
        nargs="+",
        metavar="MS",
        help="round trip of the exchange; violent takes several (50; fuzz: 10)",
    )
    parser.add_argument("--entries", type=int, help="stop with so many entries filled")
    parser.add_argument("--seconds", type=int, help="stop after so many seconds of each run")
    parser.add_argument("--faults", default="storm", help="script of faults and soak (storm)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"seeds of fuzz ({RUNS})")
    parser.add_argument("--no-hands", action="store_true", help="fuzz without other hands")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of soak ({MINUTES})")
    parser.add_argument("--plain", action="store_true", help="soak plain Freqtrade, to compare")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"how many ({KILLS})")
    parser.add_argument(
        "--placement",
        nargs="+",
        choices=[*PLACEMENTS, "auto"],
        default=["before_entry"],
        help="QT_STOP_PLACEMENT of the guarded bot; violent and faults take several (before_entry)",
    )
    parser.add_argument("--throttle", type=int, help="seconds of a bot's loop (5; soak: 1)")
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="QT_NAME=VALUE",
        help="a further setting of the guard, as its environment has it; may come again",
    )
    parser.add_argument(
        "--out", type=Path, help="keep logs, journals and figures in this new folder"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    arguments.latency_ms = arguments.latency_ms or [10 if arguments.campaign == "fuzz" else 50]
    arguments.throttle = arguments.throttle or (1 if arguments.campaign == "soak" else 5)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True)
    return arguments


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("QT_"):
        raise argparse.ArgumentTypeError(f"must look like QT_NAME=VALUE, was {text}")
    return name, value


if __name__ == "__main__":
    main()
