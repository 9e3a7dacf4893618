"""The guard's cost, beside plain Freqtrade in the same run, against what is on record."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.ratchet import MARGINS, figures, measure, recorded, worse

pytestmark = pytest.mark.long

RECORD = {"requests": 100.0, "weight": 400.0, "threads": 8.0, "cpu_ratio": 2.0}


def cell(**changes: Any) -> dict[str, Any]:
    """Return a cell of `loop_cost`."""
    side = {"too_many": 0}
    rows = [
        {"guard_alone": RECORD["requests"], "guard_alone_weight": RECORD["weight"]},
        {"guard_alone": -60.0, "guard_alone_weight": -60.0},  # asked by plain Freqtrade alone
    ]
    usual = {"as_meant": True, "plain": side, "guarded": side, "endpoints": rows}
    usual |= {"guard_alone": {"threads": RECORD["threads"]}}
    return usual | {"ratio": {"cpu_s": 2.0}} | changes


def test_every_figure_has_a_margin_and_a_record() -> None:
    """One without would never be worse."""
    assert figures(cell()) == RECORD
    assert set(recorded()) == set(MARGINS) == set(RECORD)


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, []),
        ({"weight": 860.0, "requests": 260.0, "threads": 12.0, "cpu_ratio": 4.5}, []),
        ({"weight": 880.0}, ["weight: 880, recorded 400, allowed 860"]),
        ({"threads": 13.0}, ["threads: 13, recorded 8, allowed 12"]),
        ({"requests": 1.0, "cpu_ratio": 0.9}, []),
    ],
    ids=["same", "within", "dearer", "threads", "better"],
)
def test_worse(changes: dict[str, float], broken: list[str]) -> None:
    """Beyond its margin a figure is named; what is better passes."""
    assert worse(RECORD | changes, RECORD) == broken


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"as_meant": False}, "should be"), ({"guarded": {"too_many": 1}}, "429")],
    ids=["not-as-meant", "refused"],
)
def test_a_run_that_shows_nothing(changes: dict[str, Any], why: str) -> None:
    """Is no measurement."""
    with pytest.raises(RuntimeError, match=why):
        figures(cell(**changes))


@pytest.mark.freqtrade
def test_the_guard_has_not_become_dearer(tmp_path: Path) -> None:
    """If it has for a reason, `python -m benchmarks.ratchet --record` writes the new figures."""
    assert worse(measure(tmp_path), recorded()) == []
