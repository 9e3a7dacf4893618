"""What became of the entries: summed up, for a terminal of 80 columns, for one line of a log."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from qt_protections.reporting.entry_counts import Summary, Tally
from qt_protections.reporting.operator_log import Refused

_REGIMES = {"UPTREND": "green", "DOWNTREND": "red", "SIDEWAYS": "cyan"}


def summary(
    tally: Tally,
    refused: Iterable[Refused],
    removed: Mapping[str, int] | None = None,
    regimes: Mapping[str, float] | None = None,
) -> Summary:
    """Return what became of the entries, the most frequent first.

    Args:
        tally: Of those that were not refused.
        refused: The others.
        removed: Candles whose signal was taken away, by rule; none unless a backtest.
        regimes: The timerange's shares of the regimes; none unless a backtest.
    """
    return Summary(
        allowed=dict(tally.allowed),
        rare_shorts=tally.rare_shorts,
        further=tally.further,
        cut=dict(tally.cut.most_common()),
        clamped=dict(tally.clamped.most_common()),
        lowered=dict(tally.lowered.most_common()),
        refused=dict(totals(refused).most_common()),
        removed=dict(removed or {}),
        regimes=dict(regimes or {}),
    )


def totals(refused: Iterable[Refused]) -> Counter[str]:
    """Return the candles with a refusal, by code, summed over pairs."""
    counted: Counter[str] = Counter()
    for each in refused:
        counted[str(each.denial.code)] += each.count
    return counted


def as_table(title: str, summary: Summary) -> Table:
    """Return all of it; rows of which there is nothing are left out."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("what the guard did", no_wrap=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("by", overflow="fold")
    for what, number, by in _rows(summary):
        table.add_row(Text(what), Text(number, "bold"), Text(by))
    table.add_row(Text(f"regime {_timerange(summary)}"), "", _regimes(summary))
    return table


def as_line(summary: Summary) -> str:
    """Return all of it as one line."""
    rows = (f"{number} {what}" + (f" ({by})" if by else "") for what, number, by in _rows(summary))
    regimes = ", ".join(f"{name} {share:.0%}" for name, share in _by_share(summary))
    return "; ".join([*rows, *([f"regime {regimes}"] if regimes else [])])


def as_words(summary: Summary) -> str:
    """Return what a row of a page holds, without the refusals: the page lists them."""
    rows = [row for row in _rows(summary) if row[0] != _REFUSED]
    return "\n".join(f"{number} {what}" + (f": {by}" if by else "") for what, number, by in rows)


_REFUSED = "entries refused"


def _rows(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Yield what was done, how often, and by what."""
    kinds = {**summary.allowed, "rare short": summary.rare_shorts, "further": summary.further}
    counts: tuple[tuple[str, Mapping[str, int], int], ...] = (
        ("entries allowed", kinds, sum(summary.allowed.values())),
        ("made smaller", summary.cut, sum(summary.cut.values())),
        ("stops clamped", summary.clamped, sum(summary.clamped.values())),
        ("leverage lowered", {}, sum(summary.lowered.values())),
        (_REFUSED, summary.refused, sum(summary.refused.values())),
        ("short candles removed", summary.removed, sum(summary.removed.values())),
    )
    for what, by, total in counts:
        if total or what in ("entries allowed", _REFUSED):
            named = ", ".join(f"{name} {number:,}" for name, number in by.items() if number)
            yield what, f"{total:,}", named or _pairs(what, summary)


def _pairs(what: str, summary: Summary) -> str:
    count = len(summary.lowered)
    return f"{count} pair{'s' if count > 1 else ''}" if what == "leverage lowered" else ""


def _timerange(summary: Summary) -> str:
    return "of the timerange" if summary.regimes else "is not known"


def _regimes(summary: Summary) -> Text:
    parts = [
        Text(f"{name} {share:.1%}", _REGIMES.get(name, "yellow"))
        for name, share in _by_share(summary)
    ]
    return Text(", ").join(parts)


def _by_share(summary: Summary) -> list[tuple[str, float]]:
    return sorted(summary.regimes.items(), key=lambda each: each[1], reverse=True)
