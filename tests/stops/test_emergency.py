"""What no stop can cover is closed at market: this bot's part, said once, until it is done."""

import logging
from math import inf

import pytest

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.unbooked_fill import EMERGENCY
from qt_protections.stops.venue.protocol import Position, RequestError
from tests.stops.clocks import hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST, refusal

NO_POSITION = refusal(-2022)


@pytest.fixture
def on_paper() -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


def bare(on_paper: Guards, amount: float = 1.0, largest: float = inf) -> PairState:
    """Enter, and let no stop be placed any more."""
    on_paper.paper.most[BTC] = largest
    held = on_paper.enter(amount)
    for stop in on_paper.paper.live():
        stop["status"] = "canceled"
    on_paper.paper.failing["place_stop"] = refusal(-1102)
    return held


def look(on_paper: Guards) -> None:
    """Find the stops gone."""
    on_paper.watch.look()


def test_it_is_said_that_and_why(on_paper: Guards, caplog: pytest.LogCaptureFixture) -> None:
    """And that it is done; the trade books the close under its own reason."""
    held = bare(on_paper)
    with caplog.at_level(logging.WARNING):
        look(on_paper)
    assert "[ALERT] EMERGENCY CLOSE BTCUSDT: -1102" in caplog.text
    assert "BTCUSDT is closed at market" in caplog.text
    assert on_paper.paper.size[BTC] == 0.0
    assert [(fill.amount, fill.reason) for fill in held.ledger.unbooked_fills] == [(1.0, EMERGENCY)]
    assert held.trouble.naked_since is None


def test_more_than_one_order_may_be_is_closed_in_several(on_paper: Guards) -> None:
    """The exchange limits orders at market; the last one is for the rest."""
    held = bare(on_paper, 5.0, largest=2.0)
    sent: list[float] = []
    close = on_paper.paper.close
    on_paper.paper.close = lambda order, name: (  # type: ignore[method-assign]
        sent.append(order.amount) or close(order, name)
    )
    look(on_paper)
    assert sent == [2.0, 2.0, 1.0]
    assert on_paper.paper.size[BTC] == 0.0
    assert sum(fill.amount for fill in held.ledger.unbooked_fills) == 5.0


def test_a_close_half_done_is_gone_on_with(on_paper: Guards) -> None:
    """What went is off the position; the next look closes the rest, and no more."""
    held = bare(on_paper, 3.0, largest=2.0)
    close, sent = on_paper.paper.close, list[float]()

    def once(order: object, name: str) -> object:
        sent.append(order.amount)  # type: ignore[attr-defined]
        if len(sent) > 1:
            raise refusal(-1102)
        return close(order, name)  # type: ignore[arg-type]

    on_paper.paper.close = once  # type: ignore[method-assign, assignment]
    look(on_paper)
    assert held.own == 1.0
    on_paper.paper.close = close  # type: ignore[method-assign]
    look(on_paper)
    assert on_paper.paper.size[BTC] == 0.0
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [2.0, 1.0]


def test_a_close_that_fails_is_said_now_and_then(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried with each look, and a line in the log comes every 10 s."""
    clock = hand_clock(monkeypatch)
    bare(on_paper)
    on_paper.paper.failing["close"] = refusal(-1102)

    def tried_and_said() -> tuple[bool, int]:
        on_paper.paper.asked.clear()
        caplog.clear()
        clock.pass_s(1.0)
        look(on_paper)
        return on_paper.paper.sent("close") > 0, caplog.text.count("Could not close BTCUSDT")

    assert tried_and_said() == (True, 1)
    assert [tried_and_said() for _ in range(9)] == [(True, 0)] * 9
    assert tried_and_said() == (True, 1)
    on_paper.paper.failing.clear()
    assert tried_and_said() == (False, 0), "a stop is taken now, so nothing has to be closed"
    assert on_paper.paper.is_covered(BTC)


def test_where_there_is_no_position_what_closed_it_is_booked(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Another hand was faster: its order ends the trade, and nothing has failed."""
    held = bare(on_paper)
    held.opened_ms = 1
    on_paper.paper.enter(BTC, -1.0, "web_1")
    look(on_paper)
    assert held.own == 0.0
    assert [fill.reason for fill in held.ledger.unbooked_fills] == ["sold_on_exchange"]
    assert held.trouble.denied == 1
    assert "Could not close" not in caplog.text


def test_a_refusal_to_reduce_is_counted(on_paper: Guards) -> None:
    """No order tells of a close: the engine's word is one of three witnesses."""
    held = bare(on_paper)
    on_paper.paper.exit(BTC)
    look(on_paper)
    counted = held.trouble.denied
    look(on_paper)
    assert held.trouble.denied > counted > 0
    assert held.own == 1.0, "that alone ends no trade"


@pytest.mark.parametrize("lost", [LOST, RequestError("busy", Outcome.NOT_EXECUTED)])
def test_while_nobody_answers_no_orders_are_asked_for(on_paper: Guards, lost: RequestError) -> None:
    """The position may well be there. Asking for its orders would only take longer."""
    held = bare(on_paper)
    held.opened_ms = 1
    on_paper.paper.failing |= {"close": lost, "find_order": LOST}
    look(on_paper)
    assert on_paper.paper.sent("orders_since") == 0
    assert held.own == 1.0
    assert held.trouble.denied == 0
    assert "close at market failed" in held.steps


def test_a_stranger_s_part_is_never_closed(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 3 on the exchange the trade holds 1."""
    held = bare(on_paper)
    on_paper.paper.enter(BTC, 2.0, "web_1")
    held.external.position = Position(BTC, False, 3.0, 100.0, 10.0)
    look(on_paper)
    assert on_paper.paper.size[BTC] == 2.0
    caplog.clear()
    look(on_paper)
    assert on_paper.paper.size[BTC] == 2.0
    assert "a position without a trade, takes no stop" in caplog.text
    assert "It is left open" in caplog.text
