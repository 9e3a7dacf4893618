"""Orders that protect nothing, from literal journals and logs."""

from datetime import datetime

import pytest

from benchmarks.never_naked.orphans import Loop, Spell, loops, outlived_a_loop, spells
from benchmarks.never_naked.walk import Event
from tests.never_naked.journals import BTC, ETH, canceled, entry, filled, sold, stop

END_MS = 9_000


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([stop("accepted", 1000, 1)], [(1000, END_MS)]),
        ([stop("accepted", 1000, 1), entry(1050, 7), filled(1050, 7)], [(1000, 1050)]),
        ([entry(900, 7), stop("accepted", 1000, 1), filled(4000, 7)], []),
        ([entry(900, 7), stop("accepted", 1000, 1), canceled(4000, 7)], [(4000, END_MS)]),
        (
            [entry(900, 7, "2"), stop("accepted", 1000, 1), filled(2000, 7), sold(3000, 8)],
            [],
        ),
        (
            [filled(900, 7), stop("accepted", 1000, 1), sold(3000, 8), stop("canceled", 3300, 1)],
            [(3000, 3300)],
        ),
        ([sold(900, 7), stop("accepted", 1000, 1)], [(1000, END_MS)]),
        ([stop("accepted", 1000, 1, reduce_only=False)], []),
        ([stop("accepted", 1000, 1), stop("canceled", 1000, 1)], []),
        ([filled(900, 7, symbol=ETH), stop("accepted", 1000, 1)], [(1000, END_MS)]),
        (
            [filled(900, 7), stop("accepted", 1000, 1), stop("released", 2000, 1), sold(2000, 8)],
            [],
        ),
        (
            [stop("accepted", 1000, 1), entry(2000, 7), canceled(3000, 7)],
            [(1000, 2000), (3000, END_MS)],
        ),
    ],
    ids=[
        "alone",
        "ahead-of-its-entry",
        "while-its-entry-rests",
        "entry-canceled",
        "rest-of-an-entry",
        "left-over",
        "wrong-side",
        "may-open",
        "within-a-millisecond",
        "other-symbol",
        "triggered",
        "twice",
    ],
)
def test_spells(events: list[Event], expected: list[tuple[int, int]]) -> None:
    """An order protects a position on its side, or an entry that rests."""
    assert [(spell.start_ms, spell.end_ms) for spell in spells(events, END_MS)] == expected


@pytest.mark.parametrize(
    ("loop", "late"),
    [
        (Loop(1500, 1900), True),
        (Loop(500, 1900), False),
        (Loop(1500, 2000), False),
    ],
    ids=["within", "begun-before", "ended-with-it"],
)
def test_outlived_a_loop(loop: Loop, late: bool) -> None:
    """Only a loop that began after the order became useless had a chance at it."""
    spell = Spell(BTC, "stop-1", 1000, 2000)
    assert outlived_a_loop([spell], [loop]) == ([spell] if late else [])
    assert spell.seconds == 1.0


def test_loops_of_a_log() -> None:
    """A verbose log tells when a loop's work was done, and how long it took."""
    line = (
        "2026-11-22 12:00:03,250 - freqtrade.worker - DEBUG - Throttling with "
        "'_process_running()': sleep for 3.75 s, last iteration took 1.25 s."
    )
    end_ms = round(datetime(2026, 11, 22, 12, 0, 3, 250_000).timestamp() * 1000)  # noqa: DTZ001
    assert loops(f"other\n{line}\nother") == [Loop(end_ms - 1250, end_ms)]
