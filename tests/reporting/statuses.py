"""Snapshots of a guard, for the tests of what is made of them."""

from datetime import UTC, datetime, timedelta

from qt_protections.reporting.status_file import (
    Bot,
    Money,
    Position,
    Refusal,
    RegimeSeen,
    Risk,
    Snapshot,
    StreamSeen,
    ThreadSeen,
    WatchSeen,
)

NOW = datetime(2026, 1, 2, 12, 0, 30, tzinfo=UTC)
BOT = Bot("ab12", "my bot", "Mine", "dry_run", "0.1.0", NOW - timedelta(hours=3))


def position(pair: str = "BTC/USDT:USDT", *, is_foreign: bool = False) -> Position:
    """Return a long that loses 75 of 10,000 at its stop."""
    return Position(pair, "long", 0.15, 60_000, 59_500, 2, Money(75, 0.75), is_foreign, "live")


def refusal(
    pair: str, code: str = "symbol_full", *, minutes_ago: int = 0, count: int = 1
) -> Refusal:
    """Return what a rule refused."""
    at = NOW.replace(second=0) - timedelta(minutes=minutes_ago)
    return Refusal(pair, code, f"why {code} [/]", {"limit": 2}, at, count)


def watch(*threads: ThreadSeen, stream: str = "up", looked_s: float | None = 2.4) -> WatchSeen:
    """Return what watches, well unless it is told otherwise."""
    names = ("qt-monitor", "qt-user-stream", *(f"qt-watch-{n}" for n in range(1, 9)))
    well = [ThreadSeen(name, "running", 0, 0.0) for name in names]
    return WatchSeen((*threads, *well), StreamSeen(stream, NOW - timedelta(minutes=5)), looked_s)


def snapshot(
    *positions: Position,
    refusals: tuple[Refusal, ...] = (),
    open_risk: float = 75,
    max_group: Money | None = None,
    is_running: bool = True,
) -> Snapshot:
    """Return a snapshot of 10,000 in an uptrend, written at `NOW`."""
    totals: dict[str, int] = {}
    for each in refusals:
        totals[each.code] = totals.get(each.code, 0) + each.count
    opened = Money(open_risk, open_risk / 100)
    return Snapshot(
        NOW,
        is_running,
        BOT,
        RegimeSeen("BTC/USDT:USDT", "4h", "UPTREND", 0.0421, NOW.replace(minute=0, second=0)),
        Risk("USDT", 10_000, opened, Money(300, 3), max_group),
        positions,
        refusals,
        totals,
    )
