"""A stream that pings and says nothing is told from a quiet one by the guard's own orders."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from qt_protections.stops.monitor.stream_proof import BOUND_S, ProvenVenue, StreamProof
from qt_protections.stops.venue.protocol import StopOrder, TrailingOrder
from tests.stops.paper import BTC
from tests.stops.stream_house import open_house

TICK_S = 0.25


@dataclass(frozen=True)
class Sent:
    """An order of the guard's: when its answer came, what it took, and when its event came."""

    order_id: str
    ended: bool
    at: float
    took_s: float
    heard_at: float


def orders(earliest_s: float, latest_s: float) -> st.SearchStrategy[list[Sent]]:
    """Return orders whose events come between those seconds after their answers."""
    moments = st.floats(2.0, 60.0)
    drawn = st.tuples(
        st.booleans(), moments, st.floats(0.0, 2.0), st.floats(earliest_s, latest_s)
    ).map(lambda d: (d[0], d[1], d[2], d[1] + d[3]))
    return st.lists(drawn, min_size=1, max_size=30).map(
        lambda rows: [Sent(str(number), *row) for number, row in enumerate(rows)]
    )


def lived(proof: StreamProof, sent: list[Sent], lost: frozenset[str] = frozenset()) -> list[str]:
    """Let the events of orders come, but some, and return what was overdue in the ticks."""
    acts = [(each.at, 0, each) for each in sent]
    acts += [(each.heard_at, 1, each) for each in sent if each.order_id not in lost]
    acts += [(tick * TICK_S, 2, sent[0]) for tick in range(int(70 / TICK_S))]
    overdue = []
    for now, kind, each in sorted(acts, key=lambda act: act[:2]):
        if kind == 0:
            proof.expect(each.order_id, now, ended=each.ended, took_s=each.took_s)
        elif kind == 1:
            proof.heard(each.order_id, ended=each.ended)
        elif (missing := proof.overdue(now)) is not None:
            overdue.append(missing)
    return overdue


def opened() -> StreamProof:
    """Return one whose stream is open."""
    proof = StreamProof()
    proof.opened()
    return proof


@given(orders(-1.9, BOUND_S - 0.01))
def test_what_is_heard_in_time_is_no_silence(sent: list[Sent]) -> None:
    """Before its answer, or up to the bound after it."""
    proof = opened()
    assert lived(proof, sent) == []
    assert not proof.is_mute


@given(orders(-1.9, BOUND_S - 0.01), st.data())
def test_each_event_that_is_missing_is_told_once(sent: list[Sent], data: st.DataObject) -> None:
    """Whatever else is heard meanwhile."""
    lost = data.draw(st.sets(st.sampled_from([each.order_id for each in sent])))
    told = lived(opened(), sent, frozenset(lost))
    assert set(told) <= lost
    assert len(told) == len(set(told))
    assert bool(told) is bool(lost)


@given(orders(-1.9, BOUND_S - 0.01))
def test_a_stream_that_is_down_owes_nothing(sent: list[Sent]) -> None:
    """What happened before it opened is looked at then."""
    proof = StreamProof()
    assert lived(proof, sent, frozenset(each.order_id for each in sent)) == []
    proof.opened()
    proof.expect("late", 100.0)
    proof.lost()
    proof.opened()
    assert proof.overdue(200.0) is None
    assert not proof.is_mute


def test_the_bound_counts_from_the_answer_and_grows_with_what_that_took() -> None:
    """A distant exchange is not a silent one."""
    proof = opened()
    proof.expect("1", 10.0, took_s=0.5)
    assert proof.overdue(11.9) is None
    assert proof.overdue(12.0) == "1"
    assert proof.overdue(99.0) is None


def test_it_is_mute_until_a_later_order_is_heard_in_time() -> None:
    """The late word of the missing one proves that the stream lags."""
    proof = opened()
    proof.expect("1", 10.0)
    assert proof.overdue(12.0) == "1"
    proof.heard("1")
    proof.heard("of somebody else")
    assert proof.is_mute
    proof.expect("2", 13.0)
    proof.heard("2")
    assert not proof.is_mute


def test_it_is_mute_until_another_connection_opens() -> None:
    """Or until an event that came before its answer."""
    proof = opened()
    for number in ("1", "2"):
        proof.expect(number, 10.0)
        assert proof.overdue(12.0) == number
        if number == "1":
            proof.opened()
            assert not proof.is_mute
    proof.heard("3")
    proof.expect("3", 13.0)
    assert not proof.is_mute


def test_news_of_an_order_are_none_of_its_end() -> None:
    """A cancel is proven by the end alone; an end proves that the order was there, too."""
    proof = opened()
    proof.heard("1")
    proof.expect("1", 10.0, ended=True)
    assert proof.overdue(12.0) == "1"
    proof.opened()
    proof.expect("2", 10.0)
    proof.expect("2", 10.0, ended=True)
    proof.heard("2", ended=True)
    assert proof.overdue(12.0) is None


def test_it_remembers_a_bounded_past() -> None:
    """A storm of other people's orders grows no memory."""
    proof = opened()
    for number in range(5000):
        proof.heard(str(number), ended=True)
    assert len(proof._heard) == 500


def test_the_line_tells_what_has_to_be_heard() -> None:
    """A stop and a trailing stop that were accepted, and the end of each; a cancel in vain not."""
    proof = opened()
    with open_house() as house:
        line = ProvenVenue(house.exchange(), {}, proof)
        stop = line.place_stop(StopOrder(BTC, False, 0.01, 90_000.0, 1.0), "qt-1")["id"]
        trail = line.place_trailing(TrailingOrder(BTC, False, 0.01, 1.5, None), "qt-2")["id"]
        assert set(proof._due) == {(stop, False), (trail, False)}
        proof.opened()
        assert line.cancel(BTC, stop)
        assert line.cancel(BTC, trail)
        assert set(proof._due) == {(stop, True), (trail, True)}
        proof.opened()
        assert not line.cancel(BTC, stop)
        assert set(proof._due) == set()
