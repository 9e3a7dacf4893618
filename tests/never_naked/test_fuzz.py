"""The verdict on a fuzz run, from what it left behind."""

from typing import Any

import pytest
from freqtrade.exceptions import InvalidOrderException
from freqtrade.rpc.rpc import RPCException
from sqlalchemy.exc import IntegrityError

from benchmarks.never_naked.at_once import Heard, in_short
from benchmarks.never_naked.fuzz import figures, settings
from benchmarks.records import TradeBooks
from tests.never_naked.journals import BTC, filled, sold


def report(*gaps: dict[str, Any], orphans: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the exchange's report of one position."""
    return {
        "summary": {
            "closed": 1,
            "open": 0,
            "exits": {"stop": 1},
            "liquidations": 0,
            "naked_total_s": sum(gap["seconds"] for gap in gaps),
        },
        "positions": [{"symbol": BTC, "side": "LONG", "gaps": list(gaps)}],
        "orphans": orphans or [],
    }


def gap(seconds: float) -> dict[str, Any]:
    """Return a naked gap."""
    return {"start_ms": 1_000, "seconds": seconds, "cause": "stop_withdrawn"}


def orphan(since_ms: int) -> dict[str, Any]:
    """Return a stop without a position."""
    return {"symbol": BTC, "client_id": "mine", "since_ms": since_ms}


def heard(**changes: Any) -> Heard:
    """Return what a run without a fault left behind."""
    usual: dict[str, Any] = {
        "report": report(),
        "events": [filled(1, 1, realized="0", fee="1"), sold(2, 2, realized="10", fee="1")],
        "recorded": ["1", "2"],
        "books": [TradeBooks(1, BTC, False, 8.0, 2.0, frozenset({"1", "2"}))],
        "now_ms": 100_000,
        "log": "all is well",
        "settled_s": 14.0,
    }
    return Heard(**(usual | changes))


ROLLED_BACK = "[ALERT] BTCUSDT could not be looked after in this loop.\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"report": report(gap(1.9))}, []),
        ({"report": report(gap(2.1))}, ["naked beyond 2 s: 1"]),
        ({"failures": ["remote 0 enter: KeyError"]}, ["failures: 1"]),
        ({"log": ROLLED_BACK * 2}, ["pairs rolled back: 2"]),
        ({"books": []}, ["books that differ: 1"]),
        ({"recorded": ["2"]}, ["entries not on record: 1"]),
        ({"report": report(orphans=[orphan(80_000)])}, ["stops left over: 1"]),
        ({"report": report(orphans=[orphan(95_000)])}, []),
        ({"differences": {BTC: {"exchange": 1.0, "bot": 0.0}}}, ["positions that differ: 1"]),
    ],
    ids=[
        "none",
        "short-gap",
        "long-gap",
        "failure",
        "rollback",
        "books",
        "unrecorded",
        "left-over",
        "just-left",
        "differences",
    ],
)
def test_broken_promises(changes: dict[str, Any], expected: list[str]) -> None:
    """Each is named with its count."""
    assert figures(heard(**changes), 10)["broken"] == expected


def test_errors_of_the_database_are_found_in_a_chain() -> None:
    """Whoever caught the first, and whatever was raised of it."""
    run, error = heard(), RuntimeError("no")
    error.__cause__ = IntegrityError("insert", {}, Exception("unique"))
    run.failed("remote 0 enter", error)
    verdict = figures(run, 10)
    assert verdict["database"] == {"IntegrityError": 1}
    assert verdict["broken"] == ["errors of the database: 1", "failures: 1"]
    assert run.failures == ["remote 0 enter: RuntimeError: no"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (RPCException("Entry of ETH/USDT:USDT refused, symbol_full: 5 of 5"), "symbol_full"),
        (InvalidOrderException('binance {"code":-2022,"msg":"ReduceOnly"}'), "-2022"),
        (
            RPCException("Failed to enter position for ZEN/USDT:USDT."),
            "Failed to enter position for",
        ),
    ],
    ids=["guard", "exchange", "words"],
)
def test_refusals_in_short(answer: Exception, expected: str) -> None:
    """So that the same refusal of two pairs counts as one kind."""
    assert in_short(answer) == expected


def test_kinds_of_stops_take_turns() -> None:
    """Eight seeds in a row have both placements, with and without a trailing stop."""
    kinds = {(s["stop_placement"], s["trail_callback"]) for s in map(settings, range(7, 15))}
    assert kinds == {("auto", None), ("auto", 1.0), ("on_fill", None)}
