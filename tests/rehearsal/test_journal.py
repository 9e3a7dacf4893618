"""The exchange's log: numbered, bounded, heard."""

from qt_protections.rehearsal.journal import Event, EventKind, Journal


def test_holds_the_latest() -> None:
    """Old events go, numbers go on."""
    journal = Journal(keep=3)
    for _ in range(5):
        journal.add(EventKind.FUNDING, "BTCUSDT")
    assert [event.seq for event in journal.events] == [2, 3, 4]
    assert [event.seq for event in journal.since(3)] == [3, 4]
    assert [event.seq for event in journal.since(0)] == [2, 3, 4]
    assert journal.since(5) == journal.since(10**30) == []


def test_listeners_hear_every_event_once() -> None:
    """Also those the journal no longer holds."""
    journal, heard = Journal(keep=1), list[Event]()
    journal.subscribe(heard.append)
    for ms in (5, 6, 7):
        journal.now_ms = ms
        journal.add(EventKind.FUNDING, "BTCUSDT")
    assert [(event.seq, event.ms) for event in heard] == [(0, 5), (1, 6), (2, 7)]
