"""Naked gaps against stops that were hit and faults that struck, from literal journals."""

from typing import Any

import pytest

from benchmarks.never_naked.naked import Gap, beyond_ms, blocks, gaps, hit_before_fill
from benchmarks.never_naked.walk import Event
from tests.never_naked.journals import BTC, ETH, entry, fault, filled, stop

LATENCY_MS = 50
GAP = Gap(BTC, "LONG", 10_000, 14_000, "stop_withdrawn")
POST = "POST /fapi/v1/algoOrder"
REFUSED = f"{POST} not executed: -1008"
HUNG = f"{POST} executed: no answer, connection cut after 30 s"


def test_gaps_of_a_report() -> None:
    """Each gap of each position, one that lasts until the report."""
    found = [{"start_ms": 1000, "end_ms": None, "seconds": 0.25, "cause": "stop_canceled"}]
    report: dict[str, Any] = {"positions": [{"symbol": BTC, "side": "SHORT", "gaps": found}]}
    (gap,) = gaps(report)
    assert gap == Gap(BTC, "SHORT", 1000, 1250, "stop_canceled")
    assert gap.ms == 250


@pytest.mark.parametrize(
    ("events", "beyond"),
    [
        ([], 4000),
        ([fault(12_000, "busy", REFUSED)], 3950),
        ([fault(12_000, "busy", REFUSED, ETH)], 4000),
        ([fault(12_000, "down", "down for 1.5 s, connections cut", "")], 2475),
        ([fault(12_000, "ban", f"{REFUSED} (every request for 1.500 s)", ETH)], 2475),
        ([fault(13_000, "hang", HUNG)], 2975),
        ([fault(13_000, "hang", HUNG), fault(13_500, "busy", REFUSED)], 2975),
        ([fault(12_000, "busy", REFUSED), fault(12_025, "busy", REFUSED)], 3925),
        ([fault(1_000, "hang", HUNG)], 3025),
        ([fault(500, "drop", f"{POST} executed: no answer, connection cut after 0 s")], 4000),
        ([fault(12_000, "latency", f"{POST} 600 ms after execution")], 3350),
        ([fault(10_000, "withdraw", "reject")], 4000),
    ],
    ids=[
        "none",
        "refused",
        "other-symbol",
        "down",
        "keeps-out",
        "hangs-on",
        "counts-once",
        "overlap",
        "until-patience-ends",
        "before",
        "delayed",
        "blocks-nothing",
    ],
)
def test_beyond_the_fault(events: list[Event], beyond: float) -> None:
    """What is left of a gap when the faults of its symbol that kept answers back are taken off."""
    patience_ms = 10_000
    spans = blocks(events, LATENCY_MS, patience_ms)
    assert beyond_ms(GAP, spans) == beyond


OPENED = Gap(BTC, "LONG", 10_000, 10_100, "opened_before_stop")


@pytest.mark.parametrize(
    ("events", "hit"),
    [
        ([stop("accepted", 9_900, 1), stop("triggered", 9_980, 1)], True),
        ([stop("accepted", 9_900, 1)], False),
        ([], False),
        ([stop("accepted", 5_000, 1), stop("triggered", 6_000, 1)], False),
        (
            [
                stop("accepted", 9_000, 1),
                stop("triggered", 9_900, 1),
                stop("accepted", 9_950, 2),
            ],
            False,
        ),
        ([stop("accepted", 9_900, 1, side="BUY"), stop("triggered", 9_980, 1)], False),
        ([stop("accepted", 9_900, 1), stop("triggered", 10_050, 1)], False),
        (
            [stop("accepted", 9_900, 1, type="TRAILING_STOP_MARKET"), stop("triggered", 9_980, 1)],
            False,
        ),
    ],
    ids=[
        "on-its-way",
        "alive",
        "none",
        "an-earlier-position's",
        "replaced",
        "other-side",
        "after-the-fill",
        "no-stop",
    ],
)
def test_hit_before_the_fill(events: list[Event], hit: bool) -> None:
    """A market entry's stop was triggered while the entry was on its way."""
    journal = [*events, entry(10_000, 7), filled(10_000, 7)]
    assert hit_before_fill([OPENED], journal, LATENCY_MS) == ([OPENED] if hit else [])


def test_hit_while_the_entry_rests() -> None:
    """However long a limit entry rests, its stop may be hit before it is filled."""
    journal = [
        stop("accepted", 900, 1),
        entry(1_000, 7, type="LIMIT"),
        stop("triggered", 4_000, 1),
        filled(10_000, 7),
    ]
    assert hit_before_fill([OPENED], journal, LATENCY_MS) == [OPENED]
    assert hit_before_fill([GAP], journal, LATENCY_MS) == []
