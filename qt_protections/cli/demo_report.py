"""A rehearsed run: what the exchange saw and what the bot said, side by side."""

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

#: The operator's lines and what each counts; Freqtrade wraps its log file nowhere inside them.
_SAID = {
    "shorts_blocked": re.compile(
        r"\[SAFETY\] SHORT BLOCKED by global uptrend rule .*?symbol=(\w+)"
    ),
    "rare_shorts_allowed": re.compile(r"\[SAFETY\] RARE SHORT ALLOWED .*?symbol=(\w+)"),
    "stacking_refused": re.compile(r"\[SAFETY\] Skipping (\w+): Already at max"),
    "emergency_closes": re.compile(r"\[ALERT\] EMERGENCY CLOSE (\w+)"),
}


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The figures of one run.

    Attributes:
        entries: Entry orders the exchange filled.
        stops_live_before_entry: Positions whose covering stop the exchange had accepted before
            the first fill.
        positions: Positions opened, open ones included.
        naked_max_s: The longest any position stood without stops covering its full size, seconds.
        naked_total_s: The same, summed over positions.
        shorts_blocked: Lines that refused a short; once per symbol and candle.
        rare_shorts_allowed: Lines that let one pass in an uptrend.
        stacking_refused: Lines that refused an entry beyond the symbol's limit.
        stops_hit: Positions that ended at their stop.
        emergency_closes: Positions closed because no stop could be placed.
    """

    entries: int
    positions: int
    stops_live_before_entry: int
    naked_max_s: float
    naked_total_s: float
    shorts_blocked: int
    rare_shorts_allowed: int
    stacking_refused: int
    stops_hit: int
    emergency_closes: int

    def missing(self) -> list[str]:
        """Return what a demonstration has to show and this run did not."""
        shown = (
            "entries",
            "stops_live_before_entry",
            "shorts_blocked",
            "rare_shorts_allowed",
            "stacking_refused",
            "stops_hit",
        )
        return [name for name in shown if not getattr(self, name)]

    def verdict(self) -> str | None:
        """Return what is wrong with the run, None when nothing is."""
        if self.naked_max_s > 0:
            return f"a position stood naked for {self.naked_max_s:.3f} s"
        if self.stops_live_before_entry < self.positions:
            late = self.positions - self.stops_live_before_entry
            return f"{late} of {self.positions} positions had no stop before their entry"
        missing = self.missing()
        return f"never seen: {', '.join(missing)}" if missing else None


def rehearsed(exchange_report: dict[str, Any], log: str) -> Rehearsed:
    """Put a run's figures together.

    Args:
        exchange_report: Answer of the rehearsal exchange's `/_rehearsal/report`.
        log: Text of the bot's log.
    """
    summary = exchange_report["summary"]
    said = {what: len(line.findall(log)) for what, line in _SAID.items()}
    return Rehearsed(
        entries=summary["entries"],
        positions=summary["closed"] + summary["open"],
        stops_live_before_entry=summary["stops_live_before_entry"],
        naked_max_s=summary["naked_s"]["max"],
        naked_total_s=summary["naked_total_s"],
        stops_hit=summary["exits"].get("stop", 0),
        **said,
    )


def as_report(run: Rehearsed, exchange_report: dict[str, Any], log: str) -> dict[str, Any]:
    """Return the whole report for a script: the figures over the exchange's own report."""
    symbols = {what: dict(Counter(line.findall(log))) for what, line in _SAID.items()}
    return {**exchange_report, "run": asdict(run), "said": symbols, "verdict": run.verdict()}


def as_table(run: Rehearsed) -> Table:
    """Return the figures for a terminal."""
    table = Table(title="What the exchange saw and the bot said", box=box.SIMPLE_HEAD)
    table.add_column("event")
    table.add_column("count", justify="right")
    table.add_row("entries filled", str(run.entries))
    table.add_row("positions", str(run.positions))
    table.add_row("  with the stop live before the entry", str(run.stops_live_before_entry))
    table.add_row("  ended at the stop", str(run.stops_hit))
    table.add_row("shorts blocked in the uptrend", str(run.shorts_blocked))
    table.add_row("rare shorts allowed", str(run.rare_shorts_allowed))
    table.add_row("entries refused by the stacking limit", str(run.stacking_refused))
    table.add_row("emergency closes", str(run.emergency_closes))
    table.add_row("longest naked time", f"{run.naked_max_s:.3f} s")
    return table
