"""A thread of the guard's: its end is heard, it begins again, and one that hangs is told of."""

import logging
import threading
from collections.abc import Iterator

import pytest

from qt_protections.stops.threads.supervised import Life, Restarts, Supervised
from tests.integration.rig import until

PATIENCE_S = 30.0
AT_ONCE = Restarts(first_s=0.001, longest_s=0.002)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every thread has ended when its test has."""
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() == before)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said with [ALERT]."""
    said = [record.getMessage() for record in caplog.records]
    return [line for line in said if line.startswith("[ALERT]")]


def ended(thread: Supervised) -> None:
    """End a thread, and wait for that."""
    thread.end()
    thread.join(PATIENCE_S)
    assert thread.state.life is Life.ENDED


def test_work_that_fails_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once with its traceback, whatever kind of error it was, and counted."""
    errors: list[BaseException] = [SystemExit(1), ValueError("x"), ValueError("x")]
    at_work = threading.Event()

    def work(thread: Supervised) -> None:
        if errors:
            raise errors.pop(0)
        at_work.set()
        thread.wait(PATIENCE_S)

    thread = Supervised("qt-test", work, restarts=AT_ONCE)
    thread.start()
    assert at_work.wait(PATIENCE_S)
    assert (thread.state.life, thread.state.restarts) == (Life.RUNNING, 3)
    ended(thread)
    assert alerts(caplog) == [
        "[ALERT] Thread qt-test failed: 1. It begins again.",
        "[ALERT] Thread qt-test failed: x. It begins again.",
    ]
    assert all(r.exc_info for r in caplog.records if r.getMessage().startswith("[ALERT]"))


def test_work_that_ends_by_itself_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody asked for it."""
    turns, at_work = iter([True, False]), threading.Event()

    def work(thread: Supervised) -> None:
        if not next(turns):
            at_work.set()
            thread.wait(PATIENCE_S)

    thread = Supervised("qt-test", work, restarts=AT_ONCE)
    thread.start()
    assert at_work.wait(PATIENCE_S)
    ended(thread)
    assert alerts(caplog) == ["[ALERT] Thread qt-test ended by itself. It begins again."]


def test_an_old_failure_that_comes_back_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    """After a steady run it is news."""
    clock, turns, at_work = Clock(), iter(range(3)), threading.Event()

    def work(thread: Supervised) -> None:
        if next(turns) < 2:
            clock.now += 100.0
            raise ValueError("again")
        at_work.set()
        thread.wait(PATIENCE_S)

    thread = Supervised("qt-test", work, hangs_s=1e9, restarts=AT_ONCE, clock=clock)
    thread.start()
    assert at_work.wait(PATIENCE_S)
    ended(thread)
    assert len(alerts(caplog)) == 2


def test_the_end_comes_at_once_in_a_pause() -> None:
    """However long it is."""
    failed = threading.Event()

    def work(_: Supervised) -> None:
        failed.set()
        raise ValueError("x")

    thread = Supervised("qt-test", work, restarts=Restarts(first_s=3600.0, longest_s=3600.0))
    thread.start()
    assert failed.wait(PATIENCE_S)
    ended(thread)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_outright_is_started_by_a_check(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error where errors are logged ends it; who looks next starts another."""

    class Broken(logging.Filter):
        def filter(self, _: logging.LogRecord) -> bool:
            raise SystemExit

    log = logging.getLogger("qt_protections.stops.threads.supervised")
    broken, at_work, turns = Broken(), threading.Event(), iter([True, False])
    started = threading.Event()

    def work(thread: Supervised) -> None:
        if next(turns):
            assert started.wait(PATIENCE_S)
            log.addFilter(broken)
            raise ValueError("x")
        at_work.set()
        thread.wait(PATIENCE_S)

    thread = Supervised("qt-test", work, restarts=AT_ONCE)
    thread.start()
    started.set()
    until(lambda: not thread.is_alive())
    log.removeFilter(broken)
    assert thread.state.life is Life.DEAD
    thread.check()
    assert at_work.wait(PATIENCE_S)
    assert (thread.state.life, thread.state.restarts) == (Life.RUNNING, 1)
    ended(thread)
    assert alerts(caplog) == ["[ALERT] Thread qt-test had ended unheard. It runs again."]


def test_a_machine_without_threads_is_asked_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once; and again when it runs."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    thread = Supervised("qt-test", lambda thread: thread.wait(PATIENCE_S) and None)
    with caplog.at_level(logging.INFO):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            thread.start()
            for _ in range(3):
                thread.check()
            assert thread.state.life is Life.DEAD
        thread.check()
    assert thread.state.life is Life.RUNNING
    ended(thread)
    thread.check()
    assert [record.getMessage() for record in caplog.records] == [
        "[ALERT] Thread qt-test is dead and cannot be started: can't start new thread.",
        "[OK] Thread qt-test is well again.",
    ]


def test_one_that_hangs_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """Once; and again when it moves. One that waits for work does not hang."""
    clock, go, moved = Clock(), threading.Event(), threading.Event()

    def work(thread: Supervised) -> None:
        go.wait(PATIENCE_S)
        thread.rest()
        moved.set()
        thread.wait(PATIENCE_S)

    thread = Supervised("qt-test", work, hangs_s=10.0, clock=clock)
    with caplog.at_level(logging.INFO):
        thread.start()
        clock.now += 10.0
        thread.check()
        assert thread.state.life is Life.RUNNING
        clock.now += 5.0
        for _ in range(3):
            thread.check()
        assert (thread.state.life, thread.state.silent_s) == (Life.HANGS, 15.0)
        go.set()
        assert moved.wait(PATIENCE_S)
        clock.now += 3600.0
        thread.check()
    assert (thread.state.life, thread.state.silent_s) == (Life.RUNNING, 0.0)
    ended(thread)
    assert [record.getMessage() for record in caplog.records] == [
        "[ALERT] Thread qt-test has given no sign of life for 15 s.",
        "[OK] Thread qt-test is well again.",
    ]


def test_what_never_started_and_what_ended_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """Neither is started by a look."""
    thread = Supervised("qt-test", lambda thread: thread.wait(PATIENCE_S) and None)
    thread.check()
    assert thread.state.life is Life.ENDED
    thread.start()
    ended(thread)
    thread.check()
    assert not thread.is_alive()
    assert caplog.records == []


def test_pauses_grow() -> None:
    """To a bound."""
    pauses = [Restarts().pause_s(failures) for failures in (1, 2, 3, 8, 10**6)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 10.0, 10.0])
