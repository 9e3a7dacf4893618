"""The figures of a run, from what the exchange, the bot's log and its database say."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.live_bot import held
from benchmarks.never_naked import naked, orphans
from benchmarks.never_naked.rig import Run
from benchmarks.never_naked.walk import Event, doubled, fills, positions, unrecorded
from benchmarks.records import differences

PLANNED_LOSS_RATIO = 0.15
#: How many of the worst are named.
NAMED = 10

Figures = dict[str, Any]


def figures(run: Run, latency_ms: int) -> Figures:
    """Return all figures of a run.

    Args:
        run: What it left behind.
        latency_ms: Round trip the exchange added; naked times are also told in these.
    """
    seen = run.seen
    return {
        "seconds": run.seconds,
        "latency_ms": latency_ms,
        "round_trip_ms": run.round_trip_ms,
        "bot_ended": seen.ended,
        "log_errors": seen.log.count(" - ERROR - "),
        "traded": traded(run),
        "naked": nakedness(run, latency_ms),
        "faults": faults(run, latency_ms),
        "refusals": refusals(run),
        "losses": losses(run),
        "orders": order_figures(run),
        "end": {
            "settled_s": run.settled_s,
            "differences": differences(held(seen.events), seen.trades),
        },
    }


def traded(run: Run) -> Figures:
    """Return how busy the run was."""
    events, summary = run.seen.events, run.seen.report["summary"]
    entries = {fill.event["order_id"] for fill in fills(events) if fill.enters}
    accepted = {e["order_id"]: e["type"] for e in events if e["kind"] == "order_accepted"}
    kinds = Counter(accepted[name] for name in entries)
    stops = [e["type"] for e in events if e["kind"] == "stop_accepted"]
    return {
        "entries": len(entries),
        "market_entries": kinds["MARKET"],
        "limit_entries": kinds["LIMIT"],
        "filled_over_time": _filled_over_time(events, entries),
        "second_entries": sum(len(position.entries) - 1 for position in positions(events)),
        "entries_canceled": sum(e["kind"] == "order_canceled" for e in events),
        "partial_exits": _partial_exits(events),
        "positions": summary["closed"] + summary["open"],
        "exits": summary["exits"],
        "stops_accepted": summary["stops"]["accepted"],
        "trailing_accepted": stops.count("TRAILING_STOP_MARKET"),
        "stops_live_before_entry": summary["stops_live_before_entry"],
    }


def nakedness(run: Run, latency_ms: int) -> Figures:
    """Return naked times: seconds a position as the exchange reports them, and gap by gap."""
    report = run.seen.report
    found = naked.gaps(report)
    hit = naked.hit_before_fill(found, run.seen.events, latency_ms)
    others = [gap for gap in found if gap not in hit]
    return {
        "s": {name: report["summary"]["naked_s"][name] for name in ("p50", "p99", "max")},
        "total_s": report["summary"]["naked_total_s"],
        "by_cause": report["summary"]["naked_by_cause"],
        "gaps": len(found),
        "round_trips": _spread([gap.ms / latency_ms for gap in found]),
        "hit_before_fill": {
            "gaps": len(hit),
            "round_trips": _spread([gap.ms / latency_ms for gap in hit]),
        },
        "others": {
            "gaps": len(others),
            "max_s": max((gap.ms for gap in others), default=0) / 1000,
            "round_trips": _spread([gap.ms / latency_ms for gap in others]),
        },
    }


def faults(run: Run, latency_ms: int) -> Figures:
    """Return what struck, and how much of the naked times is not the faults' own."""
    events = run.seen.events
    spans = naked.blocks(events, latency_ms)
    found = [(naked.beyond_ms(gap, spans) / 1000, gap) for gap in naked.gaps(run.seen.report)]
    worst = sorted(found, reverse=True)[:NAMED]
    return {
        "struck": dict(Counter(e["cause"] for e in events if e["kind"] == "fault")),
        "naked_max_s": max((gap.ms for _, gap in found), default=0) / 1000,
        "naked_beyond_max_s": worst[0][0] if worst else 0.0,
        "worst": [
            {
                "symbol": gap.symbol,
                "cause": gap.cause,
                "start_ms": gap.start_ms,
                "naked_s": gap.ms / 1000,
                "beyond_s": beyond_s,
                "faults": [span.what for span in spans if span.concerns(gap)],
            }
            for beyond_s, gap in worst
        ],
    }


def refusals(run: Run) -> Figures:
    """Return what the exchange refused by its rules, by code, and the closes in an emergency."""
    events = run.seen.events
    return {
        "stops": run.seen.report["summary"]["stops"]["rejections"],
        "orders": dict(Counter(str(e["code"]) for e in events if e["kind"] == "order_rejected")),
        "http": run.seen.report["traffic"]["refusals"],
        "at_trigger": run.seen.report["summary"]["stops"]["rejected_at_trigger"],
        "emergency_exits": sum(t["exit"] == "emergency_exit" for t in run.seen.trades),
        "emergency_closes": run.seen.log.count("[ALERT] EMERGENCY CLOSE"),
    }


def losses(run: Run) -> Figures:
    """Return the worst losses: of the plan without fees, and by the exchange's own measure."""
    report = run.seen.report
    worst = min((p["pnl_ratio"] for p in report["positions"]), default=0.0)
    return {
        "worst_of_plan": round(max(0.0, -worst) / PLANNED_LOSS_RATIO, 2),
        "worst_of_planned_risk": round(report["summary"]["losses"]["worst_ratio"], 2),
        "liquidations": report["summary"]["liquidations"],
    }


def order_figures(run: Run) -> Figures:
    """Return entries sent twice or never recorded, and orders that protected nothing."""
    events, found = run.seen.events, positions(run.seen.events)
    idle = orphans.spells(events, run.now_ms)
    late = orphans.outlived_a_loop(idle, orphans.loops(run.seen.log))
    return {
        "doubled_entries": doubled(found, run.recorded),
        "unrecorded_entries": unrecorded(found, run.recorded),
        "orphans": len(idle),
        "orphan_longest_s": max((spell.seconds for spell in idle), default=0.0),
        "outlived_a_loop": len(late),
        "longest": [
            {"symbol": s.symbol, "client_id": s.client_id, "start_ms": s.start_ms, "s": s.seconds}
            for s in sorted(idle, key=lambda spell: -spell.seconds)[:NAMED]
        ],
    }


def _filled_over_time(events: list[Event], entries: set[int]) -> int:
    """Return how many entries were filled at more than one moment."""
    moments: defaultdict[int, set[int]] = defaultdict(set)
    for fill in fills(events):
        moments[fill.event["order_id"]].add(fill.event["ms"])
    return sum(len(moments[name]) > 1 for name in entries)


def _partial_exits(events: list[Event]) -> int:
    """Return how many of the client's own orders reduced a position and left some of it."""
    left = {
        fill.event["order_id"]: fill.after
        for fill in fills(events)
        if not fill.enters and fill.event.get("algo_id") is None
    }
    return sum(after != 0 for after in left.values())


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"p50": 0.0, "p99": 0.0, "max": 0.0}
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(p50, 2), "p99": round(p99, 2), "max": round(max(values), 2)}
