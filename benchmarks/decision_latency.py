"""How long the guard decides: from signal to entry, and from an entry's answer to its stop.

`python -m benchmarks.decision_latency` needs no network. Plain Freqtrade and the guarded bot in
each placement run one after the other on a rehearsal exchange, and enter and leave at market in
every loop. Times are those of the exchange's journal, less what the added round trip accounts for.
They are told in round trips too: the median of bare requests of the same run.
"""

import argparse
import bisect
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.live_bot import Bot, Venue, opened
from benchmarks.never_naked import tables
from benchmarks.never_naked.rig import Goal, Watch, tell
from benchmarks.never_naked.walk import Event, fills

#: Of strategies/ChurnSignals.py.
SIGNALS = "signals.jsonl"
ENTRIES, SECONDS, PAIRS = 60, 150, 5
SETTINGS = {"QT_MAX_POSITIONS_PER_SYMBOL": "3", "QT_MAX_OPEN_RISK": "100"}

Figures = dict[str, Any]
ROWS: tables.Rows = (
    ("entries", "entries"),
    ("round trip measured, ms", "round_trip_ms"),
    ("signal to the entry's bytes, ms: p50", "signal_to_entry.ms.p50"),
    ("  p99", "signal_to_entry.ms.p99"),
    ("  in round trips: p50", "signal_to_entry.round_trips.p50"),
    ("  p99", "signal_to_entry.round_trips.p99"),
    ("entry's answer to the stop's bytes, ms: p50", "answer_to_stop.ms.p50"),
    ("  p99", "answer_to_stop.ms.p99"),
    ("  in round trips: p50", "answer_to_stop.round_trips.p50"),
    ("  p99", "answer_to_stop.round_trips.p99"),
    ("stop live before the entry", "stop_first"),
)


def main() -> None:
    """Measure each bot, and print a table and JSON."""
    arguments = _arguments()
    runs: dict[str, Figures] = {}
    with TemporaryDirectory(prefix="decision-latency-") as temporary:
        folder = Path(temporary) if arguments.out is None else arguments.out
        for name in ("plain", "before_entry", "on_fill"):
            tell(name)
            runs[name] = _run(arguments, folder / name, name)
    Console(width=120).print(tables.side_by_side("From decision to order", ROWS, runs))
    result = {"what": "from decision to order", "latency_ms": arguments.latency_ms, "runs": runs}
    print(json.dumps(result, indent=2))


def _run(arguments: argparse.Namespace, folder: Path, name: str) -> Figures:
    folder.mkdir(parents=True)
    is_plain = name == "plain"
    bot = Bot(
        "PlainChurn" if is_plain else "GuardedChurn",
        stake=50,
        throttle_s=arguments.throttle,
        environment={} if is_plain else SETTINGS | {"QT_STOP_PLACEMENT": name},
    )
    latency_ms = arguments.latency_ms
    venue = Venue("calm", arguments.seed, latency_ms=latency_ms, pairs=PAIRS)
    with opened(venue, folder) as exchange, exchange.traded_by(bot) as process:
        watch = Watch(exchange)
        watch.until(Goal(arguments.entries, arguments.seconds), process)
        round_trip_ms = float(np.median(watch.pings_ms))
        report = exchange.ask("report")
        watch.read()
    rows = [json.loads(row) for row in (folder / "user_data" / SIGNALS).read_text().splitlines()]
    to_entry = signal_to_entry(rows, watch.events, latency_ms)
    to_stop = answer_to_stop(watch.events, latency_ms)
    return {
        "entries": len(watch.entries),
        "round_trip_ms": round(round_trip_ms, 1),
        "signal_to_entry": told(to_entry, round_trip_ms),
        # Nothing is decided after an answer where the stop goes first.
        "answer_to_stop": told([] if name == "before_entry" else to_stop, round_trip_ms),
        "stop_first": report["summary"]["stops_live_before_entry"],
        "refused": report["traffic"]["refusals"],
    }


def signal_to_entry(
    signals: Iterable[dict[str, Any]], events: Iterable[Event], latency_ms: float
) -> list[float]:
    """Return the milliseconds from each entry's signal to its bytes at the exchange.

    Args:
        signals: Pair and `ms` of each, oldest first.
        events: The exchange's journal.
        latency_ms: Round trip it added: half of that passed before an order was taken.
    """
    known: defaultdict[str, list[float]] = defaultdict(list)
    for row in signals:
        known[row["pair"].split(":")[0].replace("/", "")].append(row["ms"])
    entered = {fill.event["order_id"] for fill in fills(list(events)) if fill.enters}
    found = []
    for event in events:
        if event["kind"] == "order_accepted" and event["order_id"] in entered:
            sent = known[event["symbol"]]
            before = bisect.bisect_right(sent, event["ms"])
            if before:
                found.append(event["ms"] - latency_ms / 2 - sent[before - 1])
    return found


def answer_to_stop(events: Sequence[Event], latency_ms: float) -> list[float]:
    """Return the milliseconds from each entry's answer, as it left, to its stop's bytes.

    The answer leaves the exchange half a round trip after the fill, and a stop's bytes are there
    half a round trip before it is taken. Only the first fill of each entry counts, and only a stop
    that is taken before the position's next fill.

    Args:
        events: The exchange's journal.
        latency_ms: Round trip it added.
    """
    waiting: dict[str, int] = {}
    found = []
    entered: set[int] = set()
    walked = {fill.event["seq"]: fill for fill in fills(events)}
    for event in events:
        fill = walked.get(event["seq"])
        if fill is not None:
            waiting.pop(event["symbol"], None)
            if fill.enters and event["order_id"] not in entered:
                entered.add(event["order_id"])
                waiting[event["symbol"]] = event["ms"]
        elif event["kind"] == "stop_accepted" and event["symbol"] in waiting:
            found.append(float(event["ms"] - waiting.pop(event["symbol"]) - latency_ms))
    return found


def told(ms: Sequence[float], round_trip_ms: float) -> Figures:
    """Return p50 and p99 of times (milliseconds), plain and in round trips; None of none."""
    if not ms:
        nothing = {"p50": None, "p99": None}
        return {"n": 0, "ms": nothing, "round_trips": nothing}
    p50, p99 = np.percentile(ms, [50, 99])
    return {
        "n": len(ms),
        "ms": {"p50": round(p50, 1), "p99": round(p99, 1)},
        "round_trips": {
            "p50": round(p50 / round_trip_ms, 2),
            "p99": round(p99 / round_trip_ms, 2),
        },
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.decision_latency",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument(
        "--entries", type=int, default=ENTRIES, help=f"end a run with so many ({ENTRIES})"
    )
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help=f"of a run at the most ({SECONDS})"
    )
    parser.add_argument("--throttle", type=int, default=3, help="seconds a loop (3)")
    parser.add_argument("--latency-ms", type=int, default=50, help="round trip added (50)")
    parser.add_argument("--seed", type=int, default=7, help="of the market (7)")
    parser.add_argument("--out", type=Path, help="keep logs and journals in this new folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
