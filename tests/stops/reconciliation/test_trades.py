"""A trade is told of its stop, and the stop follows what Freqtrade makes of the trade."""

from functools import partial
from pathlib import Path

import pytest
from freqtrade.persistence import Trade

from qt_protections.stops.state.page import is_let_go
from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, LOST, refusal
from tests.stops.reconciliation.scenes import (
    Unwatched,
    entries,
    held,
    is_blameless,
    stops,
    the_trade,
    unheard,
)

#: Sides of the orders that enter a long, and of those that close it.
IN_AND_OUT = (("buy",), ("sell", "stoploss"))


def in_a_trade(minutes: Minutes, amount: float = 1.0) -> Trade:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(10.0, 5.0)
    return the_trade()


# Fills


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_a_trade_takes_its_stop_over_with_its_fill(minutes: Minutes, amount: float) -> None:
    """No loop has to come first."""
    minutes.bot.enter(BTC, amount)
    trade = the_trade()
    (stop,) = minutes.paper.live(BTC)
    assert [order.order_id for order in trade.open_sl_orders] == [stop["id"]]
    assert trade.stop_loss == stop["stopPrice"] == (95.0 if amount > 0 else 105.0)


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_a_further_entry_leaves_the_stop_where_it_stood(minutes: Minutes, amount: float) -> None:
    """Freqtrade works the stop out anew, from the average: that one is farther from the price."""
    in_a_trade(minutes, amount)
    minutes.paper.prices[BTC] = 97.0 if amount > 0 else 103.0
    minutes.bot.enter(BTC, 1.0)
    stop = 95.0 if amount > 0 else 105.0
    assert the_trade().amount == pytest.approx(2.0)
    assert the_trade().stop_loss == stop
    assert stops(minutes)[-1] == (pytest.approx(2.0), stop)


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
def test_a_stop_that_freqtrade_works_out_tighter_is_followed(minutes: Minutes, side: float) -> None:
    """Its ratio holds from the average with the further entry."""
    trade = in_a_trade(minutes, side)
    trade.adjust_stop_loss(100.0, -0.01)
    minutes.bot.stops.moved(trade, 100.0)
    minutes.paper.prices[BTC] = 100.0 + 3.0 * side
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)
    average = 100.0 + 1.5 * side
    (stop,) = stops(minutes)
    assert stop[1] == the_trade().stop_loss
    assert stop[1] == pytest.approx(average - side * average / 100, abs=0.02)
    assert is_blameless(minutes)


def test_what_filled_while_no_bot_ran_keeps_the_stop_of_the_run_before(
    minutes: Minutes,
) -> None:
    """Freqtrade books the fill before the first loop: the stop is looked for, not placed twice."""
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    before = minutes.paper.live(BTC)
    minutes.bot.end()
    minutes.paper.fill(entries(minutes)[-1]["id"], 1.0)
    minutes.paper.asked.clear()
    minutes.restart()
    assert minutes.paper.live(BTC) == before
    assert minutes.paper.sent("place_stop") == 0
    assert [order.order_id for order in the_trade().open_sl_orders] == [before[0]["id"]]


def test_orders_that_a_kill_kept_from_their_trade_are_counted(minutes: Minutes) -> None:
    """Freqtrade writes an order's fill down first, and never looks at it again."""
    trade = in_a_trade(minutes, 2.0)
    trade.amount = 1.0
    Trade.commit()
    minutes.restart(is_killed=True)
    assert the_trade().amount == 2.0
    assert stops(minutes) == [(2.0, 95.0)]


# Moves


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_a_tighter_stop_is_followed_at_once(minutes: Minutes, amount: float) -> None:
    """The new one first; the trade goes on with what stands."""
    trade = in_a_trade(minutes, amount)
    trade.stop_loss = 97.0 if amount > 0 else 103.0
    minutes.bot.stops.moved(trade, 100.0)
    assert stops(minutes) == [(1.0, trade.stop_loss)]
    assert [order.order_id for order in trade.open_sl_orders] == [minutes.paper.live(BTC)[0]["id"]]
    assert is_blameless(minutes)


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_a_looser_stop_is_followed_after_a_fill_alone(minutes: Minutes, amount: float) -> None:
    """Else the trade is told where its stop stands."""
    trade = in_a_trade(minutes, amount)
    tight, loose = (95.0, 93.0) if amount > 0 else (105.0, 107.0)
    trade.stop_loss = loose
    minutes.bot.stops.moved(trade, 100.0)
    assert (trade.stop_loss, stops(minutes)) == (tight, [(1.0, tight)])
    trade.stop_loss = loose
    minutes.bot.stops.moved(trade, 100.0, may_loosen=True)
    assert (trade.stop_loss, stops(minutes)) == (loose, [(1.0, loose)])
    assert is_blameless(minutes)


def test_less_than_half_a_tick_is_no_move(minutes: Minutes) -> None:
    """It would be placed again and again."""
    trade = in_a_trade(minutes)
    trade.stop_loss += (trade.price_precision or 0.0) * 0.4
    minutes.paper.asked.clear()
    minutes.bot.stops.moved(trade, 100.0, may_loosen=True)
    assert minutes.paper.sent("place_stop") == 0
    assert trade.stop_loss == 95.0


def test_a_stop_that_cannot_be_moved_is_the_trade_s(minutes: Minutes) -> None:
    """What Freqtrade shows is what stands."""
    trade = in_a_trade(minutes)
    trade.stop_loss = 97.0
    minutes.paper.failing["place_stop"] = refusal(-4045)
    minutes.bot.stops.moved(trade, 100.0)
    assert (trade.stop_loss, stops(minutes)) == (95.0, [(1.0, 95.0)])


def test_a_trade_without_a_stop_has_none_to_move(minutes: Minutes) -> None:
    """Its position is closed: nothing is placed for it."""
    trade = in_a_trade(minutes)
    minutes.paper.trigger(minutes.paper.live(BTC)[0]["id"])
    minutes._hear()
    minutes.paper.asked.clear()
    trade.stop_loss = 97.0
    minutes.bot.stops.moved(trade, 100.0)
    assert minutes.paper.asked == []
    assert trade.stop_loss == 97.0


def test_a_stop_that_does_not_trigger_is_noticed_by_the_price(minutes: Minutes) -> None:
    """Freqtrade tells a price with each move: beyond the stop for 5 s, the position is closed."""
    trade = in_a_trade(minutes)
    minutes.paper.prices[BTC] = 94.0
    minutes.bot.stops.moved(trade, 94.0)
    minutes._clock.sleep(5.1)
    minutes.bot.stops.moved(trade, 94.0)
    assert minutes.paper.size[BTC] == 0.0


# The loop


def test_no_loop_is_calm_while_an_exit_outlives_its_trade(minutes: Minutes) -> None:
    """Nothing else may change for long, and the exit would close what comes next."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC, at_market=False)
    leaving = entries(minutes)[-1]["id"]
    minutes.paper.failing["cancel_order"] = LOST
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.paper.orders[leaving]["status"] = "open"
    minutes.live(20.0, 5.0)
    minutes.paper.failing.clear()
    minutes.bot.stops.loop()
    assert minutes.paper.orders[leaving]["status"] == "canceled"


def test_a_calm_loop_asks_for_what_is_due(minutes: Minutes) -> None:
    """Stops and prices; nothing else has changed."""
    in_a_trade(minutes)
    asked = minutes.live(45.0, 5.0)
    assert asked["open_stops"] > 0
    assert asked["positions"] > 0


# Where stops cannot be listed


@pytest.fixture
def spot(minutes: Minutes) -> Unwatched:
    """A stop blocks the asset there: Freqtrade cancels it before each exit."""
    return Unwatched(minutes, blocks=True)


@pytest.fixture
def dry(minutes: Minutes) -> Unwatched:
    """A stop stands beside exits there."""
    return Unwatched(minutes, blocks=False)


def test_a_stop_is_placed_once_with_the_fill(spot: Unwatched) -> None:
    """From then on Freqtrade looks after it."""
    trade = spot.entered()
    spot.books.filled(trade)
    assert spot.stops() == [(1.0, 95.0)]
    (row,) = trade.open_sl_orders
    assert row.order_id == spot.paper.live()[0]["id"]
    spot.paper.stops[row.order_id]["status"] = "canceled"
    spot.books.loop()
    assert spot.stops() == []


def test_no_stop_is_placed_while_an_order_is_open(spot: Unwatched) -> None:
    """The asset cannot be in both."""
    spot.books.filled(spot.entered(is_open=True))
    assert spot.stops() == []


def test_a_further_fill_keeps_the_tighter_trigger(spot: Unwatched) -> None:
    """Freqtrade has cancelled the stop that stood, and worked out another price."""
    trade = spot.entered()
    spot.books.filled(trade)
    (row,) = trade.open_sl_orders
    spot.paper.stops[row.order_id]["status"] = "canceled"
    row.ft_is_open, row.status = False, "canceled"
    trade.stop_loss = 97.0
    spot.books.filled(trade)
    assert spot.stops() == [(1.0, 97.0)]
    assert trade.stop_loss == 97.0


def test_a_move_is_freqtrade_s_where_a_stop_blocks_the_asset(spot: Unwatched) -> None:
    """It cancels, and places the next one."""
    trade = spot.entered()
    spot.books.filled(trade)
    trade.stop_loss = 97.0
    spot.books.moved(trade, 100.0)
    assert spot.stops() == [(1.0, 95.0)]
    assert trade.stop_loss == 97.0


def test_elsewhere_the_loop_covers_what_is_not(dry: Unwatched) -> None:
    """By what Freqtrade has on record, with each loop."""
    trade = dry.entered()
    dry.books.loop()
    assert dry.stops() == [(1.0, 95.0)]
    dry.books.loop()
    assert len(dry.paper.stops) == 1
    (row,) = trade.open_sl_orders
    dry.paper.stops[row.order_id]["status"] = "canceled"
    row.ft_is_open, row.status = False, "canceled"
    Trade.commit()
    dry.books.loop()
    assert dry.stops() == [(1.0, 95.0)]


def test_elsewhere_a_move_is_followed(dry: Unwatched) -> None:
    """As on an exchange that is watched, without a look at prices."""
    trade = dry.entered()
    dry.books.filled(trade)
    trade.stop_loss = 97.0
    dry.books.moved(trade, 100.0)
    assert dry.stops() == [(1.0, 97.0)]


@pytest.mark.parametrize("blocks", [True, False])
def test_what_a_trade_leaves_behind_goes(minutes: Minutes, blocks: bool) -> None:
    """It is closed: its stop could only hit the next one."""
    made = Unwatched(minutes, blocks=blocks)
    trade = made.entered()
    made.books.filled(trade)
    made.books.loop()
    trade.close(100.0)
    Trade.commit()
    made.books.loop()
    assert made.stops() == []
    assert made.manager.book.of(BTC).required_stop is None


def test_where_nothing_can_be_listed_nothing_is_waited_for(dry: Unwatched) -> None:
    """Before the first loop as well; prices are asked for by whoever wants one."""
    assert dry.books.view.has_looked()
    assert not dry.books.view.unsettled(BTC)
    assert dry.books.prices.quote(BTC).bid != dry.books.prices.quote(BTC).bid  # NaN
    assert dry.paper.asked == []


# Fills and closes that arrive in one


def test_a_stop_that_closes_an_entry_before_its_trade_has_it(minutes: Minutes) -> None:
    """Freqtrade books the entry once that is over, on a trade of its own, and then its close."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 2.0, at_market=False)
    minutes.live(10.0, 5.0)
    entry = entries(minutes)[-1]["id"]
    unheard(minutes, partial(minutes.paper.fill, entry, 0.5))
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(30.0, 5.0)
    assert minutes.paper.size[BTC] == 0.0
    assert Trade.get_open_trades() == []
    booked = [
        [
            sum(o.safe_filled for o in trade.orders if o.ft_order_side in sides)
            for sides in IN_AND_OUT
        ]
        for trade in Trade.get_trades().all()
    ]
    assert booked == [[1.0, 1.0], [0.5, 0.5]]
    assert stops(minutes) == []
    assert is_let_go(held(minutes))


def test_stops_on_the_fill_follow_the_first_contract(tmp_path: Path, clock: HandClock) -> None:
    """The stop is for all that the entry may still become."""
    with quiet(tmp_path):
        minutes = Minutes(tmp_path, clock, "on_fill")
        minutes.bot.enter(BTC, 2.0, at_market=False)
        assert stops(minutes) == []
        minutes.paper.fill(entries(minutes)[-1]["id"], 0.5)
        minutes._hear()
        assert stops(minutes) == [(2.0, 95.0)]
