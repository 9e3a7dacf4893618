"""All benchmarks, one after the other, and one page of results.

`python -m benchmarks` takes less than 40 minutes on two cores that do nothing else. Progress goes
to standard error, JSON to standard output. Each also runs alone: `python -m benchmarks.NAME`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.never_naked.rig import tell
from benchmarks.page import page
from qt_protections import __version__

PAGE = Path("docs/benchmarks.md")
#: Name of a result, its module, and the arguments.
PLANNED: dict[str, tuple[str, ...]] = {
    "loop_cost": ("benchmarks.loop_cost", "--matrix", "--seconds=60"),
    "decision_latency": ("benchmarks.decision_latency",),
    "trail_move": ("benchmarks.trail_move",),
    "order_ws": ("benchmarks.order_ws", "--rounds=120"),
    "never_naked": ("benchmarks.never_naked", "violent", "--seconds=75", "--json"),
    "backtest_cost": ("benchmarks.backtest_cost",),
    "exchange_speed": ("benchmarks.exchange_speed",),
    "exchange_memory": ("benchmarks.exchange_memory",),
}


def main() -> None:
    """Run what was asked for, write the page and print everything as JSON."""
    arguments = _arguments()
    if arguments.results is None:
        whole = {"run": circumstances(), "results": {}}
        for name in arguments.only:
            whole["results"][name] = _result(name)
        whole["run"]["minutes"] = round((time.time() - whole["run"]["began_s"]) / 60, 1)
    else:
        whole = json.loads(arguments.results.read_text())
    arguments.page.write_text(page(whole))
    print(json.dumps(whole, indent=2))
    failed = [name for name, result in whole["results"].items() if "failed" in result]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def circumstances() -> dict[str, Any]:
    """Return when and where, and with which versions."""
    return {
        "began_s": time.time(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "qt_protections": __version__,
        "freqtrade": version("freqtrade"),
        "ccxt": version("ccxt"),
    }


def last_json(text: str) -> dict[str, Any]:
    """Return the JSON object that output ends with.

    Raises:
        ValueError: If there is none.
    """
    begin = text.rfind("\n{\n") + 1
    result: dict[str, Any] = json.loads(text[begin:])
    return result


def _result(name: str) -> dict[str, Any]:
    """Run a benchmark in a process of its own; what failed says so and stops none of the others."""
    module, *arguments = PLANNED[name]
    tell(f"{name}: python -m {' '.join([module, *arguments])}")
    command = [sys.executable, "-m", module, *arguments]
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    took_s = round(time.monotonic() - started)
    tell(f"{name}: {took_s} s")
    try:
        return last_json(done.stdout) | {"took_s": took_s}
    except ValueError:
        return {"failed": f"exit code {done.returncode}, without a result", "took_s": took_s}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--only", nargs="+", choices=PLANNED, default=list(PLANNED), help="these (all)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help=f"where to write it ({PAGE})")
    parser.add_argument(
        "--results", type=Path, help="run nothing, and write the page from this JSON of a run"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
