"""Whether the rehearsal exchange's memory stays flat over a million events.

`python -m benchmarks.exchange_memory` trades on an exchange whose clock it turns itself, with the
event log writing to a file and the verdict listening, and compares the memory of the process after
a tenth of the events with that after all of them.
"""

import argparse
import gc
import itertools
import json
import os
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from qt_protections.rehearsal.api.gate import ROUTES
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.event_log import EventLog
from qt_protections.rehearsal.journal import Event
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import build_market
from qt_protections.rehearsal.venue import Venue

START_MS = 1_760_000_000_000
STEP_MS = 100
CYCLE: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "POST",
        "v1/algoOrder",
        {
            "algoType": "CONDITIONAL",
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "1",
            "triggerPrice": "100",
            "reduceOnly": "true",
        },
    ),
    ("POST", "v1/order", {"side": "BUY", "type": "MARKET", "quantity": "1"}),
    ("POST", "v1/order", {"side": "SELL", "type": "MARKET", "quantity": "1"}),
    ("DELETE", "v1/algoOpenOrders", {}),
)
SYMBOLS = ("SOLUSDT", "ETHUSDT", "BNBUSDT")


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="default: 1000000")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = _run(args.events, Path(folder) / "events.jsonl")
    print(json.dumps(result, indent=2))


def _run(events: int, path: Path) -> dict[str, object]:
    clock = itertools.count(START_MS, STEP_MS)
    market = build_market(SCENARIOS["calm"], 7, START_MS, days=1)
    venue = Venue(*market, lambda: next(clock), balance=Decimal(10**12))  # fees eat any less
    done = 0

    def count(event: Event) -> None:
        nonlocal done
        done = event.seq + 1

    venue.journal.subscribe(count)
    marks: dict[int, float] = {}
    due = [events * tenth // 10 for tenth in range(1, 11)]
    started = time.perf_counter()
    with EventLog(path) as log:
        venue.journal.subscribe(log.take)
        for symbol in itertools.cycle(SYMBOLS):
            for method, name, values in CYCLE:
                venue.advance()
                ROUTES[method, name].handler(venue, Params(values | {"symbol": symbol}))
            if done >= due[0]:
                gc.collect()
                marks[due.pop(0)] = _resident_mib()
                sys.stderr.write(f"{done:,} events, {_resident_mib():.0f} MiB\n")
                if not due:
                    break
    seconds = time.perf_counter() - started
    tenth = marks[min(marks)]
    return {
        "what": "resident memory after all events over that after a tenth of them",
        "events": done,
        "events_per_s": round(done / seconds),
        "lost": log.lost,
        "file_mib": round(path.stat().st_size / 2**20, 1),
        "mib": {str(number): round(value, 1) for number, value in marks.items()},
        "ratio": round(marks[max(marks)] / tenth, 3),
    }


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
