"""Whatever is heard of an entry or a stop, in whatever order, leads to a phase that is true."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.stops.state.phases import (
    ENTRY_TRANSITIONS,
    STOP_TRANSITIONS,
    EntryEvent,
    EntryPhase,
    StopEvent,
    StopPhase,
    advance_entry,
    advance_stop,
)
from qt_protections.stops.state.stop import StopTrack

Table = Mapping[Any, Mapping[Any, Any]]

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


def diagram(table: Table) -> str:
    """Return a table as a state diagram in Mermaid's notation; what changes nothing is left out."""
    first = next(iter(table))
    lines = [f"    [*] --> {first.name}"]
    for phase, row in table.items():
        for event, after in row.items():
            if after is not phase:
                lines.append(f"    {phase.name} --> {after.name}: {event.value}")
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


@pytest.mark.parametrize("table", [ENTRY_TRANSITIONS, STOP_TRANSITIONS], ids=["entry", "stop"])
def test_the_documentation_shows_the_table(table: Table) -> None:
    """As a picture; print it with `python -m tests.stops.state.test_phases`."""
    assert diagram(table) in ARCHITECTURE.read_text()


@pytest.mark.parametrize(
    ("table", "phases", "events"),
    [(ENTRY_TRANSITIONS, EntryPhase, EntryEvent), (STOP_TRANSITIONS, StopPhase, StopEvent)],
    ids=["entry", "stop"],
)
def test_every_event_has_its_place_in_every_phase(
    table: Table, phases: list[Any], events: list[Any]
) -> None:
    """Whatever comes late or twice leads somewhere."""
    assert set(table) == set(phases)
    assert all(set(row) == set(events) for row in table.values())


@given(st.lists(st.sampled_from(EntryEvent)))
def test_an_entry_that_was_told_of_is_lost_no_more(events: list[EntryEvent]) -> None:
    """And one that was told as over is over."""
    phase = EntryPhase.SENT
    for event in events:
        phase = advance_entry(phase, event)
    if EntryEvent.ENDED in events:
        assert phase is EntryPhase.FINAL
    elif EntryEvent.OPEN in events:
        assert phase is EntryPhase.RESTING
    else:
        assert phase is (EntryPhase.LOST if events else EntryPhase.SENT)


@given(st.lists(st.sampled_from(StopEvent)))
def test_a_stop_that_triggered_counts_as_live_never_again(events: list[StopEvent]) -> None:
    """Whatever older answers say; and what was seen to its end stays ended."""
    phase = StopPhase.LIVE
    for event in events:
        phase = advance_stop(phase, event)
    if StopEvent.DROPPED in events:
        assert phase is StopPhase.ENDED
    elif StopEvent.TRIGGERED in events:
        assert phase is StopPhase.FIRED
    else:
        assert phase in (StopPhase.LIVE, StopPhase.UNCONFIRMED)


def test_when_a_stop_fired_is_when_that_was_heard_first() -> None:
    """Else one that is told of each second would never be overdue."""
    track = StopTrack()
    track.hear(StopEvent.TRIGGERED)
    first = track.fired_at
    track.hear(StopEvent.TRIGGERED)
    track.hear(StopEvent.TOLD_LIVE)
    assert first is not None
    assert track.fired_at == first
    assert (track.is_in_doubt, track.has_fired) == (True, True)


if __name__ == "__main__":
    for each in (ENTRY_TRANSITIONS, STOP_TRANSITIONS):
        print(diagram(each), end="\n\n")
