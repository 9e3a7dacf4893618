"""What each fault does to a plain bot, and to the same bot under the guard.

`python -m benchmarks.fault_table` runs the real `freqtrade trade` in live mode, once plain with
`stoploss_on_exchange` and once guarded, side by side on two rehearsal exchanges with the same
market, seed and fault script. It needs no network. JSON goes to standard output.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.live_bot import Bot, Seen, Venue, held, live_run
from benchmarks.records import differences
from qt_protections.rehearsal.faults.script import shipped_scripts

BOTS = {"plain": "PlainSignals", "guarded": "GuardedSignals"}
NO_FAULT = "none"
SCENARIO = "violent"
PLANNED_LOSS_RATIO = 0.15


def main() -> None:
    """Run every fault with both bots and print what became of them."""
    arguments = arguments_of()
    rows = []
    for number, name in enumerate(arguments.fault, start=1):
        print(f"{number}/{len(arguments.fault)} {name}", file=sys.stderr, flush=True)
        rows.append({"fault": name} | _both(arguments, name))
        for bot in BOTS:
            print(f"  {bot:8} {_headline(rows[-1][bot])}", file=sys.stderr, flush=True)
    result = {
        "what": "plain Freqtrade with stoploss_on_exchange and the guarded bot under each fault",
        "scenario": SCENARIO,
        "seed": arguments.seed,
        "seconds": arguments.seconds,
        "rows": rows,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out is not None:
        (arguments.out / "fault_table.json").write_text(text + "\n")


def arguments_of(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or what is `given` in its place."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fault_table", description=__doc__)
    every = [NO_FAULT, *shipped_scripts()]
    parser.add_argument("--seed", type=int, default=7, help="of market and faults (7)")
    parser.add_argument(
        "--seconds", type=int, default=70, help="of each run, the bot's start included (70)"
    )
    parser.add_argument(
        "--fault", nargs="+", choices=every, default=every, help="only these scripts"
    )
    parser.add_argument("--out", type=Path, help="keep the logs and the table in this new folder")
    arguments = parser.parse_args(given)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True)
    return arguments


def _both(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    faults = None if name == NO_FAULT else name

    def run(bot: str) -> dict[str, Any]:
        with TemporaryDirectory(prefix="fault-table-") as temporary:
            folder = Path(temporary) if arguments.out is None else arguments.out / name / bot
            folder.mkdir(parents=True, exist_ok=True)
            venue = Venue(SCENARIO, arguments.seed, faults)
            seen = live_run(folder, Bot(BOTS[bot]), venue, arguments.seconds)
            if arguments.out is not None:
                (folder / "events.json").write_text(json.dumps(seen.events))
                (folder / "report.json").write_text(json.dumps(seen.report, indent=2))
        return figures(seen)

    with ThreadPoolExecutor(len(BOTS)) as pool:
        return dict(zip(BOTS, pool.map(run, BOTS), strict=True))


def figures(seen: Seen) -> dict[str, Any]:
    """Return the figures of one run: seconds, counts, and ratios of the margin."""
    summary, positions = seen.report["summary"], seen.report["positions"]
    faults = [event for event in seen.events if event["kind"] == "fault"]
    worst = min((p["pnl_ratio"] for p in positions), default=0.0)
    return {
        "entries": summary["entries"],
        "positions": len(positions),
        "stops_live_before_entry": summary["stops_live_before_entry"],
        "naked_max_s": summary["naked_s"]["max"],
        "naked_total_s": summary["naked_total_s"],
        "naked": [_naked(p, faults) for p in positions if p["naked_s"] > 0],
        "emergency_exits": sum(t["exit"] == "emergency_exit" for t in seen.trades)
        + seen.log.count("[ALERT] EMERGENCY CLOSE"),
        "orphans": len(seen.report["orphans"]),
        "unknown_positions": _unknown(seen),
        "liquidations": summary["exits"].get("liquidation", 0),
        "stops_refused": summary["stops"]["rejections"],
        "log_errors": seen.log.count(" - ERROR - "),
        "worst_loss_of_plan": round(max(0.0, -worst) / PLANNED_LOSS_RATIO, 2),
        "faults": dict(Counter(event["cause"] for event in faults)),
        "bot_ended": seen.ended,
    }


def _naked(position: dict[str, Any], faults: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a position that stood naked, with the faults of its symbol while it stood."""
    until_ms = position["closed_ms"] or float("inf")
    struck = [
        event
        for event in faults
        if event["symbol"] in {"", position["symbol"]}
        and position["opened_ms"] - 5000 <= event["ms"] <= until_ms
    ]
    return {
        "symbol": position["symbol"],
        "naked_s": position["naked_s"],
        "faults": [f"{event['cause']}: {event['reason']}" for event in struck],
    }


def _unknown(seen: Seen) -> list[str]:
    """Return the symbols of which the exchange holds more than the bot knows."""
    return [
        symbol
        for symbol, amount in differences(held(seen.events), seen.trades).items()
        if abs(amount["exchange"]) > abs(amount["bot"])
    ]


def _headline(row: dict[str, Any]) -> str:
    return (
        f"{row['positions']} positions, {row['stops_live_before_entry']} with their stop first, "
        f"naked {row['naked_max_s']:.1f} s at most, {row['naked_total_s']:.1f} s in all, "
        f"{row['emergency_exits']} emergency exits, {row['orphans']} orphans, "
        f"{len(row['unknown_positions'])} unknown, faults {sum(row['faults'].values())}"
    )


if __name__ == "__main__":
    main()
