"""The verdict on a soak, from literal samples and reports."""

from typing import Any

import pytest

from benchmarks.never_naked.soak import Sample, broken, figures, too_many, weight_by_minute
from benchmarks.never_naked.walk import Event
from tests.never_naked.journals import fault

REPORT: dict[str, Any] = {
    "summary": {
        "entries": 4,
        "closed": 2,
        "open": 1,
        "naked_total_s": 0.5,
        "naked_s": {"max": 0.4},
        "naked_by_cause": {"stop_withdrawn": {"gaps": 2, "seconds": 0.5}},
    },
    "traffic": {
        "minutes": [{"requests": n} for n in (3, 50, 70, 9)],
        "refusals": {"400": 7, "429": 1},
    },
}


def sample(s: float, mb: float = 300.0, **changes: Any) -> Sample:
    """Return a sample of a process that idles."""
    usual = {"threads": 12, "handles": 20, "cpu_s": s / 10, "weight": None}
    return Sample(s=s, rss_mb=mb + 100, uss_mb=mb, **(usual | changes))


def shown(samples: list[Sample], events: list[Event] | None = None) -> dict[str, Any]:
    """Return the figures of some samples, with the promises they break."""
    run = figures(samples, REPORT, events or [], "x - ERROR - y\n")
    run["bot_ended"] = False
    return run | {"broken": broken(run)}


INJECTED = [fault(1, "ban", "GET /fapi/v1/time not executed", code=-1003)]


def test_growth_counts_after_the_warm_up_only() -> None:
    """Ten minutes of an hour; here memory grows in them, and then no more."""
    samples = [sample(s, 200 + min(s, 590) / 10) for s in range(0, 3600, 10)]
    run = shown(samples, INJECTED)
    assert (run["warm_up_s"], run["minutes"]) == (600, 59.8)
    assert run["uss"]["mb_per_minute"] == pytest.approx(0)
    assert (run["uss"]["begin_mb"], run["rss"]["end_mb"]) == (259, 359)
    assert run["broken"] == []


def test_a_short_soak_warms_up_for_a_third() -> None:
    """Else nothing would be left of it."""
    assert shown([sample(s) for s in range(0, 301, 10)])["warm_up_s"] == 100


@pytest.mark.parametrize(
    ("per_minute", "expected"),
    [(0.05, []), (2.3, ["memory grows by 2.30 MB a minute"])],
    ids=["within", "beyond"],
)
def test_growing_memory_is_named(per_minute: float, expected: list[str]) -> None:
    """Beyond what counts as flat."""
    samples = [sample(s, 300 + s / 60 * per_minute) for s in range(0, 3600, 10)]
    assert shown(samples, INJECTED)["broken"] == expected


def test_growth_that_is_not_sure_breaks_nothing() -> None:
    """Waves as high as the growth leave it open."""
    samples = [sample(s, 300 + (s // 900) % 2 * 20) for s in range(0, 3600, 10)]
    run = shown(samples, INJECTED)
    assert run["uss"]["uncertainty"] > abs(run["uss"]["mb_per_minute"])
    assert run["broken"] == []


def test_growing_threads_and_handles_are_named() -> None:
    """Each by the count that never came back."""
    samples = [sample(s, threads=12 + s // 300, handles=20 + s // 200) for s in range(0, 3600, 10)]
    assert shown(samples, INJECTED)["broken"] == ["threads grow", "handles grow"]


def test_a_pool_of_connections_may_widen() -> None:
    """A step is as wide as the most requests at once; what leaks comes again and again."""
    samples = [sample(s, handles=20 + (s > 1500) + (s > 2600)) for s in range(0, 3600, 10)]
    assert shown(samples, INJECTED)["broken"] == []


def test_a_bot_that_ended_is_named() -> None:
    """Whatever else the figures say."""
    run = figures([], REPORT, INJECTED)
    assert broken(run | {"bot_ended": True}) == ["the bot ended by itself"]


def test_use_of_the_machine_and_of_the_exchange() -> None:
    """Cores over the time after the warm-up; requests of whole minutes."""
    run = shown([sample(s) for s in range(0, 601, 10)])
    assert run["cpu_cores"] == pytest.approx(0.1)
    assert run["requests"] == {"mean": 60, "most": 70}
    assert (run["log_errors"], run["positions"], run["naked"]["total_s"]) == (1, 3, 0.5)


def test_weight_of_whole_minutes() -> None:
    """The last that was told before the count began anew."""
    told = [400, 900, 50, 500, 1100, 20, None, 700, 30, 60]
    assert weight_by_minute([sample(0, weight=weight) for weight in told]) == [1100, 700]


@pytest.mark.parametrize(
    ("refusals", "events", "expected"),
    [
        ({}, [], (0, 0)),
        ({"400": 9}, [], (0, 0)),
        ({"429": 2, "418": 3}, [], (5, 5)),
        ({"429": 2}, INJECTED, (2, 1)),
        ({"418": 1}, INJECTED, (1, 0)),
        ({"429": 1}, [fault(1, "busy", "POST", code=-1008)], (1, 1)),
    ],
    ids=["none", "others", "own", "one-injected", "all-injected", "another-fault"],
)
def test_too_many_requests(
    refusals: dict[str, int], events: list[Event], expected: tuple[int, int]
) -> None:
    """What a fault sent is not the bot's doing."""
    assert tuple(too_many(refusals, events).values()) == expected
