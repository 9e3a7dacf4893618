"""An entry that a kill kept off the record becomes a normal trade, as soon as orders explain it."""

from functools import partial

import pytest
from freqtrade.persistence import Trade, init_db

from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, LOST
from tests.stops.reconciliation.scenes import (
    PROVEN_S,
    entries,
    held,
    is_blameless,
    killed_after,
    stops,
    the_trade,
)


def killed_entry(minutes: Minutes, amount: float = 1.0, *, at_market: bool = True) -> None:
    """Enter, and be killed before the answer; another bot starts."""
    enter = partial(minutes.bot.enter, BTC, amount, at_market=at_market)
    killed_after(minutes, "create_order", enter)


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_it_becomes_a_trade_at_the_start(minutes: Minutes, amount: float) -> None:
    """With the stop that stood before it, and what it was filled at."""
    killed_entry(minutes, amount)
    trade = the_trade()
    assert (trade.is_short, trade.open_rate) == (amount < 0, 100.0)
    minutes.live(10.0, 5.0)
    assert the_trade().amount == 1.0
    assert stops(minutes) == [(1.0, 95.0 if amount > 0 else 105.0)]
    assert the_trade().stop_loss == (95.0 if amount > 0 else 105.0)
    assert not minutes.bot.stops.unsettled(BTC)
    assert is_blameless(minutes)


def test_one_that_rests_is_cancelled(minutes: Minutes) -> None:
    """Nobody would look after it. What it filled until then is a trade."""

    def fill_a_part() -> None:
        for order in entries(minutes):
            if order["status"] == "open" and not order["filled"]:
                minutes.paper.fill(order["id"], 0.25)

    minutes.paper.between = fill_a_part
    killed_entry(minutes, at_market=False)
    (entry,) = entries(minutes)
    assert entry["status"] == "canceled"
    minutes.live(15.0, 5.0)
    assert the_trade().amount == 0.25
    assert minutes.paper.is_covered(BTC)


def test_it_joins_the_trade_that_it_was_sent_for(minutes: Minutes) -> None:
    """A pair has one trade at most."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    killed_entry(minutes, 2.0)
    minutes.live(15.0, 5.0)
    assert the_trade().amount == 3.0
    assert stops(minutes) == [(3.0, 95.0)]


def test_it_joins_its_trade_though_no_list_shows_it(minutes: Minutes) -> None:
    """The orders are proof, lists may be old."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    before = minutes.paper.held()
    minutes.paper.views["positions"] = lambda _: before
    killed_entry(minutes, 2.0)
    minutes.live(15.0, 5.0)
    assert the_trade().amount == 3.0
    assert minutes.paper.is_covered(BTC)


@pytest.mark.parametrize("is_silent", [True, False], ids=["no answer", "an empty answer"])
def test_it_is_asked_for_until_the_orders_tell(minutes: Minutes, is_silent: bool) -> None:
    """The history may lag as any list does. Until then the position is covered as nobody's."""
    if is_silent:
        minutes.paper.failing["orders_since"] = LOST
    else:
        minutes.paper.views["orders_since"] = lambda _: []
    killed_entry(minutes)
    minutes.live(20.0, 5.0)
    assert Trade.get_open_trades() == []
    assert minutes.paper.is_covered(BTC)
    assert minutes.bot.stops.unsettled(BTC)
    minutes.paper.failing.clear()
    minutes.paper.views.clear()
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.0
    assert not minutes.bot.stops.unsettled(BTC)


def test_it_is_asked_for_no_longer_than_the_history_may_lag(minutes: Minutes) -> None:
    """A position that its orders do not explain is nobody's, and costs no request for ever."""
    minutes.paper.views["orders_since"] = lambda _: []
    killed_entry(minutes)
    minutes.live(PROVEN_S, 5.0)
    assert minutes.live(60.0, 5.0)["orders_since"] == 0
    assert Trade.get_open_trades() == []
    assert minutes.paper.is_covered(BTC)


def test_somebody_s_position_is_nobody_s_trade(minutes: Minutes) -> None:
    """His orders explain it: there is no entry of this bot's, and nothing to wait for."""
    minutes.bot.end()
    minutes.paper.by_hand(BTC, 2.0)
    minutes.restart()
    assert Trade.get_open_trades() == []
    assert minutes.live(60.0, 5.0)["orders_since"] <= 1


def test_beside_somebody_s_position_it_is_a_trade_of_its_own_part(minutes: Minutes) -> None:
    """Not more than it filled, whatever the list shows."""
    minutes.paper.by_hand(BTC, 2.0)
    killed_entry(minutes)  # before a loop has seen the other part
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.0
    assert sum(amount for amount, _ in stops(minutes)) >= 3.0


def test_what_others_closed_of_it_is_booked_with_it(minutes: Minutes) -> None:
    """The trade ends as large as the position."""

    def close_a_part() -> None:
        if minutes.paper.size[BTC] == 2.0:
            minutes.paper.by_hand(BTC, -0.5)

    minutes.paper.between = close_a_part
    killed_entry(minutes, 2.0)
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.5
    assert stops(minutes)[0][0] >= 1.5
    assert is_blameless(minutes)


def test_one_that_others_closed_whole_is_no_trade(minutes: Minutes) -> None:
    """There is nothing left to take up, and its stop goes."""

    def close() -> None:
        if minutes.paper.size[BTC]:
            minutes.paper.by_hand(BTC, -2.0)

    minutes.paper.between = close
    killed_entry(minutes, 2.0)
    minutes.live(PROVEN_S, 5.0)
    assert Trade.get_open_trades() == []
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_a_lost_database_makes_no_trade_of_more_than_there_is(minutes: Minutes) -> None:
    """Its entries are taken up as far as the position goes, and no further."""
    minutes.bot.enter(BTC, 2.0)
    minutes.live(10.0, 5.0)
    minutes.bot.exit(BTC, 0.5)
    minutes.live(10.0, 5.0)
    init_db("sqlite://")
    minutes.restart(is_killed=True)
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.5
    assert minutes.paper.is_covered(BTC)


def test_an_entry_waits_for_a_close_of_the_trade_it_would_join(minutes: Minutes) -> None:
    """Both are off the record: the close is booked first, else it would take the entry along."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    minutes.paper.by_hand(BTC, -0.5)
    killed_entry(minutes, 2.0)
    minutes.live(40.0, 5.0)
    assert the_trade().amount == 2.5
    assert held(minutes).own == 2.5
    assert minutes.paper.is_covered(BTC)
    assert is_blameless(minutes)


def test_a_history_that_lacks_what_is_on_record_explains_nothing(minutes: Minutes) -> None:
    """It lags, though what it tells adds up to the position by chance: 3.0 of 3.0 - 2.0 + 2.0."""
    minutes.bot.enter(BTC, 3.0)
    minutes.live(10.0, 5.0)
    minutes.bot.exit(BTC, 2.0)
    minutes.live(10.0, 5.0)
    first = entries(minutes)[0]
    minutes.paper.views["orders_since"] = lambda found: [o for o in found if o["id"] == first["id"]]
    killed_entry(minutes, 2.0)
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.0
    assert minutes.paper.is_covered(BTC)
    minutes.paper.views.clear()
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 3.0
