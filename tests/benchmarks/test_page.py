"""The page of results, from literal JSON."""

import pytest

from benchmarks.__main__ import last_json
from benchmarks.loop_cost import compared
from benchmarks.page import page
from tests.benchmarks.test_meter import GUARDED, PLAIN

RUN = {
    "date": "2026-11-29",
    "cores": 2,
    "load": 0.3,
    "minutes": 31.0,
    "python": "3.11.7",
    "qt_protections": "1.0",
    "freqtrade": "2026.9",
    "ccxt": "4.5",
}
CELL = {
    "throttle_s": 5,
    "pairs": 30,
    "open": 5,
    "refusals": 12,
    "stream": "up",
    "target_weight": 60,
    **compared(PLAIN, GUARDED),
}
FAILED = {"stream": "down", "pairs": 80, "throttle_s": 1, "failed": "not ready after 240 s"}


def test_page() -> None:
    """Targets stand beside what was measured, and what failed is on the page too."""
    results = {
        "loop_cost": {"cells": [CELL, FAILED]},
        "backtest_cost": {
            "pairs": 5,
            "candles": 20_000,
            "rounds": 3,
            "rows": [
                {
                    "strategy": "Many",
                    "trades": 15_000,
                    "trades_guarded": 14_990,
                    "cpu": 1.04,
                    "memory": 1.01,
                }
            ],
        },
        "exchange_memory": {"failed": "exit code 1, without a result"},
    }
    text = page({"run": RUN, "results": results})
    assert "| up | 30 | 5 s | 5 | 12 |" in text
    assert "| 60 / 540 | 480 | 40 | 60 |" in text
    assert "| GET /fapi/v1/openAlgoOrders | 40 | 0 | 12 | 12 | 480 |" in text
    assert "- stream down, 80 pairs, 1 s: not ready after 240 s" in text
    assert "| Many | 15000 | 14990 | 1.04 | 1.01 |" in text
    assert "Failed: exit code 1, without a result." in text
    assert "decision_latency" not in text


@pytest.mark.parametrize("before", ["", "a table {\n  x\n}\n"], ids=["alone", "after-a-table"])
def test_json_comes_last(before: str) -> None:
    """Whatever a benchmark prints before."""
    assert last_json(before + '{\n  "a": {\n    "b": 1\n  }\n}\n') == {"a": {"b": 1}}


def test_output_without_json() -> None:
    """Is refused."""
    with pytest.raises(ValueError, match="Expecting value"):
        last_json("Traceback")
