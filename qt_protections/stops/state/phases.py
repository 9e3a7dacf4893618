"""The phases of an entry and of a stop, and which event leads from one phase to the next.

Each table names every event in every phase, so nothing that is heard can be out of order: answers,
lists and events come late, twice, and from several threads. What is over stays over.
"""

from collections.abc import Mapping
from enum import StrEnum


class EntryPhase(StrEnum):
    """How far an entry has come."""

    SENT = "sent, its answer is awaited"
    LOST = "its answer was lost: the exchange may have it"
    RESTING = "the exchange has it, and it can fill further"
    FINAL = "it can fill no further"


class EntryEvent(StrEnum):
    """What is heard of an entry."""

    NO_ANSWER = "no answer"
    OPEN = "told as open"
    ENDED = "told as over"


class StopPhase(StrEnum):
    """What is known of a stop that the exchange accepted."""

    LIVE = "it stands"
    UNCONFIRMED = "the exchange could not tell of it when last asked"
    FIRED = "it triggered; what its order did is not known yet"
    ENDED = "it stands no more"


class StopEvent(StrEnum):
    """What is heard of a stop."""

    TOLD_LIVE = "told as live"
    UNKNOWN = "unknown to the exchange"
    TRIGGERED = "told as triggered"
    DROPPED = "seen to its end"


ENTRY_TRANSITIONS: Mapping[EntryPhase, Mapping[EntryEvent, EntryPhase]] = {
    EntryPhase.SENT: {
        EntryEvent.NO_ANSWER: EntryPhase.LOST,
        EntryEvent.OPEN: EntryPhase.RESTING,
        EntryEvent.ENDED: EntryPhase.FINAL,
    },
    EntryPhase.LOST: {
        EntryEvent.NO_ANSWER: EntryPhase.LOST,
        EntryEvent.OPEN: EntryPhase.RESTING,
        EntryEvent.ENDED: EntryPhase.FINAL,
    },
    EntryPhase.RESTING: {
        EntryEvent.NO_ANSWER: EntryPhase.RESTING,  # an event was faster than the answer
        EntryEvent.OPEN: EntryPhase.RESTING,
        EntryEvent.ENDED: EntryPhase.FINAL,
    },
    EntryPhase.FINAL: dict.fromkeys(EntryEvent, EntryPhase.FINAL),
}

STOP_TRANSITIONS: Mapping[StopPhase, Mapping[StopEvent, StopPhase]] = {
    StopPhase.LIVE: {
        StopEvent.TOLD_LIVE: StopPhase.LIVE,
        StopEvent.UNKNOWN: StopPhase.UNCONFIRMED,
        StopEvent.TRIGGERED: StopPhase.FIRED,
        StopEvent.DROPPED: StopPhase.ENDED,
    },
    StopPhase.UNCONFIRMED: {
        StopEvent.TOLD_LIVE: StopPhase.LIVE,
        StopEvent.UNKNOWN: StopPhase.UNCONFIRMED,
        StopEvent.TRIGGERED: StopPhase.FIRED,
        StopEvent.DROPPED: StopPhase.ENDED,
    },
    StopPhase.FIRED: {
        StopEvent.TOLD_LIVE: StopPhase.FIRED,  # an answer older than the trigger
        StopEvent.UNKNOWN: StopPhase.FIRED,
        StopEvent.TRIGGERED: StopPhase.FIRED,
        StopEvent.DROPPED: StopPhase.ENDED,
    },
    StopPhase.ENDED: dict.fromkeys(StopEvent, StopPhase.ENDED),
}


def advance_entry(phase: EntryPhase, event: EntryEvent) -> EntryPhase:
    """Return the phase of an entry after an event."""
    return ENTRY_TRANSITIONS[phase][event]


def advance_stop(phase: StopPhase, event: StopEvent) -> StopPhase:
    """Return the phase of a stop after an event."""
    return STOP_TRANSITIONS[phase][event]
