"""What restarts found and did, from literal lives, gaps and journals."""

import pytest

from benchmarks.never_naked.kills import Life, judge
from benchmarks.never_naked.naked import Gap
from benchmarks.never_naked.walk import Event
from tests.never_naked.journals import BTC, ETH, entry

FIRST = Life(0, 1_000, 5_000, "first")
SECOND = Life(5_010, 9_000, 20_000, "second")


def gap(start_ms: int, end_ms: int) -> Gap:
    """Return a naked gap."""
    return Gap(BTC, "LONG", start_ms, end_ms, "stop_withdrawn")


@pytest.mark.parametrize(
    ("found", "at_kill", "after_loop", "naked_s"),
    [
        ([], [], [], 0.0),
        ([gap(4_900, 8_000)], [BTC], [], 3.0),
        ([gap(4_900, 9_500)], [BTC], [BTC], 4.0),
        ([gap(6_000, 9_000)], [], [], 3.0),
        ([gap(8_900, 9_100)], [], [BTC], 0.1),
        ([gap(9_100, 9_500), gap(100, 200)], [], [], 0.0),
    ],
    ids=["covered", "repaired", "too-late", "while-it-was-gone", "its-own", "elsewhere"],
)
def test_first_loop(
    found: list[Gap], at_kill: list[str], after_loop: list[str], naked_s: float
) -> None:
    """Covered is what has no gap open at the moment the first loop's work is done."""
    (restart,) = judge([FIRST, SECOND], found, [])
    assert (restart.naked_at_kill, restart.naked_after_loop) == (at_kill, after_loop)
    assert (restart.naked_s, restart.took_s, restart.moment) == (naked_s, 3.99, "first")


def test_a_life_without_a_loop_is_left_to_the_next() -> None:
    """A restart that was killed before its first loop was over is not judged."""
    brief = Life(5_010, None, 6_000, "brief")
    last = Life(6_010, 9_000, 20_000, "last")
    (restart,) = judge([FIRST, brief, last], [gap(4_900, 7_000)], [])
    assert (restart.moment, restart.naked_at_kill, restart.naked_s) == ("brief", [BTC], 1.0)


@pytest.mark.parametrize(
    ("events", "symbols"),
    [
        ([entry(7_000, 1, symbol=ETH)], [ETH]),
        ([entry(8_500, 1)], []),
        ([entry(7_000, 1, reduce_only=True)], []),
    ],
    ids=["before", "after", "exit"],
)
def test_entries_before_everything_is_covered(events: list[Event], symbols: list[str]) -> None:
    """New entries wait until what the restart found naked is covered."""
    (restart,) = judge([FIRST, SECOND], [gap(4_900, 8_000)], events)
    assert restart.entered_first == symbols
