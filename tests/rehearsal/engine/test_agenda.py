"""Appointments are kept in time."""

from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.agenda import Agenda
from tests.rehearsal.stage import Stage


@given(st.lists(st.integers(0, 50)), st.integers(0, 50))
def test_order(times_ms: list[int], until_ms: int) -> None:
    """Whatever is due comes in order of time, and of its making; the rest waits."""
    agenda, done = Agenda(), []
    for number, ms in enumerate(times_ms):
        agenda.add(ms, lambda made=(ms, number): done.append(made))
    for until in (until_ms, 50):
        for ms, action in agenda.due(until):
            assert ms <= until
            action()
    assert done == sorted((ms, number) for number, ms in enumerate(times_ms))


def test_an_action_may_make_appointments() -> None:
    """What is arranged meanwhile and due already is done in the same breath."""
    agenda, done = Agenda(), []

    def again() -> None:
        done.append(len(done))
        agenda.add(10 * len(done), again)

    agenda.add(0, again)
    for _, action in agenda.due(25):
        action()
    assert done == [0, 1, 2]


def test_the_venue_stands_at_the_moment() -> None:
    """An action finds the time and the prices of its moment, however late the venue gets to it."""
    stage = Stage()
    seen, begun_ms = [], stage.now_ms
    for after_ms in (1500, 500):
        stage.venue.agenda.add(
            begun_ms + after_ms,
            lambda: seen.append((stage.venue.now_ms - begun_ms, stage.venue.tape.last("BTCUSDT"))),
        )
    stage.tick(101_000, after_ms=1000)
    stage.tick(102_000, after_ms=1000)
    assert seen == [(500, 100_000), (1500, 101_000)]
