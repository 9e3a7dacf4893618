"""Each open position has its own trailing stop beside its stop, for its whole size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence import Trade

from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, LOST, refusal
from tests.stops.reconciliation.scenes import held, stops_of_kind, the_trade

Trailed = Callable[..., Minutes]


@pytest.fixture
def trailed(tmp_path: Path, clock: HandClock) -> Any:
    """Start a bot that trails at 1.5 %, after a gain of one initial risk unless it is told else."""
    with quiet(tmp_path):
        yield lambda activation=1.0: Minutes(
            tmp_path, clock, trail_callback=1.5, trail_activation=activation
        )


def trails(minutes: Minutes) -> list[tuple[float, float | None]]:
    """Return size and activation price of the trailing stops that are live."""
    found = stops_of_kind(minutes, is_trailing=True)
    return [(stop["amount"], stop["activation"]) for stop in found]


@pytest.mark.parametrize(("amount", "activation"), [(1.0, 105.0), (-1.0, 95.0)])
def test_it_stands_beside_the_stop_from_the_fill_on(
    trailed: Trailed, amount: float, activation: float
) -> None:
    """It begins to trail after a gain of one initial risk, 5 here."""
    minutes = trailed()
    minutes.bot.enter(BTC, amount)
    assert trails(minutes) == [(1.0, activation)]
    assert len(stops_of_kind(minutes, is_trailing=False)) == 1
    minutes.live(60.0, 5.0)
    assert len(minutes.paper.stops) == 2, "it is placed once"


def test_it_may_trail_from_the_fill(trailed: Trailed) -> None:
    """The order has no activation price then."""
    minutes = trailed(0.0)
    minutes.bot.enter(BTC, 1.0)
    assert trails(minutes) == [(1.0, None)]


def test_a_further_entry_is_trailed_as_well(trailed: Trailed) -> None:
    """By a second one, for what the first does not trail."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0)
    minutes.bot.enter(BTC, 0.5)
    minutes.live(10.0, 5.0)
    assert [amount for amount, _ in trails(minutes)] == [1.0, 0.5]


def test_an_entry_that_waits_is_not_trailed(trailed: Trailed) -> None:
    """There is nothing to trail."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    assert minutes.paper.sent("place_trailing") == 0


def test_a_price_that_no_market_reaches_is_none_to_send(trailed: Trailed) -> None:
    """A short's activation may lie below zero: it is not trailed, and not asked for in vain."""
    minutes = trailed(25.0)
    minutes.bot.enter(BTC, -1.0)
    minutes.live(30.0, 5.0)
    assert minutes.paper.sent("place_trailing") == 0
    assert len(minutes.paper.live(BTC)) == 1


def test_a_rate_that_is_not_taken_is_not_sent_again(trailed: Trailed) -> None:
    """Not with another size either."""
    minutes = trailed()
    minutes.paper.failing["place_trailing"] = refusal(-2007)
    minutes.bot.enter(BTC, 1.0)
    sent = minutes.paper.sent("place_trailing")
    minutes.bot.enter(BTC, 1.0)
    assert minutes.paper.sent("place_trailing") == sent
    assert minutes.live(30.0, 5.0)["place_trailing"] == 0
    assert minutes.paper.is_covered(BTC)


def test_a_no_is_taken_until_the_size_changes(trailed: Trailed) -> None:
    """There may be too many orders: each loop would ask in vain."""
    minutes = trailed()
    minutes.paper.failing["place_trailing"] = refusal(-4045)
    minutes.bot.enter(BTC, 1.0)
    assert minutes.live(30.0, 5.0)["place_trailing"] == 0
    minutes.paper.failing.clear()
    assert minutes.live(30.0, 5.0)["place_trailing"] == 0
    minutes.bot.enter(BTC, 1.0)
    assert sum(amount for amount, _ in trails(minutes)) == 2.0


def test_without_an_answer_it_is_asked_for_again(trailed: Trailed) -> None:
    """In the next loops, though nothing else changes."""
    minutes = trailed()
    minutes.paper.before["place_trailing"].extend([LOST] * 20)
    minutes.bot.enter(BTC, 1.0)
    assert trails(minutes) == []
    minutes.live(10.0, 5.0)
    minutes.paper.before["place_trailing"].clear()
    minutes.live(10.0, 5.0)
    assert trails(minutes) == [(1.0, 105.0)]


def test_it_is_known_after_a_restart(trailed: Trailed) -> None:
    """By its name on the exchange; no second one is placed."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    minutes.restart()
    minutes.live(10.0, 5.0)
    assert len(minutes.paper.stops) == 2
    assert [stop.order_id for stop in held(minutes).trailing_stops] == [
        stops_of_kind(minutes, is_trailing=True)[0]["id"]
    ]


def test_one_that_filled_while_no_bot_ran_ends_its_trade(trailed: Trailed) -> None:
    """It is on the trade's record: no list shows it any more."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    minutes.bot.end()
    (trail,) = stops_of_kind(minutes, is_trailing=True)
    minutes.paper.trigger(trail["id"])
    minutes.restart()
    minutes.live(10.0, 5.0)
    assert Trade.get_open_trades() == []
    assert Trade.get_trades().all()[0].exit_reason == "trailing_stop_on_exchange"
    assert minutes.paper.live(BTC) == []


def test_one_on_record_that_nobody_knows_is_placed_anew(trailed: Trailed) -> None:
    """The position is trailed by one that stands."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    minutes.bot.end()
    (trail,) = stops_of_kind(minutes, is_trailing=True)
    del minutes.paper.stops[trail["id"]]
    minutes.restart()
    minutes.live(10.0, 5.0)
    assert trails(minutes) == [(1.0, 105.0)]
    assert the_trade().amount == 1.0


def test_its_record_is_taken_up_once(trailed: Trailed) -> None:
    """A fill before the first comparison takes it up, and so does the comparison."""
    minutes = trailed()
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    recall = minutes.bot.stops._books._trailing.recall
    for _ in range(2):
        recall(the_trade())
    assert len(held(minutes).trailing_stops) == 1
    (trail,) = stops_of_kind(minutes, is_trailing=True)
    held(minutes).drop(trail["id"])
    recall(the_trade())
    assert held(minutes).trailing_stops == [], "its end is known"
