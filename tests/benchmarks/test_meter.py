"""What a bot used between two readings, and when a window begins."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loop_cost import chosen, compared
from benchmarks.meter import HOUR_S, OFFSET_S, Reading, between, window_start
from benchmarks.trail_move import a_move

LIST, ONE = ("GET /fapi/v1/openAlgoOrders", 40), ("GET /fapi/v1/algoOrder", 1)


def reading(at: float, cpu_s: float, loops: int, costs: dict[Any, int], **more: Any) -> Reading:
    """Return a reading of a bot that holds something."""
    summary = {"stops": {"accepted": more.get("stops", 5)}, "naked_total_s": more.get("naked", 0.0)}
    refusals = more.get("refusals", {})
    return Reading(
        at, cpu_s, more.get("threads", 6), 300.0, loops, Counter(costs), refusals, summary
    )


PLAIN = between(reading(0, 5, 100, {ONE: 10}), reading(120, 7, 124, {ONE: 130}))
GUARDED = between(
    reading(0, 9, 50, {ONE: 10, LIST: 3}, refusals={"400": 2}),
    reading(120, 15, 74, {ONE: 130, LIST: 27}, threads=16, refusals={"400": 2, "429": 1}),
)


def test_a_minute() -> None:
    """Only what came after the first reading counts."""
    assert PLAIN.a_minute() == {
        "loops": 12.0,
        "cpu_s": 1.0,
        "cpu_ms_a_loop": 83.3,
        "requests": 60.0,
        "requests_a_loop": 5.0,
        "weight": 60.0,
        "weight_a_loop": 5.0,
        "too_many": 0,
        "threads": 6,
        "rss_mb": 300,
    }
    assert (GUARDED.weight, GUARDED.too_many) == (120 + 24 * 40, 1)


def test_the_guard_alone_is_the_difference() -> None:
    """By endpoint too, the dearest first."""
    found = compared(PLAIN, GUARDED)
    assert found["guard_alone"]["weight"] == 480
    assert found["guard_alone"]["weight_a_loop"] == 40
    assert found["ratio"] == {"requests": 1.2, "weight": 9.0, "cpu_s": 3.0}
    assert [row["endpoint"] for row in found["endpoints"]] == [LIST[0], ONE[0]]
    assert found["endpoints"][0]["guard_alone_weight"] == 480


def test_a_move_is_what_a_loop_costs_more() -> None:
    """Loops that became rarer do not make moves cheaper."""
    delete = ("DELETE /fapi/v1/algoOrder", 1)
    still = between(reading(0, 0, 0, {}), reading(60, 2, 20, {ONE: 100}))
    last = reading(60, 2, 10, {ONE: 50, delete: 50}, stops=55, naked=5.0)
    found = a_move(still, between(reading(0, 0, 0, {}), last))
    assert (found["requests"], found["weight"], found["cpu_ms"]) == (1, 1, 20)
    assert found["naked_ms"] == 100
    assert found["endpoints"] == {"DELETE /fapi/v1/algoOrder (1)": 1}


@given(st.floats(0, 2e9), st.integers(1, 600))
def test_a_window_holds_no_full_hour(now_s: float, seconds: int) -> None:
    """It begins soon, at the same second of a minute."""
    start = window_start(now_s, seconds)
    assert now_s <= start <= now_s + 2 * 60 + seconds
    assert start % 60 == OFFSET_S
    assert start // HOUR_S == (start + seconds) // HOUR_S


def test_a_long_window_begins_at_once() -> None:
    """An hour always holds a full hour."""
    assert window_start(HOUR_S - 30, HOUR_S) == HOUR_S + OFFSET_S


def test_what_is_held_and_what_is_refused() -> None:
    """Contracts with large least orders are refused first, and no pair is both."""
    held, refused = chosen(30, 5, 12)
    assert held == [f"{base}/USDT:USDT" for base in ("SOL", "XRP", "ZEN", "DOGE", "BNB")]
    assert refused[:2] == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    assert (len(refused), set(held) & set(refused)) == (12, set())
    with pytest.raises(SystemExit, match="small contracts"):
        chosen(7, 6, 0)
