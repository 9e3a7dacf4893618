"""A rehearsal with faults can be repeated, byte by byte."""

import json

import pytest

from qt_protections.rehearsal.faults.script import KINDS
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import build_market
from qt_protections.rehearsal.venue import Venue
from tests.rehearsal.ear import Ear
from tests.rehearsal.stage import MIDNIGHT_MS, Stage
from tests.rehearsal.struck import ALGO, ENTRY, ORDER, STOP, Struck, fault

pytestmark = pytest.mark.long

RISK, LOOKUP = "/fapi/v3/positionRisk", "/fapi/v1/openAlgoOrders"
SCRIPT = "\n".join(
    [
        fault("latency", median_ms=80, p99_ms=900, rate=0.5),
        fault("latency", min_ms=10, max_ms=90, when="before", rate=0.3),
        fault("busy", rate=0.1),
        fault("busy", status=502, rate=0.05),
        fault("refuse", code=-2021, rate=0.4),
        fault("ban", at_s=40, for_s=8),
        fault("lost", rate=0.1),
        fault("drop", rate=0.1),
        fault("drop", executed=False, rate=0.1),
        fault("hang", rate=0.3, hang_s=3),
        fault("stale", unseen_ms=4000, rate=0.5),
        fault("position_lag", behind_ms=3000, rate=0.5),
        fault("withdraw", rate=0.2),
        fault("cancel", after_ms=3000, rate=0.2),
        fault("cancel", at_s=100, rate=0.9),
        fault("clock_skew", ahead_ms=7000, from_s=60, to_s=70),
        fault("down", at_s=80, for_s=5),
        fault("stream_drop", per_minute=5),
        fault("firewall", status=403, rate=0.06),
        fault("lost", executed_after_ms=1500, rate=0.05),
        fault("hang", executed_after_ms=2500, rate=0.03, hang_s=3),
        fault("omit", share=0.5, rate=0.5),
        fault("list_lag", behind_ms=4000, rate=0.3),
        fault("dead_on_arrival", rate=0.1),
        fault("dead_on_arrival", outcome="expire", told=False, rate=0.1),
        fault("sleep", at_s=20, for_s=10, every_s=50),
        fault("child_unknown", hides="both"),
        fault("adl", after_ms=2000, rate=0.3),
        fault("adl", at_s=57),
        fault("stream_mute", rate=0.2),
    ]
)


class Seeded(Stage):
    """The exchange in a violent market, on a hand-moved clock."""

    def __init__(self, seed: int) -> None:
        """Open at noon."""
        self.now_ms = MIDNIGHT_MS + 12 * 3_600_000
        tape, feed = build_market(SCENARIOS["violent"], seed, self.now_ms)
        self.venue = Venue(tape, feed, lambda: self.now_ms)


def rehearse(seed: int) -> tuple[bytes, bytes, set[str]]:
    """Return report, events heard or not, and the kinds of faults that struck a fixed client."""
    struck = Struck(SCRIPT, seed, latency_ms=50, stage=Seeded(seed))
    venue = struck.stage.venue
    ear = Ear(struck.streams, venue.listen_keys.open())
    begun_ms = struck.stage.now_ms
    for number in range(180):
        struck.stage.wait(max(0, begun_ms + number * 1000 - struck.stage.now_ms))
        price = venue.tape.last("BTCUSDT")
        trigger = {"triggerPrice": format(round(price * 999 / 1000, 1), "f")}
        method, path, values = [
            ("POST", ALGO, STOP | trigger),
            ("POST", ORDER, ENTRY),
            ("GET", RISK, {}),
            ("GET", LOOKUP, {}),
            ("POST", ORDER, ENTRY | {"side": "SELL", "reduceOnly": "true"}),
        ][number % 5]
        struck.ask(method, path, **values)
    events = [event.as_json() for event in venue.journal.events]
    kinds = {str(event["cause"]) for event in events if event["kind"] == "fault"}
    return (
        venue.report().model_dump_json().encode(),
        json.dumps([events, ear.heard]).encode(),
        kinds,
    )


def test_same_seed_same_report() -> None:
    """Seed and script decide everything; every kind of fault took part."""
    report, events, kinds = rehearse(11)
    assert rehearse(11)[:2] == (report, events)
    assert kinds == set(KINDS)
    other_report, other_events, _ = rehearse(12)
    assert other_report != report
    assert other_events != events
