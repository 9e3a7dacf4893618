"""The figures of the risk campaign, from literal reports."""

from typing import Any

import pytest

from benchmarks.risk_adds_up import FOREIGN, figures


def position(**changes: Any) -> dict[str, Any]:
    """Return a position of the exchange's report: planned to lose 60 with 2.5 of slippage."""
    return {
        "symbol": "BTCUSDT",
        "exit": "stop",
        "closed_ms": 5,
        "planned_risk": 60.0,
        "qty_max": 0.05,
        "entry_price": 100_000.0,
        "fees": 5.0,
        "realized_pnl": -57.5,
        "entries": 1,
        "stop_slippage_ratio": 0.0004,
        "liquidated": False,
        "naked_s": 0.0,
        **changes,
    }


def shown(*positions: dict[str, Any], events: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the figures of some positions."""
    return figures({"positions": list(positions)}, events or [], {})


def filled(order_id: int, side: str, quantity: str = "1") -> dict[str, Any]:
    """Return a fill of the journal."""
    return {
        "kind": "order_filled",
        "symbol": "BTCUSDT",
        "side": side,
        "order_id": order_id,
        "quantity": quantity,
    }


def test_losses_are_compared_with_the_plan() -> None:
    """Fees count on both sides, expected slippage on the plan's."""
    losses = shown(position(), position(realized_pnl=-120.0))["losses"]
    assert losses["stopped"] == 2
    assert losses["of_plan"]["mean"] == pytest.approx((1 + 2) / 2)
    assert losses["of_plan"]["max"] == pytest.approx(2)
    assert losses["planned_pct"]["mean"] == pytest.approx(0.625)


@pytest.mark.parametrize(
    "other",
    [{"exit": "market"}, {"closed_ms": None}, {"symbol": FOREIGN}],
    ids=["not stopped", "open", "somebody's"],
)
def test_only_own_stopped_positions_count(other: dict[str, Any]) -> None:
    """A gain taken, or what somebody holds by hand, says nothing of the stop."""
    assert shown(position(), position(**other, realized_pnl=-900.0))["losses"]["stopped"] == 1


def test_entries_are_counted_by_position() -> None:
    """Two orders make the first, one the second."""
    events = [filled(1, "BUY"), filled(1, "BUY"), filled(2, "BUY"), filled(3, "SELL", "3")]
    events += [filled(4, "SELL"), filled(5, "BUY")]
    assert shown(events=events)["stacking"] == {"positions": 2, "entries": {"1": 1, "2": 1}}


def test_what_stood_naked_by_hand_is_not_the_guards() -> None:
    """It was opened without anybody asking."""
    found = shown(position(naked_s=0.0), position(symbol=FOREIGN, naked_s=2.0))
    assert found["naked_max_s"] == 0.0
