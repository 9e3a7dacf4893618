"""What is made of the times of two roads, from literal times."""

import pytest

from benchmarks.order_ws import compared
from benchmarks.page import page
from tests.benchmarks.test_page import RUN

TIMES = [float(60 + number % 7) for number in range(200)]


def test_a_road_that_is_sooner_in_each_round_wins() -> None:
    """By what it gains; the range says how sure that is."""
    found = compared([ms - 5 for ms in TIMES], TIMES)
    assert found["wins"]
    for name in ("p50", "p99"):
        assert found[name]["gain_ms"] == 5
        assert found[name]["from_ms"] == pytest.approx(5, abs=1.5)
        assert 0 < found[name]["from_ms"] <= 5 <= found[name]["to_ms"]
    assert found["p50"]["ratio"] == pytest.approx(58 / 63, abs=0.001)


@pytest.mark.parametrize(
    "ms",
    [
        TIMES,
        TIMES[::-1],
        [one + 5 for one in TIMES],
        [one + (100 if number % 20 == 0 else -5) for number, one in enumerate(TIMES)],
    ],
    ids=["equal", "turned round", "later", "sooner at p50 alone"],
)
def test_a_road_that_gains_no_more_than_noise_does_not_win(ms: list[float]) -> None:
    """At p50 and at p99."""
    assert not compared(ms, TIMES)["wins"]


def test_page() -> None:
    """Times of each road, and what one gains over another."""
    road = {"ms": {"p50": 26.7, "p99": 108.4}, "cpu_ms": 3.21}
    gains = {"ws over rest": compared([ms - 5 for ms in TIMES], TIMES)}
    run = {"latency_ms": 10, "round_trip_ms": 16.5, "roads": {"rest": road}, "gains": gains}
    text = page({"run": RUN, "results": {"order_ws": {"runs": [run]}}})
    assert "| 10 | rest | 26.7 | 108.4 | 3.21 |" in text
    assert "| 10 | ws over rest | 5.0 (" in text
