"""Times between decisions and orders, from literal journals."""

from typing import Any

from benchmarks.decision_latency import answer_to_stop, signal_to_entry, told

SYMBOL = "BTCUSDT"


def event(seq: int, kind: str, ms: int, **more: Any) -> dict[str, Any]:
    """Return an event of a symbol."""
    return {"seq": seq, "kind": kind, "ms": ms, "symbol": SYMBOL} | more


def order(seq: int, ms: int, number: int, side: str) -> list[dict[str, Any]]:
    """Return an order at market and its fill."""
    return [
        event(seq, "order_accepted", ms, order_id=number),
        event(seq + 1, "order_filled", ms, order_id=number, side=side, quantity="1"),
    ]


JOURNAL = [
    *order(0, 1000, 1, "BUY"),
    event(2, "stop_accepted", 1060),
    event(3, "stop_accepted", 1500),
    *order(4, 2000, 2, "SELL"),
    *order(6, 3000, 3, "BUY"),
    *order(8, 3030, 4, "SELL"),
    event(10, "stop_accepted", 3040),
]


def test_from_an_answer_to_its_stop() -> None:
    """The first stop after each entry; an entry that was left before has none."""
    assert answer_to_stop(JOURNAL, 50) == [10]


def test_from_a_signal_to_its_entry() -> None:
    """The latest signal before the entry arrived; exits have none."""
    signals = [{"pair": "BTC/USDT:USDT", "ms": ms} for ms in (500.0, 900.0, 2950.0, 3010.0)]
    assert signal_to_entry(signals, JOURNAL, 50) == [75, 25]


def test_told_in_round_trips() -> None:
    """Of the same run; nothing is nothing."""
    assert told([50.0, 100.0], 50.0)["round_trips"]["p50"] == 1.5
    assert told([], 50.0)["ms"] == {"p50": None, "p99": None}
