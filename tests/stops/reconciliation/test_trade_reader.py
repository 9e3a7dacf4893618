"""What a trade tells: whose a position is, which stop counts, which entries wait, what is over."""

from functools import partial

import pytest
from freqtrade.persistence import Trade

from qt_protections.stops.state.page import is_let_go
from qt_protections.stops.state.records import STOP_RECORD
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC
from tests.stops.reconciliation.scenes import (
    Unwatched,
    entries,
    held,
    is_blameless,
    stops,
    the_trade,
    unheard,
)


def in_a_trade(minutes: Minutes, amount: float = 1.0) -> Trade:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(10.0, 5.0)
    return the_trade()


# Which trade


def test_the_next_trade_of_a_pair_has_its_own_stop(minutes: Minutes) -> None:
    """It begins before a loop has let go of the last one."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC)
    minutes.paper.prices[BTC] = 200.0
    minutes.bot.enter(BTC, 0.5)
    minutes.live(10.0, 5.0)
    assert held(minutes).trade_id == the_trade().id == 2
    assert stops(minutes) == [(0.5, 190.0)]
    assert held(minutes).base == 0.5
    assert is_blameless(minutes)


def test_a_stop_that_took_a_part_is_no_close_by_others(minutes: Minutes) -> None:
    """It is on record by its own id: neither its order nor what is left is booked again."""
    in_a_trade(minutes, 2.0)
    minutes.paper.trigger(minutes.paper.live(BTC)[0]["id"], 0.5)
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.0
    minutes.restart()
    minutes.live(20.0, 5.0)
    assert the_trade().amount == 1.0
    assert stops(minutes) == [(1.0, 95.0)]
    assert held(minutes).own == 1.0


def test_the_side_is_a_stranger_s_where_the_position_was_turned(minutes: Minutes) -> None:
    """Somebody sold more than there was: what is there is covered, not what the trade had."""
    in_a_trade(minutes)
    unheard(minutes, partial(minutes.paper.by_hand, BTC, -3.0))
    minutes.live(25.0, 5.0)
    assert stops(minutes) == [(2.0, 105.0)]
    minutes.live(60.0, 5.0)
    assert Trade.get_open_trades() == []
    assert stops(minutes) == [(2.0, 105.0)]
    assert minutes.paper.size[BTC] == -2.0


# Where a stop has to stand that no run has seen


def resting(minutes: Minutes) -> str:
    """Have an entry rest whose stop is to follow its fill; return its id."""
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    return str(entries(minutes)[-1]["id"])


@pytest.mark.parametrize("price", [94.0, None], ids=["on record", "not on record"])
def test_an_entry_that_waits_keeps_its_planned_stop(
    following: Minutes, price: float | None
) -> None:
    """Freqtrade has the strategy's on record; without the plan it is the strategy's distance."""
    entry = resting(following)
    trade = the_trade()
    trade.set_custom_data(STOP_RECORD, {"price": price} if price else {})
    trade.stop_loss = 10.0
    Trade.commit()
    following.restart(is_killed=True)
    assert held(following).trigger == (price or 95.0)
    following.paper.fill(entry, 1.0)
    following._hear()
    assert stops(following) == [(1.0, price or 95.0)]


def test_an_entry_that_waits_is_known_after_a_restart(following: Minutes) -> None:
    """With what it has filled: that needs cover, and the rest may."""
    entry = resting(following)
    following.bot.end()
    following.paper.fill(entry, 0.25)
    following.restart()
    (pending,) = held(following).pending_entries
    assert (pending.order_id, pending.filled, pending.entry.amount) == (entry, 0.25, 1.0)
    assert stops(following) == [(1.0, 95.0)]
    assert not following.bot.stops.unsettled(BTC), "its trade accounts for it"


# What is over


def test_a_trade_that_began_since_the_loop_looked_is_not_let_go(minutes: Minutes) -> None:
    """Remote control enters at any time: its stop must stay."""
    in_a_trade(minutes)
    minutes.bot.stops._books._reader.let_go({}, {})
    assert held(minutes).base == 1.0
    assert held(minutes).trigger == 95.0
    assert not held(minutes).trade_deleted


def test_a_closed_trade_leaves_nothing(minutes: Minutes) -> None:
    """No size, no trigger, no stop; the pair costs no question from then on."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC)
    minutes.live(10.0, 5.0)
    assert is_let_go(held(minutes))
    assert held(minutes).trigger == 0.0
    assert stops(minutes) == []


def test_a_deleted_trade_s_cover_stays_without_proof(minutes: Minutes) -> None:
    """A list that does not show its position is none."""
    in_a_trade(minutes)
    minutes.bot.forget(BTC)
    minutes.paper.views["positions"] = lambda _: {}
    minutes.live(30.0, 5.0)
    assert held(minutes).trade_deleted
    assert stops(minutes) == [(1.0, 95.0)]


def test_a_deleted_trade_s_cover_goes_with_its_position(minutes: Minutes) -> None:
    """An order closed it: that is proof."""
    in_a_trade(minutes)
    minutes.bot.forget(BTC)
    minutes.live(5.0, 5.0)
    unheard(minutes, partial(minutes.paper.by_hand, BTC, -1.0))
    minutes.live(60.0, 5.0)
    assert stops(minutes) == []
    assert is_let_go(held(minutes))
    assert not minutes.bot.stops.unsettled(BTC)


def test_where_no_list_is_to_be_had_the_record_tells_which_stops_stand(minutes: Minutes) -> None:
    """One that Freqtrade counts as over stands no more, with or without its trade."""
    dry = Unwatched(minutes, blocks=False)
    trade = dry.entered()
    dry.books.filled(trade)
    (row,) = trade.open_sl_orders
    trade.is_open, row.ft_is_open, row.status = False, False, "canceled"
    Trade.commit()
    dry.paper.asked.clear()
    dry.books.loop()
    assert dry.manager.book.of(BTC).stops == []
    assert dry.paper.sent("cancel") == 0
