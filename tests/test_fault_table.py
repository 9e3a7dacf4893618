"""The fault table's figures, from what a run left behind."""

from typing import Any

import pytest

from benchmarks.fault_table import arguments_of, figures
from benchmarks.live_bot import Seen
from qt_protections.rehearsal.faults.kinds.requests import Lost
from qt_protections.rehearsal.faults.script import shipped_scripts
from tests.rehearsal.struck import Struck, fault


def seen(struck: Struck, log: str = "", trades: list[dict[str, Any]] | None = None) -> Seen:
    """Return what a run on that exchange left behind."""
    venue = struck.stage.venue
    report = venue.report().model_dump(mode="json")
    events = [event.as_json() for event in venue.journal.events]
    return Seen(report, events, log, trades or [], ended=False)


def trade(**changes: object) -> dict[str, Any]:
    """Return a trade of the bot's database."""
    return {"symbol": "BTCUSDT", "open": True, "exit": None, "amount": 0.01} | changes


@pytest.mark.parametrize(
    ("trades", "unknown"),
    [([], ["BTCUSDT"]), ([trade(amount=0.005)], ["BTCUSDT"]), ([trade()], [])],
    ids=["forgotten", "too-small", "known"],
)
def test_positions_the_bot_does_not_know(trades: list[dict[str, Any]], unknown: list[str]) -> None:
    """What the exchange holds beyond the bot's open trades is named."""
    struck = Struck()
    struck.entry()
    assert figures(seen(struck, trades=trades))["unknown_positions"] == unknown


def test_a_naked_position_names_its_faults() -> None:
    """Seconds, the fault of its symbol, and that the bot does not know of it."""
    struck = Struck(fault("lost", endpoints=["POST /fapi/v1/order"]))
    struck.entry()
    struck.stage.wait(4000)
    row = figures(seen(struck))
    (naked,) = row["naked"]
    assert (naked["symbol"], naked["naked_s"], len(naked["faults"])) == ("BTCUSDT", 4.0, 1)
    assert naked["faults"][0].startswith(f"{Lost.__name__.lower()}: POST /fapi/v1/order executed")
    assert (row["unknown_positions"], row["faults"]) == (["BTCUSDT"], {"lost": 1})


def test_a_covered_position_has_none() -> None:
    """Its stop stood first; what the bot's log and database say is counted."""
    struck = Struck()
    struck.stop()
    struck.entry()
    struck.stage.tick(99_400)
    log = "x - ERROR - y\n[ALERT] EMERGENCY CLOSE BTCUSDT\n"
    trades = [trade(open=False, exit="emergency_exit")]
    row = figures(seen(struck, log, trades))
    assert (row["positions"], row["stops_live_before_entry"], row["naked"]) == (1, 1, [])
    assert (row["log_errors"], row["emergency_exits"]) == (1, 2)
    assert row["worst_loss_of_plan"] > 0


def test_every_shipped_script_has_a_row() -> None:
    """Those about websockets too: the guarded bot listens to its user data stream."""
    assert arguments_of([]).fault == ["none", *shipped_scripts()]
    assert arguments_of(["--fault", "mute"]).fault == ["mute"]
