"""Work of one pair is done in order; another pair's does not wait for it."""

import threading

import pytest

from qt_protections.stops.threads.lanes import HANGS_S, Lanes
from tests.integration.rig import until
from tests.patience import PATIENCE_S


def test_a_lane_keeps_its_order() -> None:
    """However many threads there are."""
    lanes, done, end = Lanes(8), [], threading.Event()
    for number in range(200):
        lanes.put("BTC", lambda number=number: done.append(number))  # type: ignore[misc]
    lanes.put("BTC", end.set)
    assert end.wait(PATIENCE_S)
    lanes.close()
    assert done == list(range(200))


def test_a_lane_that_waits_holds_up_no_other() -> None:
    """It takes one thread, however much is put into it."""
    lanes, go, passed = Lanes(2), threading.Event(), threading.Event()
    for _ in range(20):
        lanes.put("BTC", lambda: bool(go.wait(PATIENCE_S)) and None)
    lanes.put("ETH", passed.set)
    assert passed.wait(PATIENCE_S)
    go.set()
    lanes.close()


def test_what_can_wait_does_not_pile_up() -> None:
    """While an exchange does not answer, each tick would leave one more behind."""
    lanes, go, began, done = Lanes(2), threading.Event(), threading.Event(), []

    def slow() -> None:
        began.set()
        go.wait(PATIENCE_S)
        done.append("slow")

    lanes.put_if_idle("BTC", slow)
    assert began.wait(PATIENCE_S)
    for _ in range(50):
        lanes.put_if_idle("BTC", lambda: done.append("tick"))
    end = threading.Event()
    lanes.put("BTC", end.set)
    go.set()
    assert end.wait(PATIENCE_S)
    lanes.close()
    assert done == ["slow"]


@pytest.mark.parametrize("error", [ZeroDivisionError(), SystemExit(1)])
def test_a_failure_ends_no_lane(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """The next one is done. The same failure is not said again with each tick."""
    lanes, end = Lanes(1), threading.Event()

    def fail() -> None:
        raise error

    for _ in range(5):
        lanes.put("BTC", fail)
    lanes.put("ETH", fail)
    lanes.put("BTC", end.set)
    assert end.wait(PATIENCE_S)
    lanes.close()
    said = [record.getMessage() for record in caplog.records]
    assert sorted(said) == [
        "[ALERT] The watch of BTC failed; it looks again.",
        "[ALERT] The watch of ETH failed; it looks again.",
    ]
    assert all(record.exc_info for record in caplog.records)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_waits_is_bounded() -> None:
    """A storm of events grows no memory: what is too much is refused, and said to be."""
    lanes, go, end = Lanes(1, most=10), threading.Event(), threading.Event()
    taken = [lanes.put(pair, lambda: bool(go.wait(PATIENCE_S)) and None) for pair in "AB" * 20]
    assert taken == [True] * 10 + [False] * 30
    go.set()
    until(lambda: lanes.put("A", end.set))
    assert end.wait(PATIENCE_S)
    lanes.close()


def test_the_oldest_act_tells_the_lag() -> None:
    """Whether it waits or is under way; a tick is never late."""
    clock, go, began = Clock(), threading.Event(), threading.Event()
    lanes = Lanes(1, clock=clock)

    def slow() -> None:
        began.set()
        go.wait(PATIENCE_S)

    assert lanes.lag_s() == 0.0
    lanes.put_if_idle("ETH", slow)
    assert began.wait(PATIENCE_S)
    clock.now += 50.0
    assert lanes.lag_s() == 0.0
    lanes.put("BTC", lambda: None)
    clock.now += 3.0
    lanes.put("BTC", lambda: None)
    assert lanes.lag_s() == 3.0
    go.set()
    until(lambda: lanes.lag_s() == 0.0)
    lanes.close()


def test_a_thread_starts_where_all_others_are_at_work() -> None:
    """An idle bot has none, and one that is busy no more than it needs."""
    lanes, go = Lanes(3), threading.Event()
    assert lanes.threads == ()
    for count, lane in enumerate(("BTC", "ETH", "ZEN", "SOL"), 1):
        lanes.put(lane, lambda: bool(go.wait(PATIENCE_S)) and None)
        lanes.put(lane, lambda: None)
        assert len(lanes.threads) == min(count, 3)
    go.set()
    until(lambda: lanes.lag_s() == 0.0)
    lanes.put("BTC", lambda: None)
    assert len(lanes.threads) == 3
    lanes.close()


def test_an_act_that_hangs_is_seen() -> None:
    """A thread that waits for work is not."""
    clock, go, began = Clock(), threading.Event(), threading.Event()
    lanes = Lanes(2, clock=clock)

    def slow() -> None:
        began.set()
        go.wait(PATIENCE_S)

    lanes.put("BTC", slow)
    assert began.wait(PATIENCE_S)
    lanes.put("ETH", lambda: None)
    clock.now += HANGS_S + 1
    until(lambda: sorted(thread.state.life for thread in lanes.threads) == ["hangs", "running"])
    go.set()
    lanes.close()


def test_closing_ends_the_threads() -> None:
    """What is under way is finished; what waits is dropped; and it may be closed twice."""
    before = threading.active_count()
    lanes, go, began, done = Lanes(4), threading.Event(), threading.Event(), []

    def slow() -> None:
        began.set()
        go.wait(PATIENCE_S)
        done.append("slow")

    lanes.put("BTC", slow)
    lanes.put("BTC", lambda: done.append("dropped"))
    assert began.wait(PATIENCE_S)
    closer = threading.Thread(target=lanes.close)
    closer.start()
    go.set()
    closer.join(PATIENCE_S)
    lanes.close()
    assert done[0] == "slow"
    assert threading.active_count() == before


def test_an_end_on_demand_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    """However the threads share it among them."""
    for _ in range(30):
        lanes = Lanes(8)
        for pair in "ABCDEFGH":
            lanes.put(pair, lambda: None)
        lanes.close()
    assert caplog.records == []
