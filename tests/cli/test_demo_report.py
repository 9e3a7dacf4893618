"""The demonstration's figures, and when they are a failure."""

from typing import Any

import pytest

from qt_protections.cli.demo_report import Rehearsed, as_report, rehearsed

LOG = """
2026-01-01 - INFO - [SAFETY] SHORT BLOCKED by global uptrend rule | symbol=BTCUSDT | conf=55%
2026-01-01 - INFO - [SAFETY] SHORT BLOCKED by global uptrend rule | symbol=ETHUSDT | conf=none
2026-01-01 - INFO - [SAFETY] RARE SHORT ALLOWED in UPTREND | symbol=ZENUSDT | local_regime=DOWN
2026-01-01 - INFO - [SAFETY] Skipping BTCUSDT: Already at max 2 positions for this symbol
2026-01-01 - INFO - [SAFETY] Skipping XRPUSDT: stake 1 is below the exchange's minimum 5
"""


def exchange_report(naked_s: float = 0.0, covered: int = 3) -> dict[str, Any]:
    """Return an exchange's report of three positions."""
    return {
        "summary": {
            "closed": 2,
            "open": 1,
            "entries": 4,
            "stops_live_before_entry": covered,
            "naked_s": {"max": naked_s},
            "naked_total_s": naked_s,
            "exits": {"stop": 2},
        },
        "positions": [{}, {}, {}],
    }


def test_figures() -> None:
    """The exchange's counts and the bot's lines stand side by side."""
    run = rehearsed(exchange_report(), LOG)
    assert run == Rehearsed(
        entries=4,
        positions=3,
        stops_live_before_entry=3,
        naked_max_s=0.0,
        naked_total_s=0.0,
        shorts_blocked=2,
        rare_shorts_allowed=1,
        stacking_refused=1,
        stops_hit=2,
        emergency_closes=0,
    )
    assert run.verdict() is None
    report = as_report(run, exchange_report(), LOG)
    assert report["said"]["shorts_blocked"] == {"BTCUSDT": 1, "ETHUSDT": 1}
    assert report["verdict"] is None


@pytest.mark.parametrize(
    ("report", "log", "wrong"),
    [
        (exchange_report(naked_s=0.001), LOG, "a position stood naked for 0.001 s"),
        (exchange_report(covered=2), LOG, "1 of 3 positions had no stop before their entry"),
        (exchange_report(), "", "never seen: shorts_blocked, rare_shorts_allowed, stack"),
    ],
    ids=["naked", "late", "not-shown"],
)
def test_failures(report: dict[str, Any], log: str, wrong: str) -> None:
    """A millisecond of nakedness fails the run, and so does a rule nobody saw at work."""
    assert (rehearsed(report, log).verdict() or "").startswith(wrong)
