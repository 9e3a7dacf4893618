"""A position that is not shown is closed by proof: orders that took it, or two lists for long."""

import pytest

from qt_protections.stops.reconciliation.absence import AGREE_S, Absence
from qt_protections.stops.reconciliation.closure import ClosureProof
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that is moved by hand."""
    return hand_clock(monkeypatch)


class Proof:
    """A position of 1, opened at 1, that the list of positions does not show."""

    def __init__(self, made: Guards, clock: HandClock) -> None:
        self.paper, self._clock = made.paper, clock
        self.held = made.enter()
        self.held.opened_ms = 1
        (self.entry,) = made.paper.orders
        self.held.ledger.on_record = frozenset({self.entry})
        self._absence = Absence(made.paper)
        self.proof = ClosureProof(made.manager, self._absence)
        self._absence.see(set())

    def pass_s(self, seconds: float) -> None:
        """Let time pass, and the list come empty once more."""
        self._clock.pass_s(seconds)
        self._absence.see(set())

    def was_closed(self) -> bool:
        """Ask; the entry itself is before what is asked about."""
        entered_ms = self.paper.orders[self.entry]["timestamp"]
        return self.proof.was_closed(self.held, 1.0, entered_ms)


@pytest.fixture
def proof(clock: HandClock) -> Proof:
    """The position, and who is to prove its end."""
    return Proof(guards(), clock)


def test_the_other_list_may_show_it(proof: Proof) -> None:
    """No order is asked for then: it is open."""
    assert not proof.was_closed()
    assert proof.paper.sent("orders_since") == 0


def test_its_orders_prove_it(proof: Proof) -> None:
    """At once, whoever sent them; those that took a part do not."""
    proof.paper.enter(BTC, -0.5, "web_1")
    proof.paper.views["account_positions"] = lambda _: set()
    assert not proof.was_closed()
    proof.paper.enter(BTC, -0.5, "web_1")
    proof.pass_s(6.0)
    assert proof.was_closed()
    proof.pass_s(6.0)
    proof.held.opened_ms = proof.paper.orders[proof.entry]["timestamp"]
    assert proof.proof.is_closed(proof.held)


def test_two_lists_prove_it_after_a_minute(proof: Proof) -> None:
    """No order tells of it, or none is to be had."""
    proof.paper.exit(BTC)
    proof.paper.failing["orders_since"] = LOST
    for _ in range(3):
        assert not proof.was_closed()
        proof.pass_s(1.0)
    proof.pass_s(AGREE_S)
    assert proof.was_closed()


def test_nothing_held_is_closed(proof: Proof) -> None:
    """Without a request."""
    proof.held.base = 0.0
    proof.paper.asked.clear()
    assert proof.proof.is_closed(proof.held)
    assert proof.paper.asked == []


def test_what_nobody_explains_is_said_once(proof: Proof, caplog: pytest.LogCaptureFixture) -> None:
    """And again once it had been shown in between. Each time the orders are asked for first."""
    text = "knows no order that closed it: its stop stays"
    proof.paper.exit(BTC)
    for _ in range(3):
        proof.proof.find(proof.held, None)
        proof.pass_s(6.0)
    assert caplog.text.count(text) == 1
    assert proof.proof.is_missing
    proof.proof.shown_again(BTC)
    assert not proof.proof.is_missing
    proof.proof.find(proof.held, None)
    assert caplog.text.count(text) == 2


def test_what_cannot_be_asked_for_yet_is_not_called_unexplained(
    proof: Proof, caplog: pytest.LogCaptureFixture
) -> None:
    """The orders of a pair are asked for every 5 s at most."""
    proof.paper.exit(BTC)
    proof.paper.before["orders_since"].append(LOST)
    proof.proof.find(proof.held, None)
    caplog.clear()
    proof.proof.shown_again(BTC)
    proof.proof.find(proof.held, None)
    assert "its stop stays" not in caplog.text
    assert proof.paper.sent("orders_since") == 1


def test_what_an_order_closed_is_booked_and_not_said(
    proof: Proof, caplog: pytest.LogCaptureFixture
) -> None:
    """That is no trouble."""
    proof.paper.enter(BTC, -1.0, "web_1")
    proof.proof.find(proof.held, None)
    assert proof.held.own == 0.0
    assert not proof.proof.is_missing
    assert "its stop stays" not in caplog.text
