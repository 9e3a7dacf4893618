"""What somebody else holds is covered, said once, never closed, and lets nothing in beside it."""

from functools import partial

import pytest
from freqtrade.persistence import Trade

from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.reconciliation.scenes import (
    PROVEN_S,
    entries,
    held,
    is_blameless,
    stops,
    the_trade,
    unheard,
)


@pytest.mark.parametrize("amount", [2.0, -2.0], ids=["long", "short"])
def test_it_is_covered_and_lets_nothing_in(
    minutes: Minutes, amount: float, caplog: pytest.LogCaptureFixture
) -> None:
    """At the strategy's distance from its entry. It is said once."""
    minutes.paper.by_hand(BTC, amount)
    minutes.live(60.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0 if amount > 0 else 105.0)]
    assert minutes.bot.stops.unsettled(BTC)
    assert not minutes.bot.stops.unsettled(ETH)
    minutes.bot.enter(BTC, 1.0)
    assert len(entries(minutes)) == 1, "its own"
    assert caplog.text.count("BTCUSDT holds 2.0 on the exchange that no trade accounts for") == 1


def test_it_is_found_at_a_start(minutes: Minutes) -> None:
    """Nothing has to be certain first: nobody entered anything a moment ago."""
    minutes.bot.end()
    minutes.paper.by_hand(BTC, 2.0)
    minutes.restart()
    assert stops(minutes) == [(2.0, 95.0)]


def test_its_stop_goes_with_it(minutes: Minutes) -> None:
    """The orders tell that it is closed, and the pair takes entries again."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, -2.0)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_its_stop_stays_while_nothing_proves_that_it_is_closed(minutes: Minutes) -> None:
    """A list has come back empty. Two lists that agree for a minute are proof."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.views["positions"] = lambda _: {}
    minutes.live(PROVEN_S, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]
    minutes.paper.size[BTC] = 0.0  # and no order tells of it
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]
    minutes.live(PROVEN_S, 5.0)
    assert stops(minutes) == []


def test_its_stop_stays_while_its_orders_cannot_be_asked_for(minutes: Minutes) -> None:
    """Silence proves nothing either."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.failing["orders_since"] = LOST
    minutes.paper.by_hand(BTC, -2.0)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]
    minutes.paper.failing.clear()
    minutes.live(30.0, 5.0)
    assert stops(minutes) == []


@pytest.mark.parametrize(
    ("amount", "price", "stop"),
    [(2.0, 90.0, 85.5), (-2.0, 110.0, 115.5), (2.0, 97.0, 95.0), (-2.0, 103.0, 105.0)],
    ids=["long", "short", "long, not passed", "short, not passed"],
)
def test_a_stop_that_is_passed_stands_off_the_price(
    minutes: Minutes, amount: float, price: float, stop: float
) -> None:
    """One just beyond the price would close what somebody means to keep."""
    minutes.paper.prices[BTC] = price
    minutes.paper.by_hand(BTC, amount)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(2.0, pytest.approx(stop))]
    assert minutes.paper.size[BTC] == amount


def test_without_a_price_it_stands_off_the_entry(minutes: Minutes) -> None:
    """Which is better than none."""
    minutes.paper.failing["price"] = LOST
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]


def test_one_that_grows_is_covered_whole(minutes: Minutes) -> None:
    """Where its stop stood."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, 1.0)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(3.0, 95.0)]


def test_one_that_turns_gets_a_stop_of_the_other_side(minutes: Minutes) -> None:
    """The first one could only hit it, and goes."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, -5.0)
    minutes.live(60.0, 5.0)
    assert stops(minutes) == [(3.0, 105.0)]


def test_one_that_is_listed_smaller_keeps_its_larger_stop_for_a_minute(minutes: Minutes) -> None:
    """The list may be old; a stop for more than there is closes no more than there is."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, -1.5)
    minutes.live(50.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]
    assert held(minutes).external.position is not None
    minutes.live(60.0, 5.0)
    assert held(minutes).external.position.amount == 0.5  # type: ignore[union-attr]
    assert minutes.bot.stops.unaccounted()[0].amount == 0.5


def test_one_that_was_listed_smaller_by_mistake_was_never_smaller(minutes: Minutes) -> None:
    """Once it is listed whole the minute begins anew."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, -1.5)
    minutes.live(50.0, 5.0)
    minutes.paper.by_hand(BTC, 1.5)
    minutes.live(10.0, 5.0)
    minutes.paper.by_hand(BTC, -1.5)
    minutes.live(40.0, 5.0)
    assert held(minutes).external.position.amount == 2.0  # type: ignore[union-attr]


def test_beside_a_trade_it_stands_where_the_trade_s_stop_stands(minutes: Minutes) -> None:
    """One stop covers both, and only the trade's part is booked when it fires."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(30.0, 5.0)
    minutes.paper.prices[BTC] = 110.0
    minutes.bot.tighten(BTC, 0.05)
    minutes.live(30.0, 5.0)
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(3.0, 104.5)]
    assert [stop["stopPrice"] for stop in minutes.paper.stops.values()] == [95.0, 104.5, 104.5]
    minutes.paper.prices[BTC] = 104.0
    minutes.paper.trigger(minutes.paper.live(BTC)[0]["id"])
    minutes.live(30.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert not trade.is_open
    assert trade.amount == 1.0
    assert is_blameless(minutes)


def test_an_entry_of_the_other_side_is_called_off(following: Minutes) -> None:
    """A stop stands for one side only."""
    following.bot.enter(BTC, 1.0, at_market=False)
    (entry,) = entries(following)
    following.paper.by_hand(BTC, -2.0)
    following.live(30.0, 5.0)
    assert entry["status"] == "canceled"
    assert stops(following) == [(2.0, 105.0)]


# What a deleted trade leaves


def test_what_a_deleted_trade_held_is_nobody_s_once_another_begins(
    minutes: Minutes,
) -> None:
    """The next trade of the pair has no part in it: both are covered, one is the trade's."""
    minutes.bot.enter(BTC, 1.0)
    minutes.bot.enter(BTC, 2.0, at_market=False)
    minutes.live(10.0, 5.0)
    resting = entries(minutes)[-1]
    minutes.bot.forget(BTC)
    minutes.paper.forget(BTC)
    unheard(minutes, partial(minutes.paper.fill, resting["id"], 2.0))
    minutes.live(60.0, 5.0)
    assert sum(amount for amount, _ in stops(minutes)) >= 3.0
    assert minutes.bot.stops.unsettled(BTC)
    assert not minutes.paper.laid_bare


def test_a_deleted_trade_s_position_is_kept(minutes: Minutes) -> None:
    """Its stop stays, and no entry goes out. A start takes the entry up again, see the README."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    minutes.bot.forget(BTC)
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(1.0, 95.0)]
    assert minutes.bot.stops.unsettled(BTC)
    assert Trade.get_open_trades() == []
    minutes.restart()
    minutes.live(30.0, 5.0)
    assert stops(minutes) == [(1.0, 95.0)]
    assert the_trade().amount == 1.0
