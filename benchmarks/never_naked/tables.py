"""A campaign's result as a table for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from benchmarks.never_naked.figures import Figures

Rows = tuple[tuple[str, str], ...]

TRADED: Rows = (
    ("entries filled", "traded.entries"),
    ("  at market", "traded.market_entries"),
    ("  limit", "traded.limit_entries"),
    ("  filled over time", "traded.filled_over_time"),
    ("  second ones", "traded.second_entries"),
    ("resting orders canceled", "traded.entries_canceled"),
    ("partial exits", "traded.partial_exits"),
    ("positions", "traded.positions"),
    ("  stop live before entry", "traded.stops_live_before_entry"),
    ("stops accepted", "traded.stops_accepted"),
    ("native trailing stops accepted", "traded.trailing_accepted"),
    ("round trip measured, ms", "round_trip_ms"),
)
NAKED: Rows = (
    ("naked a position, s: p50", "naked.s.p50"),
    ("  p99", "naked.s.p99"),
    ("  max", "naked.s.max"),
    ("naked in all, s", "naked.total_s"),
    ("gaps", "naked.gaps"),
    ("  in round trips: p99", "naked.round_trips.p99"),
    ("  max", "naked.round_trips.max"),
    ("stop hit before the fill: gaps", "naked.hit_before_fill.gaps"),
    ("  covered after round trips, max", "naked.hit_before_fill.round_trips.max"),
    ("any other gap: longest, s", "naked.others.max_s"),
    ("  p99 in round trips", "naked.others.round_trips.p99"),
)
REFUSED: Rows = (
    ("stops refused", "refusals.stops"),
    ("orders refused", "refusals.orders"),
    ("requests refused, by HTTP status", "refusals.http"),
    ("emergency exits (Freqtrade's)", "refusals.emergency_exits"),
    ("emergency closes (the guard's)", "refusals.emergency_closes"),
    ("worst loss, of the planned 15 % of margin", "losses.worst_of_plan"),
    ("liquidations", "losses.liquidations"),
)
FAULTS: Rows = (
    ("faults struck", "faults.struck"),
    ("longest naked time, s", "faults.naked_max_s"),
    ("longest beyond the fault itself, s", "faults.naked_beyond_max_s"),
)
ORDERS: Rows = (
    ("entries doubled", "orders.doubled_entries"),
    ("entries filled and not on record", "orders.unrecorded_entries"),
    ("orders that protected nothing: longest, s", "orders.orphan_longest_s"),
    ("  through a whole loop", "orders.outlived_a_loop"),
    ("trades and positions at the end: settled after, s", "end.settled_s"),
    ("  differences", "end.differences"),
    ("log errors", "log_errors"),
)
KILLS: Rows = (
    ("kills", "kills.kills"),
    ("restarts that ended their first loop", "kills.judged"),
    ("  found something naked", "kills.found_naked"),
    ("  everything covered at its end", "kills.covered_in_first_loop"),
    ("  entered while something was naked", "kills.entered_before_covered"),
    ("naked from the kills to those ends, s", "kills.naked_s"),
    ("  longest from start to that end, s", "kills.took_s"),
)
FUZZ: Rows = (
    ("promises broken", "broken"),
    ("loops", "loops"),
    ("acts", "acts"),
    ("refusals", "refusals"),
    ("positions", "positions"),
    ("naked in all, s", "naked.total_s"),
    ("  longest gap, s", "naked.max_s"),
    ("errors that reached a caller", "failures"),
    ("errors of the database", "database"),
    ("pairs rolled back", "rolled_back"),
    ("books compared", "books.compared"),
    ("  differ", "books.differ"),
    ("  fees, USDT: the bot's", "books.bot_fees"),
    ("  the exchange's", "books.exchange_fees"),
    ("entries not on record", "unrecorded"),
    ("stops left over", "left_over"),
    ("settled after, s", "settled_s"),
    ("positions that differ then", "differences"),
    ("log errors", "errors"),
)
SOAK: Rows = (
    ("promises broken", "broken"),
    ("minutes", "minutes"),
    ("  of these to warm up, s", "warm_up_s"),
    ("memory of its own: after that, MB", "uss.begin_mb"),
    ("  at the end", "uss.end_mb"),
    ("  growth, MB a minute", "uss.mb_per_minute"),
    ("    give or take", "uss.uncertainty"),
    ("memory in RAM: after that, MB", "rss.begin_mb"),
    ("  at the end", "rss.end_mb"),
    ("  growth, MB a minute", "rss.mb_per_minute"),
    ("    give or take", "rss.uncertainty"),
    ("threads", "threads"),
    ("open files and sockets", "handles"),
    ("cores in use", "cpu_cores"),
    ("requests a minute: mean", "requests.mean"),
    ("  most", "requests.most"),
    ("request weight a minute: mean", "weight.mean"),
    ("  most", "weight.most"),
    ("answers 429 and 418", "too_many.answers"),
    ("  not injected", "too_many.not_injected"),
    ("entries filled", "entries"),
    ("positions", "positions"),
    ("naked in all, s", "naked.total_s"),
    ("  by cause, s", "naked.by_cause"),
    ("  longest of a position, s", "naked.max_s"),
    ("user data stream opened again", "reconnects"),
    ("log errors", "log_errors"),
)


def side_by_side(
    title: str, rows: Rows, columns: Mapping[str, Figures], *, summed: bool = False
) -> Table:
    """Return a table with a row for each figure and a column for each run.

    Args:
        title: Above it.
        rows: What to call a figure, and where it is found.
        columns: The runs.
        summed: Whether to count what is listed, and add up counts by kind: for many runs.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column("figure")
    for name in columns:
        table.add_column(name, justify="right")
    for label, path in rows:
        values = [_at(run, path) for run in columns.values()]
        table.add_row(label, *(_text(_sum(value) if summed else value) for value in values))
    return table


def _sum(value: Any) -> Any:
    if isinstance(value, dict):
        counts = list(value.values())
        return sum(counts) if all(isinstance(count, int) for count in counts) else len(counts)
    return len(value) if isinstance(value, list) else value


def _at(figures: Figures, path: str) -> Any:
    value: Any = figures
    for key in path.split("."):
        value = value[key]
    return value


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "never"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
