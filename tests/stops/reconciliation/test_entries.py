"""Orders whose answer was lost, and orders that outlive their trade, are brought to their end."""

from functools import partial
from threading import Thread

import pytest
from freqtrade.persistence import Order, Trade

from tests.stops.guards import approved
from tests.stops.hand_clock import HandClock
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, LOST
from tests.stops.reconciliation.scenes import (
    entries,
    held,
    is_blameless,
    stops,
    the_trade,
    unheard,
)

LOOP_S = 5.0


def without_answer(minutes: Minutes, amount: float = 1.0, *, at_market: bool = True) -> None:
    """Enter, and hear nothing of what the exchange has taken."""
    minutes.paper.after["create_order"].append(LOST)
    minutes.paper.failing["find_order"] = LOST
    unheard(minutes, partial(minutes.bot.enter, BTC, amount, at_market=at_market))
    minutes.paper.failing.clear()


def in_a_trade(minutes: Minutes, amount: float = 1.0) -> None:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(2 * LOOP_S, LOOP_S)


def lost_exit(minutes: Minutes, *, at_market: bool = True, is_executed: bool = True) -> None:
    """Exit, and hear nothing of what became of that."""
    queue = minutes.paper.after if is_executed else minutes.paper.before
    queue["create_order"].append(LOST)
    minutes.paper.failing["find_order"] = LOST
    unheard(minutes, partial(minutes.bot.exit, BTC, at_market=at_market))
    minutes.paper.failing.clear()
    assert held(minutes).exits


def row_of(order_id: str) -> Order:
    """Return what is on record of an order."""
    row = Order.order_by_id(order_id, BTC)
    assert row is not None
    return row


# Entries whose answer was lost


def test_one_that_filled_becomes_a_trade(minutes: Minutes) -> None:
    """In the next loop, with its stop. Freqtrade has forgotten it."""
    without_answer(minutes)
    assert Trade.get_open_trades() == []
    assert minutes.bot.stops.unsettled(BTC)
    minutes.live(2 * LOOP_S, LOOP_S)
    assert the_trade().amount == 1.0
    assert stops(minutes) == [(1.0, 95.0)]
    assert not minutes.bot.stops.unsettled(BTC)
    assert is_blameless(minutes)


def test_one_that_rests_becomes_a_trade_that_waits(minutes: Minutes) -> None:
    """As any entry of Freqtrade's; its fill is booked by Freqtrade."""
    without_answer(minutes, at_market=False)
    minutes.live(2 * LOOP_S, LOOP_S)
    assert the_trade().has_open_orders
    assert the_trade().amount == 0.0
    minutes.paper.fill(entries(minutes)[0]["id"], 1.0)
    minutes.live(2 * LOOP_S, LOOP_S)
    assert the_trade().amount == 1.0
    assert stops(minutes) == [(1.0, 95.0)]


def test_one_that_ended_without_a_fill_leaves_nothing(minutes: Minutes) -> None:
    """By the exchange's own word: its stop goes."""
    without_answer(minutes, at_market=False)
    entries(minutes)[0]["status"] = "canceled"
    minutes.bot.stops.loop()
    assert Trade.get_trades().all() == [], "not even for Freqtrade to delete"
    minutes.live(2 * LOOP_S, LOOP_S)
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_one_that_nobody_knows_is_waited_for(minutes: Minutes) -> None:
    """It may arrive within 11 s. Until then its stop stands, and no other entry goes out."""
    minutes.paper.before["create_order"].append(LOST)
    minutes.paper.failing["find_order"] = LOST
    minutes.bot.enter(BTC, 1.0)
    minutes.paper.failing.clear()
    minutes.live(LOOP_S, LOOP_S)
    assert stops(minutes) == [(1.0, 95.0)]
    assert minutes.bot.stops.unsettled(BTC)
    minutes.live(15.0, LOOP_S)
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_one_that_cannot_be_asked_for_stays_in_question(minutes: Minutes) -> None:
    """However long: its stop stands meanwhile."""
    without_answer(minutes)
    minutes.paper.failing["find_order"] = LOST
    minutes.live(60.0, LOOP_S)
    assert Trade.get_open_trades() == []
    assert minutes.paper.is_covered(BTC)
    minutes.paper.failing.clear()
    minutes.live(2 * LOOP_S, LOOP_S)
    assert the_trade().amount == 1.0


def test_one_that_adds_to_a_trade_joins_it(minutes: Minutes) -> None:
    """A pair has one trade at most."""
    in_a_trade(minutes)
    without_answer(minutes, 2.0)
    minutes.live(3 * LOOP_S, LOOP_S)
    assert the_trade().amount == 3.0
    assert stops(minutes) == [(3.0, 95.0)]


def test_one_waits_for_a_close_of_the_trade_it_would_join(minutes: Minutes) -> None:
    """A stop has closed the trade, which has yet to book that: the entry gets its own."""
    in_a_trade(minutes)
    (stop,) = minutes.paper.live(BTC)
    pending = minutes.bot.stops._books._entries._cover.expect(approved(BTC, 2.0, 95.0), 1.0)
    pending.lose_answer()
    minutes.paper.trigger(stop["id"])
    minutes._hear()
    assert held(minutes).ledger.ends_first
    late = partial(minutes.paper.send, BTC, 2.0, pending.client_id, at_market=True, reduces=False)
    unheard(minutes, late)
    minutes.live(6 * LOOP_S, LOOP_S)
    assert [(trade.is_open, trade.amount) for trade in Trade.get_trades().all()] == [
        (False, 1.0),
        (True, 2.0),
    ]
    assert minutes.paper.is_covered(BTC)
    assert is_blameless(minutes)


def test_one_that_other_orders_explain_first_is_booked_once(minutes: Minutes) -> None:
    """Beside somebody's position the orders of the pair are asked for: they tell of the entry."""
    without_answer(minutes)
    minutes.paper.failing["find_order"] = LOST
    unheard(minutes, partial(minutes.paper.by_hand, BTC, 2.0))
    minutes.live(6 * LOOP_S, LOOP_S)
    assert len(Trade.get_open_trades()) == 1
    minutes.paper.failing.clear()
    minutes.live(6 * LOOP_S, LOOP_S)
    assert the_trade().amount == 1.0
    assert held(minutes).pending_entries == []
    assert sum(amount for amount, _ in stops(minutes)) >= 3.0


def test_one_of_remote_control_is_left_to_it_for_a_minute(minutes: Minutes) -> None:
    """Its thread has the answer, and has yet to put the trade on record."""

    def enter() -> None:
        cover = minutes.bot.stops._books._entries._cover
        pending = cover.expect(approved(BTC, 1.0, 95.0), 0.0)
        order = minutes.paper.send(BTC, 1.0, pending.client_id, at_market=True, reduces=False)
        cover.answered(pending, order)

    remote_control = Thread(target=enter)
    remote_control.start()
    remote_control.join()
    minutes.live(50.0, LOOP_S)
    assert Trade.get_open_trades() == []
    assert stops(minutes) == [(1.0, 95.0)]
    minutes.live(15.0, LOOP_S)
    assert the_trade().amount == 1.0


# Trades without an entry


def test_a_trade_whose_entry_never_filled_is_deleted(minutes: Minutes) -> None:
    """It would stand in the way of others: Freqtrade keeps it if the strategy adjusts entries."""
    minutes.bot.enter(BTC, 1.0, at_market=False)
    entry = entries(minutes)[0]
    unheard(minutes, lambda: entry.update(status="canceled"))
    row = row_of(entry["id"])
    row.ft_is_open, row.status = False, "canceled"
    Trade.commit()
    minutes.live(2 * LOOP_S, LOOP_S)
    assert Trade.get_trades().all() == []
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


# Exits whose answer was lost


def test_an_exit_that_happened_ends_its_trade(minutes: Minutes) -> None:
    """Though Freqtrade knows nothing of it."""
    in_a_trade(minutes)
    lost_exit(minutes)
    assert the_trade().amount == 1.0
    minutes.live(3 * LOOP_S, LOOP_S)
    assert Trade.get_open_trades() == []
    assert stops(minutes) == []
    assert held(minutes).exits == {}


def test_an_exit_that_rests_is_cancelled(minutes: Minutes) -> None:
    """Nobody would look after it; Freqtrade sends another one when it wants to leave."""
    in_a_trade(minutes)
    lost_exit(minutes, at_market=False)
    minutes.live(3 * LOOP_S, LOOP_S)
    assert entries(minutes)[-1]["status"] == "canceled"
    assert held(minutes).exits == {}
    assert the_trade().amount == 1.0
    assert stops(minutes) == [(1.0, 95.0)]


def test_an_exit_that_never_arrived_is_waited_for(minutes: Minutes) -> None:
    """Within 11 s it may; then it is forgotten, and the trade is as it was."""
    in_a_trade(minutes)
    lost_exit(minutes, is_executed=False)
    minutes.live(2.0, LOOP_S)
    assert held(minutes).exits
    minutes.live(20.0, LOOP_S)
    assert held(minutes).exits == {}
    assert the_trade().amount == 1.0


def test_an_exit_of_an_earlier_run_that_is_on_record_is_freqtrade_s(minutes: Minutes) -> None:
    """It is heard of because no run but the last knows that it was recorded."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC, at_market=False)
    minutes.restart()
    minutes.paper.fill(entries(minutes)[-1]["id"], 0.5)
    minutes._hear()
    assert held(minutes).exits
    minutes.live(2 * LOOP_S, LOOP_S)
    assert held(minutes).exits == {}
    minutes.paper.fill(entries(minutes)[-1]["id"], 0.5)
    minutes.live(2 * LOOP_S, LOOP_S)
    assert Trade.get_open_trades() == []
    assert len(Trade.get_trades().all()[0].orders) == 3, "entry, stop, and one exit"


def test_an_exit_of_a_trade_that_is_over_is_no_close_of_the_next(minutes: Minutes) -> None:
    """A kill kept the exit off the record, and a look at the orders has booked it meanwhile."""
    in_a_trade(minutes)
    lost_exit(minutes)
    held(minutes).base = 0.0
    minutes.bot.stops._books._entries.settle(held(minutes), None)
    assert held(minutes).exits == {}
    assert not held(minutes).ledger.unbooked_fills


# What outlives its trade


def stopped_out(minutes: Minutes, beside: str) -> None:
    """Let the trade's stop close it, and an order of the trade rest on all the same."""
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.paper.orders[beside]["status"] = "open"


@pytest.mark.parametrize("is_refused", [False, True], ids=["at once", "with the second try"])
def test_an_exit_that_outlived_its_trade_is_cancelled(minutes: Minutes, is_refused: bool) -> None:
    """It would close what comes next."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC, at_market=False)
    leaving = entries(minutes)[-1]["id"]
    stopped_out(minutes, leaving)
    if is_refused:
        minutes.paper.before["cancel_order"].append(LOST)
    minutes.live(4 * LOOP_S, LOOP_S)
    assert minutes.paper.orders[leaving]["status"] == "canceled"
    assert Trade.get_open_trades() == []
    assert not row_of(leaving).ft_is_open
    minutes.paper.asked.clear()
    minutes.live(2 * LOOP_S, LOOP_S)
    assert minutes.paper.sent("cancel_order") == 0


def test_an_exit_that_nobody_knows_is_asked_for_again(minutes: Minutes) -> None:
    """It may rest. Once the exchange tells that it ended, that is put on record."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC, at_market=False)
    leaving = entries(minutes)[-1]["id"]
    stopped_out(minutes, leaving)
    minutes.paper.before["cancel_order"].extend([LOST] * 4)
    minutes.live(2 * LOOP_S, LOOP_S)
    order = minutes.paper.orders.pop(leaving)
    minutes.live(2 * LOOP_S, LOOP_S)
    assert row_of(leaving).ft_is_open
    minutes.paper.orders[leaving] = {**order, "status": "canceled"}
    minutes.live(2 * LOOP_S, LOOP_S)
    assert (row_of(leaving).ft_is_open, row_of(leaving).status) == (False, "canceled")


def adding(minutes: Minutes) -> str:
    """Have an entry rest that adds to a trade; return its id."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 2.0, at_market=False)
    minutes.live(LOOP_S, LOOP_S)
    return str(entries(minutes)[-1]["id"])


def test_an_entry_that_outlived_its_trade_is_cancelled(minutes: Minutes) -> None:
    """Again and again, until the exchange takes that; Freqtrade would let it wait on."""
    entry = adding(minutes)
    minutes.paper.failing["cancel_order"] = LOST
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(4 * LOOP_S, LOOP_S)
    assert minutes.paper.orders[entry]["status"] == "open"
    assert minutes.paper.live(BTC), "it may fill"
    minutes.paper.failing.clear()
    minutes.live(4 * LOOP_S, LOOP_S)
    assert minutes.paper.orders[entry]["status"] == "canceled"
    assert not row_of(entry).ft_is_open
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_an_entry_that_fills_after_its_trade_is_a_trade_of_its_own(minutes: Minutes) -> None:
    """The closed one keeps what it was."""
    entry = adding(minutes)
    minutes.paper.failing["cancel_order"] = LOST
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(2 * LOOP_S, LOOP_S)
    minutes.paper.fill(entry, 2.0)
    minutes.live(4 * LOOP_S, LOOP_S)
    closed, own = Trade.get_trades().all()
    assert (closed.is_open, closed.amount) == (False, 1.0)
    assert (own.is_open, own.amount) == (True, 2.0)
    assert [order.order_id for order in own.select_filled_orders(own.entry_side)] == [entry]
    assert minutes.paper.is_covered(BTC)


def test_an_entry_that_was_on_record_as_over_is_let_go(minutes: Minutes) -> None:
    """Its trade has come and gone: nothing is left to settle."""
    entry = adding(minutes)
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(4 * LOOP_S, LOOP_S)
    assert minutes.paper.orders[entry]["status"] == "canceled"
    assert held(minutes).pending_entries == []
    assert not row_of(entry).ft_is_open
    assert not minutes.bot.stops.unsettled(BTC)


def test_an_entry_that_fills_after_a_restart_is_a_trade_of_its_own(
    minutes: Minutes, clock: HandClock
) -> None:
    """Its trade was closed by its stop; no run that knew of the entry is left."""
    entry = adding(minutes)
    minutes.paper.failing["cancel_order"] = LOST
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(2 * LOOP_S, LOOP_S)
    minutes.paper.fill(entry, 2.0)
    minutes.restart(is_killed=True)
    minutes.paper.failing.clear()
    minutes.live(6 * LOOP_S, LOOP_S)
    assert the_trade().amount == 2.0
    assert minutes.paper.is_covered(BTC)
    assert is_blameless(minutes)


def test_an_entry_that_counts_as_cancelled_and_filled_is_booked(minutes: Minutes) -> None:
    """Freqtrade takes it for cancelled where the exchange could not tell of it at a start."""
    entry = adding(minutes)
    row = row_of(entry)
    row.ft_is_open, row.status = False, "canceled"
    Trade.commit()
    minutes.paper.fill(entry, 2.0)
    minutes.restart(is_killed=True)
    minutes.live(6 * LOOP_S, LOOP_S)
    assert the_trade().amount == 3.0
    assert minutes.paper.is_covered(BTC)
