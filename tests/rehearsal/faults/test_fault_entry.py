"""The time of an entry, and the requests it concerns."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rehearsal.faults.entry import Entry, OnEndpoints
from qt_protections.rehearsal.faults.kinds.order_life import Cancel
from qt_protections.rehearsal.faults.kinds.requests import Busy
from qt_protections.rehearsal.faults.kinds.stale_data import Stale

seconds = st.integers(0, 100)


@given(start_s=seconds, length_s=st.integers(1, 20), pause_s=seconds, round_=seconds, s=seconds)
def test_time_comes_again(start_s: int, length_s: int, pause_s: int, round_: int, s: int) -> None:
    """In each round it lasts as long, and is over until the next."""
    every_s = length_s + pause_s
    entry = Entry(kind="any", at_s=start_s, for_s=length_s, every_s=every_s)
    now_s = start_s + round_ * every_s + s % every_s
    assert entry.left_s(now_s) == max(length_s - s % every_s, 0)
    assert entry.left_s(start_s - 0.001) == 0


@given(start_s=seconds, length_s=st.integers(1, 20), s=seconds)
def test_both_ways_to_say_it(start_s: int, length_s: int, s: int) -> None:
    """From and to, or at and for, mean the same time; without an end it lasts."""
    one = Entry(kind="any", from_s=start_s, to_s=start_s + length_s)
    other = Entry(kind="any", at_s=start_s, for_s=length_s)
    assert one.left_s(s) == other.left_s(s)
    assert Entry(kind="any", from_s=start_s).left_s(s) == (math.inf if s >= start_s else 0)


@pytest.mark.parametrize(
    ("entry", "endpoint", "reached"),
    [
        (Busy(kind="busy"), "DELETE /fapi/v1/algoOrder", True),
        (Busy(kind="busy"), "DELETE /fapi/v1/algoOpenOrders", False),
        (Busy(kind="busy"), "GET /fapi/v1/order", False),
        (Busy(kind="busy", endpoints=["*"]), "PUT /fapi/v1/listenKey", True),
        (Busy(kind="busy", endpoints=["*"]), "GET /sapi/v1/anything", False),
        (Stale(kind="stale", unseen_ms=1, endpoints=["*"]), "GET /fapi/v1/klines", False),
        (Stale(kind="stale", unseen_ms=1, endpoints=["*"]), "DELETE /fapi/v1/order", True),
        (Cancel(kind="cancel", after_ms=1), "POST /fapi/v1/order", False),
        (Cancel(kind="cancel", after_ms=1, orders="all"), "POST /fapi/v1/order", True),
    ],
    ids=str,
)
def test_reach(entry: OnEndpoints, endpoint: str, reached: bool) -> None:
    """A fault strikes what its entry names, and never what its kind cannot strike."""
    assert entry.reaches(endpoint) is reached
