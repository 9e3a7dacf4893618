"""The journal as a file."""

import json
from pathlib import Path

from qt_protections.rehearsal.event_log import EventLog
from qt_protections.rehearsal.journal import EventKind, Journal
from tests.rehearsal.stage import BTC, Stage


def test_every_event_is_a_line(tmp_path: Path) -> None:
    """The file ends up equal to what the journal says, numbers and all."""
    stage = Stage()
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        stage.venue.journal.subscribe(log.take)
        stage.algo()
        stage.order()
        stage.tick(99_000.0)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [event.as_json() for event in stage.venue.journal.events]
    assert {"stop_accepted", "order_filled", "stop_triggered"} <= {line["kind"] for line in lines}
    assert log.lost == 0


def test_a_slow_disk_costs_events_not_time(tmp_path: Path) -> None:
    """What does not fit in the queue is counted, and its numbers are missing."""
    journal, path = Journal(), tmp_path / "events.jsonl"
    log = EventLog(path, waiting=2)
    journal.subscribe(log.take)
    for _ in range(5):
        journal.add(EventKind.FUNDING, BTC)
    with log:
        pass
    numbers = [json.loads(line)["seq"] for line in path.read_text().splitlines()]
    assert (numbers, log.lost) == ([0, 1], 3)
