"""A trade has on record what stands for it, what fired, and what closed it, and shows its stop."""

from functools import partial

import pytest
from freqtrade.persistence import Trade

from qt_protections.stops.reconciliation.trade_updater import cover_of, covers_of
from qt_protections.stops.state.records import STOP_RECORD
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, refusal
from tests.stops.reconciliation.scenes import held, stops, the_trade, unheard


def in_a_trade(minutes: Minutes, amount: float = 2.0) -> Trade:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(10.0, 5.0)
    return the_trade()


def on_record(trade: Trade) -> list[str]:
    """Return the ids of the stops that the trade has as live."""
    return [row.order_id for row in trade.open_sl_orders]


def test_what_stands_is_shown(minutes: Minutes) -> None:
    """As `/list_custom_data` prints it."""
    trade = in_a_trade(minutes)
    (stop,) = minutes.paper.live(BTC)
    record = trade.get_custom_data(STOP_RECORD)
    assert record["id"] == stop["id"]
    assert record["client_id"] == stop["clientOrderId"]
    assert (record["price"], record["amount"]) == (95.0, 2.0)
    assert (record["state"], record["placement"]) == ("live", "before_entry")
    assert record["trailing"] == []


def test_a_stop_that_took_the_place_of_another_takes_it_on_record_too(minutes: Minutes) -> None:
    """The first counts as cancelled there; the trade's price stays that of the stop."""
    trade = in_a_trade(minutes)
    (old,) = on_record(trade)
    minutes.paper.end(old, "expired")
    minutes.live(10.0, 5.0)
    (new,) = on_record(the_trade())
    assert new == minutes.paper.live(BTC)[0]["id"] != old
    (row,) = [row for row in the_trade().sl_orders if row.order_id == old]
    assert (row.ft_is_open, row.status) == (False, "canceled")
    assert the_trade().get_custom_data(STOP_RECORD)["id"] == new


def test_each_of_several_stops_is_on_record(minutes: Minutes) -> None:
    """A position larger than one order may be has several; Freqtrade has to cancel them all."""
    minutes.paper.most[BTC] = 1.0
    in_a_trade(minutes, 1.0)
    minutes.bot.enter(BTC, 0.5)
    minutes.live(10.0, 5.0)
    trade = the_trade()
    assert sorted(on_record(trade)) == sorted(stop["id"] for stop in minutes.paper.live(BTC))
    assert len(on_record(trade)) == 2
    assert trade.stop_loss == 95.0
    assert trade.get_custom_data(STOP_RECORD)["amount"] == 1.5


def test_a_stop_that_fired_is_booked_by_freqtrade(minutes: Minutes) -> None:
    """Under its own name and reason, at what its order filled at."""
    trade = in_a_trade(minutes)
    (stop,) = on_record(trade)
    minutes.paper.prices[BTC] = 94.5
    minutes.paper.trigger(stop)
    minutes.live(10.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert (trade.exit_reason, trade.close_rate) == ("stoploss_on_exchange", 94.5)


def test_a_stop_that_nobody_had_on_record_is_booked_as_well(minutes: Minutes) -> None:
    """It was placed and fired between two loops."""
    trade = in_a_trade(minutes)
    (old,) = on_record(trade)
    minutes.paper.end(old, "expired")
    minutes._hear()
    (new,) = minutes.paper.live(BTC)
    minutes.paper.trigger(new["id"])
    minutes.live(10.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    assert [row.order_id for row in trade.sl_orders if row.safe_filled] == [new["id"]]


def test_a_close_at_market_is_booked_as_an_exit(minutes: Minutes) -> None:
    """No stop was to be had."""
    trade = in_a_trade(minutes)
    minutes.paper.failing["place_stop"] = refusal(-1102)
    minutes.paper.end(*on_record(trade), "expired")
    minutes.live(10.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert (trade.is_open, trade.exit_reason) == (False, "emergency_exit")
    assert minutes.paper.size[BTC] == 0.0


def test_a_close_is_not_booked_before_anything_is_entered(following: Minutes) -> None:
    """Freqtrade counts an entry when that is over, and would end a trade that has none yet."""
    following.bot.enter(BTC, 2.0, at_market=False)
    following.live(10.0, 5.0)
    (entry,) = following.paper.orders
    following.paper.failing["place_stop"] = refusal(-1102)
    following.paper.fill(entry, 0.5)
    following._hear()
    assert following.paper.size[BTC] == 0.0
    following.bot.stops.loop()
    assert [row.ft_order_side for row in the_trade().orders] == ["buy"]
    following.live(20.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert not trade.is_open
    assert (trade.amount, trade.exit_reason) == (0.5, "emergency_exit")


def test_a_close_of_entries_waits_until_their_trade_has_them(minutes: Minutes) -> None:
    """A stop took the trade's 1.0, and 0.2 of the 0.5 that an entry which rests has filled."""
    in_a_trade(minutes, 1.0)
    minutes.bot.enter(BTC, 2.0, at_market=False)
    minutes.live(5.0, 5.0)
    entry = list(minutes.paper.orders)[-1]
    minutes.paper.fill(entry, 0.5)
    minutes._hear()
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"], 0.8)
    minutes._hear()
    assert [(fill.amount, fill.is_of_entries) for fill in held(minutes).ledger.unbooked_fills] == [
        (1.0, False),
        (0.2, True),
    ]
    minutes.bot.stops.loop()
    assert "sell" not in {row.ft_order_side for row in the_trade().orders if row.ft_is_open}
    minutes.live(20.0, 5.0)
    assert the_trade().amount == pytest.approx(0.3)
    assert minutes.paper.size[BTC] == 0.3
    assert minutes.paper.is_covered(BTC)


def test_a_stop_whose_fill_is_booked_stands_for_its_trade_no_more(minutes: Minutes) -> None:
    """Though nobody else has heard of that yet."""
    trade = in_a_trade(minutes)
    (row,) = trade.open_sl_orders
    assert cover_of(held(minutes), trade) is not None
    row.ft_is_open, row.filled = False, 2.0
    assert cover_of(held(minutes), trade) is None


def test_a_stop_of_the_other_side_stands_for_no_trade(minutes: Minutes) -> None:
    """The position was turned by somebody who sold more than there was."""
    trade = in_a_trade(minutes)
    unheard(minutes, partial(minutes.paper.by_hand, BTC, -5.0))
    minutes.live(12.0, 5.0)
    assert stops(minutes)[-1] == (pytest.approx(3.0), 105.0)
    assert covers_of(held(minutes), trade) == []


def test_a_trade_that_waits_has_no_stop_on_record(minutes: Minutes) -> None:
    """The stop stands before the entry; Freqtrade would ask after it, and cancel it."""
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    assert len(minutes.paper.live(BTC)) == 1
    assert on_record(the_trade()) == []
    assert the_trade().get_custom_data(STOP_RECORD)["price"] == 95.0


def test_what_was_shown_of_a_trade_is_forgotten_with_it(minutes: Minutes) -> None:
    """A bot runs for months; SQLite gives ids again."""
    in_a_trade(minutes)
    minutes.bot.exit(BTC)
    minutes.live(10.0, 5.0)
    assert minutes.bot.stops._books._updater._recorded == {}
