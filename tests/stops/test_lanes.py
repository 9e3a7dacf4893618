"""Work of one pair is done in order; another pair's does not wait for it."""

import threading

from qt_protections.stops.lanes import Lanes
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


def test_a_failure_ends_no_lane() -> None:
    """It is logged, and the next one is done."""
    lanes, end = Lanes(1), threading.Event()
    lanes.put("BTC", lambda: 1 // 0 and None)
    lanes.put("BTC", end.set)
    assert end.wait(PATIENCE_S)
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
