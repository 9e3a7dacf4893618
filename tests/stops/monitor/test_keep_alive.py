"""As many connections stay open as what comes next may need."""

import pytest

from qt_protections.stops.monitor import keep_alive
from qt_protections.stops.monitor.keep_alive import CONNECTIONS, KeepAlive


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of one number."""
    clock = [1000.0]
    monkeypatch.setattr(keep_alive, "monotonic", lambda: clock[0])
    return clock


@pytest.mark.parametrize(("is_protecting", "idle_s"), [(True, 4.0), (False, 300.0)])
def test_one_is_open_while_no_entry_waits(is_protecting: bool, idle_s: float) -> None:
    """The rarer, the less there is to lose."""
    made = KeepAlive()
    assert made.due(is_waiting=False, is_protecting=is_protecting) == (CONNECTIONS[:1], idle_s)


def test_all_are_used_at_once_while_a_stop_has_to_follow_its_fill(now: list[float]) -> None:
    """Every four seconds: servers close what is idle for five."""
    made = KeepAlive()
    assert made.due(is_waiting=True, is_protecting=True) == (CONNECTIONS, 0.0)
    now[0] += 3.9
    assert made.due(is_waiting=True, is_protecting=True) == ((), 0.0)
    now[0] += 0.2
    assert made.due(is_waiting=True, is_protecting=True) == (CONNECTIONS, 0.0)
