"""One page of results, from the benchmarks' JSON."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.loop_cost import COLUMNS, summary_row

Figures = dict[str, Any]
QUANTILES = ("p50", "p99")

HEAD = """\
# Benchmarks

Written by `make bench` (`python -m benchmarks`), which replaces this page. Figures are ratios, or
stand beside those of plain Freqtrade in the same run: absolute ones hold for one machine. Both bots
are real `freqtrade trade` processes in live mode, each on a rehearsal exchange of its own with the
same market.

A test (`tests/benchmarks/test_ratchet.py`) measures a small loop cost each time, and fails if the
guard adds more a minute than `benchmarks/ratchet.json` has on record, beyond the margins in
`benchmarks/ratchet.py`. `python -m benchmarks.ratchet --record` records anew.

Run of {date}: {cores} cores, load {load} at the beginning, {minutes} minutes. qt_protections
{qt_protections}, Freqtrade {freqtrade}, ccxt {ccxt}, Python {python}.
"""
LOOP_COST = """\
`python -m benchmarks.loop_cost`. A minute of plain Freqtrade / guarded, and what the guard adds.
Both hold the same positions in a calm market, and nothing is entered or left. *Refused* are
standing signals that the guard refuses by size. Plain Freqtrade does not have them, so all they
cost counts as the guard's. *Target* is the most the guard's weight should be. An address has a
weight of 2,400 a minute. Where loops last longer than the throttle, a minute has fewer of them than
it should and tells less than *a loop*, the guard's weight in each.
"""
LATENCY = """\
`python -m benchmarks.decision_latency`. From Freqtrade's signal to the entry's bytes at the
exchange, and from the entry's answer, as it leaves the exchange, to the stop's bytes there. In
round trips of the same run. With `before_entry` the stop goes ahead of its entry.
"""
TRAIL = """\
`python -m benchmarks.trail_move`. A strategy's custom stop moves in every loop. What a move costs
beyond loops with stops at rest. Plain Freqtrade cancels a stop before it places the next, so
positions are naked in between.
"""
ORDER_WS = """\
`python -m benchmarks.order_ws`. A stop from the guard's call to the parsed answer: as the guard
sends it (`rest`), over a bare HTTP connection (`rest_bare`), and over the websocket API (`ws`, and
`ws_ccxt` through ccxt). What a road gains over another is in ms, with its 95 % range.
"""
NAKED = """\
`python -m benchmarks.never_naked violent`, shortened; the whole campaigns are in
[never-naked.md](never-naked.md).
"""
BACKTEST = """\
`python -m benchmarks.backtest_cost`. The real `freqtrade backtesting` as a process of its own,
rules on and the trailing stop off: {pairs} pairs, {candles:,} candles each, the least of {rounds}
rounds. Target: 1.05 of plain Freqtrade's CPU and memory. `Many` and `Few` have no indicators and
no callbacks, so nothing hides the guard; `Usual` has some, as most public strategies do.
"""
EXCHANGE = """\
`python -m benchmarks.exchange_speed` and `exchange_memory`, of the rehearsal exchange itself; see
[rehearsal.md](rehearsal.md#how-fast-it-is).
"""


def page(whole: Figures) -> str:
    """Return the page of a run, as Markdown.

    Args:
        whole: `run`, the circumstances, and `results` by the benchmarks' names.
    """
    parts = [HEAD.format(**({"minutes": "some"} | whole["run"]))]
    for title, name, section in SECTIONS:
        result = whole["results"].get(name)
        if result is not None:
            text = f"Failed: {result['failed']}.\n" if "failed" in result else section(result)
            parts.append(f"## {title}\n\n{text}")
    return "\n".join(parts)


def _loop_cost(result: Figures) -> str:
    done = [one for one in result["cells"] if "failed" not in one]
    failed = [
        f"- stream {one['stream']}, {one['pairs']} pairs, {one['throttle_s']} s: {one['failed']}"
        for one in result["cells"]
        if "failed" in one
    ]
    text = f"{LOOP_COST}\n{_table(COLUMNS, map(summary_row, done))}"
    text += "".join(f"\n{line}\n" for line in failed)
    for one in done:
        if one["target_weight"] is not None:
            rows = [row for row in one["endpoints"] if abs(row["guard_alone"]) >= 1]
            text += (
                f"\nRequests a minute: stream {one['stream']}, {one['pairs']} pairs, "
                f"{one['throttle_s']} s (endpoints that differ)\n\n"
                + _table(
                    ("endpoint", "weight", "plain", "guarded", "guard's", "guard's weight"),
                    (list(row.values()) for row in rows),
                )
            )
    return text


def _latency(result: Figures) -> str:
    def row(name: str, run: Figures) -> list[Any]:
        entry, stop = run["signal_to_entry"], run["answer_to_stop"]
        return [
            name,
            run["entries"],
            run["round_trip_ms"],
            entry["round_trips"]["p50"],
            entry["round_trips"]["p99"],
            *(stop["round_trips"][q] if stop["n"] else "-" for q in ("p50", "p99")),
            run["stop_first"],
        ]

    columns = (
        "bot", "entries", "round trip, ms", "signal to entry: p50", "p99",
        "answer to stop: p50", "p99", "stop first",
    )  # fmt: skip
    return f"{LATENCY}\n{_table(columns, (row(*item) for item in result['runs'].items()))}"


def _trail(result: Figures) -> str:
    def row(name: str, run: Figures) -> list[Any]:
        move = run["a_move"]
        asked = ", ".join(f"{count:g} {name}" for name, count in move["endpoints"].items())
        told = [move[key] for key in ("requests", "weight", "cpu_ms", "naked_ms")]
        return [name, run["moves"], *told, asked]

    columns = (
        "bot", "moves", "requests a move", "weight", "CPU, ms", "naked, ms", "endpoints (weight)",
    )  # fmt: skip
    return f"{TRAIL}\n{_table(columns, (row(*item) for item in result['runs'].items()))}"


def _order_ws(result: Figures) -> str:
    roads = [
        [run["latency_ms"], name, *(road["ms"][q] for q in QUANTILES), road["cpu_ms"]]
        for run in result["runs"]
        for name, road in run["roads"].items()
    ]
    gains = [
        [
            run["latency_ms"],
            name,
            *(
                f"{gain[q]['gain_ms']} ({gain[q]['from_ms']} to {gain[q]['to_ms']})"
                for q in QUANTILES
            ),
            "yes" if gain["wins"] else "no",
        ]
        for run in result["runs"]
        for name, gain in run["gains"].items()
    ]
    measured = _table(("latency, ms", "road", "p50, ms", "p99, ms", "client CPU, ms"), roads)
    compared = _table(("latency, ms", "road", "gain at p50, ms", "at p99, ms", "wins"), gains)
    return f"{ORDER_WS}\n{measured}\n{compared}"


def _naked(result: Figures) -> str:
    runs = {name: run for name, run in result.items() if isinstance(run, dict)}
    rows = [
        [
            name,
            run["traded"]["entries"],
            run["naked"]["s"]["p99"],
            run["naked"]["s"]["max"],
            run["naked"]["total_s"],
            run["refusals"]["emergency_closes"],
            "no" if run["end"]["differences"] else "yes",
        ]
        for name, run in runs.items()
    ]
    columns = (
        "run", "entries", "naked p99, s", "max", "in all", "emergency closes",
        "trades equal positions",
    )  # fmt: skip
    return f"{NAKED}\n{_table(columns, rows)}"


def _backtest(result: Figures) -> str:
    columns = ("strategy", "trades", "guarded", "CPU over plain", "memory over plain")
    keys = ("strategy", "trades", "trades_guarded", "cpu", "memory")
    rows = [[row[key] for key in keys] for row in result["rows"]]
    return f"{BACKTEST.format(**result)}\n{_table(columns, rows)}"


def _speed(result: Figures) -> str:
    row = [result["requests_per_s"], result["symbols"], result["p99_over_ping"]]
    return f"{EXCHANGE}\n{_table(('requests a second', 'symbols', 'p99 over a ping'), [row])}"


def _memory(result: Figures) -> str:
    row = [result["events"], result["lost"], result["ratio"]]
    return _table(("events", "lost", "memory over that after a tenth"), [row])


def _table(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_text, line))} |\n" for line in lines)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


SECTIONS: tuple[tuple[str, str, Callable[[Figures], str]], ...] = (
    ("What a loop costs", "loop_cost", _loop_cost),
    ("From decision to order", "decision_latency", _latency),
    ("Moving a stop", "trail_move", _trail),
    ("REST or websocket", "order_ws", _order_ws),
    ("Never naked", "never_naked", _naked),
    ("Backtests", "backtest_cost", _backtest),
    ("The rehearsal exchange: speed", "exchange_speed", _speed),
    ("The rehearsal exchange: memory", "exchange_memory", _memory),
)
