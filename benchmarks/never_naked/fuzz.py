"""Remote control, other hands and a moving market against the bot's loop: what was broken?"""

import argparse
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.never_naked import at_once, naked, tables
from benchmarks.never_naked.at_once import Heard, Plan
from benchmarks.never_naked.books import accounts, holdings
from benchmarks.never_naked.figures import Figures
from benchmarks.never_naked.rig import tell
from benchmarks.never_naked.walk import positions, unrecorded

RUNS, SECONDS = 8, 60
#: A gap may not last longer, seconds.
LONGEST_S = 2.0
#: A stop whose position is gone may outlive it for so long, seconds: a missing position is believed
#: after 10 s, and the next loop acts.
LEFT_OVER_S = 12.0
#: How a line of the guard's begins that tells of a pair whose loop was rolled back.
ROLLED_BACK = "could not be looked after in this loop"


def fuzz(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Run one seed after the other, each in a process of its own."""
    seconds, latency_ms = arguments.seconds or SECONDS, arguments.latency_ms[0]
    result: dict[str, Figures] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        where = folder / f"seed-{seed}"
        plan = Plan(seed, seconds, latency_ms, where, settings(seed), not arguments.no_hands)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            run = figures(pool.submit(at_once.run, plan).result(), latency_ms)
        result[f"seed {seed}"] = run
        tell(f"seed {seed}: {', '.join(run['broken']) or 'every promise kept'}")
    broken = {name: run["broken"] for name, run in result.items() if run["broken"]}
    by_seed = {name.removeprefix("seed "): run for name, run in result.items()}
    title = "Remote control against the loop, by seed"
    table = tables.side_by_side(title, tables.FUZZ, by_seed, summed=True)
    return result | {"broken": broken}, table


def settings(seed: int) -> dict[str, Any]:
    """Return the guard's settings of a seed: much is let in, and the kinds of stops take turns."""
    return {
        "trail_callback": 1.0 if seed % 2 else None,
        "stop_placement": "on_fill" if seed % 5 == 0 else "auto",
        "max_open_risk": 50.0,
        "risk_per_trade": 0.2,
        "max_positions_per_symbol": 5,
        "uptrend_short_exception_conf": 0.0,
    }


def figures(heard: Heard, latency_ms: int) -> Figures:
    """Return the verdict on a run.

    Args:
        heard: What it left behind.
        latency_ms: Round trip the exchange added.
    """
    summary = heard.report["summary"]
    found = naked.gaps(heard.report)
    hit = naked.hit_before_fill(found, heard.events, latency_ms)
    compared = accounts(holdings(heard.events), heard.books)
    result: Figures = {
        "loops": heard.loops,
        "acts": dict(heard.acts.most_common()),
        "refusals": dict(heard.refusals.most_common()),
        "failures": heard.failures,
        "database": dict(heard.database),
        "rolled_back": heard.log.count(ROLLED_BACK),
        "errors": dict(heard.errors.most_common()),
        "positions": summary["closed"] + summary["open"],
        "exits": summary["exits"],
        "liquidations": summary["liquidations"],
        "emergency_closes": heard.log.count("[ALERT] EMERGENCY CLOSE"),
        "naked": {
            "total_s": summary["naked_total_s"],
            "max_s": max((gap.ms for gap in found), default=0) / 1000,
            "gaps": dict(Counter(gap.cause for gap in found)),
            "s": _seconds(found),
            "hit_before_fill": len(hit),
        },
        "books": {
            "compared": len(compared),
            "differ": [_told(account) for account in compared if account.differs],
            "bot_fees": round(float(sum(account.bot_fees for account in compared)), 4),
            "exchange_fees": round(float(sum(account.exchange_fees for account in compared)), 4),
        },
        "unrecorded": unrecorded(positions(heard.events), heard.recorded),
        "left_over": _left_over(heard),
        "settled_s": heard.settled_s,
        "differences": heard.differences,
    }
    result["broken"] = broken(result)
    return result


def broken(run: Figures) -> list[str]:
    """Return the promises a run broke, each in a few words."""
    promises = {
        "errors of the database": sum(run["database"].values()),
        "failures": len(run["failures"]),
        "pairs rolled back": run["rolled_back"],
        f"naked beyond {LONGEST_S:g} s": run["naked"]["max_s"] > LONGEST_S,
        "books that differ": len(run["books"]["differ"]),
        "entries not on record": len(run["unrecorded"]),
        "stops left over": len(run["left_over"]),
        "positions that differ": len(run["differences"]),
    }
    return [f"{text}: {count:d}" for text, count in promises.items() if count]


def _seconds(found: list[naked.Gap]) -> dict[str, float]:
    lasted: Counter[str] = Counter()
    for gap in found:
        lasted[gap.cause] += gap.ms
    return {cause: ms / 1000 for cause, ms in lasted.items()}


def _told(account: Any) -> dict[str, Any]:
    return {
        "symbol": account.symbol,
        "trades": account.trades,
        "positions": account.positions,
        "bot": round(float(account.bot), 4),
        "exchange": round(float(account.exchange), 4),
    }


def _left_over(heard: Heard) -> list[dict[str, Any]]:
    """Return the stops that had nothing to close for too long at the end."""
    return [
        {"symbol": order["symbol"], "client_id": order["client_id"], "s": seconds}
        for order in heard.report["orphans"]
        if (seconds := (heard.now_ms - order["since_ms"]) / 1000) > LEFT_OVER_S
    ]
