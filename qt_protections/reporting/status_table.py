"""What a guard knows and has refused, for a terminal. All times are UTC."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from qt_protections.reporting.entry_summary import as_words
from qt_protections.reporting.status_file import (
    Money,
    Position,
    Refusal,
    Risk,
    Snapshot,
    StreamSeen,
    ThreadSeen,
    WatchSeen,
)

#: A bot writes when something has changed, and every 15 s.
OLD = timedelta(minutes=1)
#: So many pairs of one rule are shown.
_PAIRS = 6
_BAR = 16
#: Seconds without a comparison from which on something is wrong: the watch looks every 5 s itself.
_LONG_S = 20.0
_POLLED = "orders are polled each second"
_STREAM = {
    "down": f"the connection is lost; {_POLLED}",
    "mute": f"it tells nothing of the guard's own orders; {_POLLED}",
    "late": f"its events wait too long; {_POLLED}",
}
_REGIMES = {"UPTREND": "green", "DOWNTREND": "red", "SIDEWAYS": "cyan"}


def warning(snapshot: Snapshot, now: datetime) -> str | None:
    """Return what is wrong with a snapshot's age at `now` (UTC); None if nothing is."""
    if not snapshot.is_running:
        return f"The bot ended at {_moment(snapshot.written_at)} UTC: this is what it knew then."
    if now - snapshot.written_at > OLD:
        old = _span(now - snapshot.written_at)
        return f"This is {old} old: the bot is not running, is stopped, or hangs."
    return None


def as_page(snapshot: Snapshot, now: datetime) -> RenderableType:
    """Return all of it, its age told from `now` (UTC)."""
    parts: list[RenderableType] = [_header(snapshot, now)]
    if (wrong := warning(snapshot, now)) is not None:
        parts.append(Text(wrong, "bold red"))
    parts += [Text(), _figures(snapshot), Text(), _positions(snapshot), _refusals(snapshot)]
    return Group(*parts)


def _header(snapshot: Snapshot, now: datetime) -> Text:
    bot = snapshot.bot
    mode, colour = ("LIVE", "bold magenta") if bot.mode == "live" else ("DRY RUN", "bold cyan")
    return Text.assemble(
        (bot.name or "(no bot_name)", "bold"),
        f" ({bot.id})  ",
        (mode, colour),
        f"  {bot.strategy}  as of {snapshot.written_at:%Y-%m-%d %H:%M:%S} UTC, ",
        f"{_span(now - snapshot.written_at)} ago",
    )


def _figures(snapshot: Snapshot) -> Table:
    regime, risk = snapshot.regime, snapshot.risk
    place = (
        f"{regime.distance:+.2%} vs EMA200 at {_moment(regime.closed_at)} UTC"
        if regime.distance is not None and regime.closed_at is not None
        else "candles missing, stale or too few: shorts are refused"
    )
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "regime",
        Text.assemble(
            (regime.regime, f"bold {_REGIMES.get(regime.regime, 'yellow')}"),
            f"  {regime.pair} {regime.timeframe}: {place}",
        ),
    )
    table.add_row("equity", Text(f"{risk.equity:,.2f} {risk.currency}"))
    table.add_row("open risk", _open_risk(risk))
    if risk.max_group is not None:
        limit = f"{risk.max_group.amount:,.2f} {risk.currency} ({_pct(risk.max_group)} of equity)"
        table.add_row("per group", Text(f"at most {limit}"))
    if snapshot.summary is not None:
        table.add_row("entries", Text(as_words(snapshot.summary)))
    if snapshot.watch is not None:
        _add_watch(table, snapshot.watch)
    return table


def _add_watch(table: Table, watch: WatchSeen) -> None:
    table.add_row("threads", _threads(watch.threads))
    table.add_row("stream", _stream(watch.stream))
    table.add_row("last look", _last_look(watch.looked_s))


def _threads(threads: Sequence[ThreadSeen]) -> Text:
    """Return each thread by how it does, what is wrong first."""
    by_state: dict[tuple[int, str], list[str]] = {}
    for thread in threads:
        by_state.setdefault(_state(thread), []).append(thread.name.removeprefix("qt-"))
    lines = [
        Text(f"{state}: {', '.join(names)}", ("bold red", "yellow", "")[rank])
        for (rank, state), names in sorted(by_state.items())
    ]
    return Text("\n").join(lines)


def _state(thread: ThreadSeen) -> tuple[int, str]:
    """Return how bad it is, 0 for wrong and 2 for well, and the words for it."""
    if thread.state == "hangs":
        return 0, f"hangs for {thread.silent_s:.0f} s, [ALERT] in the log"
    if thread.state == "dead":
        return 0, "dead, [ALERT] in the log"
    if thread.state == "running" and thread.restarts:
        times = "once" if thread.restarts == 1 else f"{thread.restarts} times"
        return 1, f"restarted {times}, [ALERT] in the log"
    return 2, thread.state


def _stream(stream: StreamSeen) -> Text:
    since = f"{stream.state} since {stream.since:%Y-%m-%d %H:%M:%S} UTC"
    why = _STREAM.get(stream.state)
    return Text(since) if why is None else Text(f"{since}: {why}", "bold red")


def _last_look(looked_s: float | None) -> Text:
    if looked_s is None:
        return Text("nothing to protect")
    if looked_s > _LONG_S:
        return Text(f"{looked_s:.0f} s ago: nobody compares the stops", "bold red")
    return Text(f"{looked_s:.0f} s ago")


def _open_risk(risk: Risk) -> Table | Text:
    if risk.max_open is None:
        return Text(f"{risk.open.amount:,.2f} {risk.currency} ({_pct(risk.open)} of equity)")
    meter = Table.grid(padding=(0, 2))
    meter.add_row(
        _bar(risk.open, risk.max_open), Text(_of(risk.open, risk.max_open, risk.currency))
    )
    return meter


def _bar(money: Money, limit: Money) -> ProgressBar:
    share = money.amount / limit.amount if limit.amount > 0 else 1.0
    colour = "green" if share < 0.6 else "yellow" if share < 0.9 else "red"
    return ProgressBar(
        total=1.0,
        completed=min(1.0, share),
        width=_BAR,
        complete_style=colour,
        finished_style=colour,
    )


def _of(money: Money, limit: Money, currency: str) -> str:
    return (
        f"{money.amount:,.2f} of {limit.amount:,.2f} {currency} "
        f"({_pct(money).removesuffix(' %')} of {_pct(limit)} of equity)"
    )


def _positions(snapshot: Snapshot) -> RenderableType:
    if not snapshot.positions:
        return Text("No positions.\n")
    table = _table(f"Positions, with what each loses at its stop in {snapshot.risk.currency}")
    table.add_column("symbol", no_wrap=True)
    table.add_column("side", no_wrap=True)
    for heading in ("amount", "entry", "stop"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("stop is", no_wrap=True)
    for heading in ("entries", "risk", "equity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for position in snapshot.positions:
        table.add_row(*_cells(position))
    return table


def _cells(position: Position) -> Sequence[Text]:
    state = position.stop_state
    return (
        Text(_symbol(position.pair), "bold"),
        Text(position.side, "green" if position.side == "long" else "red"),
        Text(_number(position.amount)),
        Text(_number(position.entry)),
        Text(_number(position.stop)),
        Text(state, "green" if state == "live" else "bold red"),
        Text("foreign", "yellow") if position.is_foreign else Text(str(position.entries)),
        Text(f"{position.risk.amount:,.2f}"),
        Text(_pct(position.risk)),
    )


def _refusals(snapshot: Snapshot) -> RenderableType:
    since = f"since {_moment(snapshot.bot.started_at)} UTC"
    if not snapshot.refusals:
        return Text(f"Nothing refused {since}.")
    table = _table(f"Refused {since}")
    table.add_column("last (UTC)", no_wrap=True)
    table.add_column("symbol", no_wrap=True)
    table.add_column("candles", justify="right")
    table.add_column("why, the last time", overflow="fold")
    for code, group in _by_code(snapshot.refusals):
        table.add_section()
        table.add_row("", "", Text(str(snapshot.totals[code]), "bold"), Text(code, "bold yellow"))
        for refusal in group[:_PAIRS]:
            at = f"{refusal.at:%m-%d %H:%M}" if refusal.at else "-"
            table.add_row(at, _symbol(refusal.pair), str(refusal.count), Text(refusal.text))
        if len(group) > _PAIRS:
            more = Text(f"and {len(group) - _PAIRS} more pairs (--json has all)", "dim")
            table.add_row("", "", "", more)
    return table


def _by_code(refusals: Sequence[Refusal]) -> list[tuple[str, list[Refusal]]]:
    """Return the refusals of each rule, rules and refusals newest first, as they come."""
    order = {refusal.code: -place for place, refusal in enumerate(reversed(refusals))}
    together = sorted(refusals, key=lambda refusal: order[refusal.code])
    return [(code, list(group)) for code, group in groupby(together, lambda each: each.code)]


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )


def _symbol(pair: str) -> str:
    """Return a pair as the log lines call it."""
    return pair.split(":", maxsplit=1)[0].replace("/", "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e7 else f"{value:,.8g}"


def _pct(money: Money) -> str:
    return "-" if money.pct_of_equity is None else f"{money.pct_of_equity:.2f} %"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _span(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
