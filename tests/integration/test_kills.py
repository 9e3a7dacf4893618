"""A bot that was killed at the worst moment, and what the next start's first loop makes of it."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import RequestError
from tests.inside import manager, monitor, stop_service
from tests.integration.hands import Killed, kill, let_evidence_suffice, move_stop, unlock
from tests.integration.rig import BTC, Rig, enter_by_limit, force_entry, naked_max, until

pytestmark = pytest.mark.long


def die_at_order(
    rig: Rig, bot: FreqtradeBot, order: Callable[[], object], *, sent: bool = True
) -> None:
    """Order something, and be killed just before or just after the request."""
    api: Any = bot.exchange._api
    create_order = api.create_order

    def create_and_die(*args: Any, **kwargs: Any) -> None:
        if sent:
            create_order(*args, **kwargs)
        raise Killed

    api.create_order = create_and_die
    with pytest.raises(Killed):
        order()
    kill(rig, bot)


def die_at_entry(rig: Rig, bot: FreqtradeBot, *, sent: bool) -> None:
    """Enter BTC, and be killed just before or just after the request."""
    die_at_order(rig, bot, lambda: force_entry(bot, BTC), sent=sent)


def assert_whole(rig: Rig, trade: Trade, stops: int = 1) -> None:
    """The trade is the position, and covered as its record says."""
    assert trade.amount == pytest.approx(abs(rig.position("BTCUSDT")))
    live = rig.live_stops("BTCUSDT")
    assert len(live) == stops
    on_record = {order.order_id for order in trade.open_sl_orders}
    assert on_record <= {str(stop.algo_id) for stop in live}
    assert len(on_record) == 1
    (stop,) = [stop for stop in live if str(stop.algo_id) in on_record]
    assert trade.stop_loss == float(stop.request.trigger_price)
    assert trade.get_custom_data("qt_stop")["id"] == str(stop.algo_id)


def assert_goes_on_evidence(
    rig: Rig, bot: FreqtradeBot, monkeypatch: pytest.MonkeyPatch, stops: int = 1
) -> None:
    """An earlier run's stop stays while its entry may arrive, and goes on proof that none will."""
    assert len(rig.live_stops("BTCUSDT")) == stops
    unlock(BTC)
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.ENTRY_UNSETTLED
    let_evidence_suffice(monkeypatch)
    for _ in range(2):
        bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert Trade.get_open_trades() == []


def test_a_stop_whose_entry_was_never_sent_goes(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the first loop: nobody knows yet that the entry was not sent."""
    die_at_entry(rig, rig.bot(**same), sent=False)
    assert_goes_on_evidence(rig, rig.bot(**same), monkeypatch)
    assert naked_max(rig) == 0
    assert Trade.get_open_trades() == []


def test_an_entry_that_was_never_put_on_record_is_a_trade(rig: Rig, same: dict[str, Any]) -> None:
    """It filled; the first loop makes a normal trade of it, under the stop that stands."""
    die_at_entry(rig, rig.bot(**same), sent=True)
    (stop,) = rig.live_stops("BTCUSDT")
    bot = rig.bot(**same)
    (trade,) = Trade.get_open_trades()
    bot.process()
    assert_whole(rig, trade)
    assert rig.live_stops("BTCUSDT") == [stop]
    assert len(rig.events("order_accepted")) == 1
    assert naked_max(rig) == 0


def test_an_entry_that_rests_without_a_record_is_cancelled(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once; its stop goes later, when it is certain that no further one arrives."""
    first = rig.bot(**same)
    enter_by_limit(first, 0.99)
    die_at_entry(rig, first, sent=True)
    assert len(rig.venue.desk.open_orders()) == 1
    bot = rig.bot(**same)
    assert rig.venue.desk.open_orders() == []
    assert_goes_on_evidence(rig, bot, monkeypatch)


def test_an_entry_that_fills_while_it_is_cancelled_keeps_its_stop(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions are looked at after that, or its stop would be one that protects nothing."""
    first = rig.bot(**same)
    enter_by_limit(first, 0.99)
    die_at_entry(rig, first, sent=True)
    cancel_order = BinanceVenue.cancel_order

    def fill_and_cancel(line: BinanceVenue, pair: str, order_id: str) -> None:
        rig.move("BTCUSDT", 0.989)
        until(lambda: rig.report() and rig.venue.desk.open_orders() == [])
        cancel_order(line, pair, order_id)

    monkeypatch.setattr(BinanceVenue, "cancel_order", fill_and_cancel)
    rig.bot(**same)
    (trade,) = Trade.get_open_trades()
    assert_whole(rig, trade)
    assert naked_max(rig) == 0


def test_a_stop_that_vanished_meanwhile_is_replaced_in_the_first_loop(
    rig: Rig, same: dict[str, Any]
) -> None:
    """At the price where it stood."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    (old,) = rig.live_stops("BTCUSDT")
    rig.does(lambda: rig.venue.conditional.withdraw(old.algo_id, "gone"))
    rig.bot(**same)
    (trade,) = Trade.get_open_trades()
    assert_whole(rig, trade)
    assert rig.live_stops("BTCUSDT")[0].request.trigger_price == old.request.trigger_price


def test_a_trade_whose_stop_was_hit_meanwhile_is_closed(rig: Rig, same: dict[str, Any]) -> None:
    """And nothing is left of it."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    rig.move("BTCUSDT", 0.97)
    until(lambda: rig.position("BTCUSDT") == 0)
    rig.bot(**same)
    assert Trade.get_open_trades() == []
    (trade,) = Trade.get_trades().all()
    assert trade.exit_reason is not None
    assert rig.live_stops("BTCUSDT") == []


def test_of_a_move_half_done_the_new_stop_stays(rig: Rig, same: dict[str, Any]) -> None:
    """Two stand; the tighter one becomes the trade's."""
    first = rig.bot(**same)
    trade = force_entry(first, BTC)
    assert trade is not None
    tighter = trade.stop_loss * 1.005

    def die(*_: object) -> None:
        raise Killed

    manager(first).venue.cancel = die
    with pytest.raises(Killed):
        move_stop(first, BTC, tighter)
    kill(rig, first)
    _, new = rig.live_stops("BTCUSDT")
    rig.bot(**same)
    (trade,) = Trade.get_open_trades()
    assert rig.live_stops("BTCUSDT") == [new]
    assert_whole(rig, trade)
    assert naked_max(rig) == 0


def test_a_trailing_stop_lives_on(rig: Rig, same: dict[str, Any]) -> None:
    """It is known by its name: no second one is placed beside it."""
    same["qt"] = {"trail_callback": 1.5}
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    before = rig.live_stops("BTCUSDT")
    assert len(before) == 2
    bot = rig.bot(**same)
    bot.process()
    (trade,) = Trade.get_open_trades()
    assert rig.live_stops("BTCUSDT") == before
    assert_whole(rig, trade, stops=2)


def test_the_only_stop_is_kept_when_a_second_entry_filled_meanwhile(
    rig: Rig, same: dict[str, Any]
) -> None:
    """Freqtrade cancels every stop it knows of when it books the fill, before the guard looks."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    enter_by_limit(first, 0.9985)
    force_entry(first, BTC)
    kill(rig, first)
    rig.move("BTCUSDT", 0.985)
    bot = rig.bot(**same)
    bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.nr_of_successful_entries == 2
    assert_whole(rig, trade)
    assert naked_max(rig) == 0


@pytest.mark.parametrize("request_", ["open_orders", "positions"])
def test_nothing_is_withdrawn_before_the_first_look(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch, request_: str
) -> None:
    """The stop of an entry that was killed off the record is one that protects nothing known."""
    die_at_entry(rig, rig.bot(**same), sent=True)
    (stop,) = rig.live_stops("BTCUSDT")
    with monkeypatch.context() as patch:
        failure = RequestError("no answer in time", Outcome.UNKNOWN)
        patch.setattr(BinanceVenue, request_, Mock(side_effect=failure))
        bot = rig.bot(**same)
    assert not monitor(bot)._thread.is_alive()
    assert rig.live_stops("BTCUSDT") == [stop]
    bot.process()
    assert monitor(bot)._thread.is_alive()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
    assert naked_max(rig) == 0


def test_entries_wait_for_the_first_look(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first loop the exchange did not answer is none: nothing goes out before one it did."""
    monkeypatch.setattr(
        "qt_protections.stops.venue.binance.orders.BinanceVenue.positions",
        lambda self: self.find_order(BTC, order_id="no number"),
    )
    bot = rig.bot()
    assert stop_service(bot).unsettled(BTC)
    monkeypatch.undo()
    bot.process()
    assert not stop_service(bot).unsettled(BTC)
    assert force_entry(bot, BTC) is not None


def test_a_lost_second_entry_stays_covered_when_the_first_was_trailed_out(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no bot runs, a trailing stop closes what is on record beside an entry that is not.

    The close is booked first, and the entry becomes a trade of its own after that.
    """
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    trailing = {**same, "qt": {"trail_callback": 1.0, "trail_activation": 0.5}}
    first = rig.bot(**trailing)
    force_entry(first, BTC)
    first.process()
    die_at_entry(rig, first, sent=True)
    whole = rig.position("BTCUSDT")
    for ratio in (1.02, 0.985):
        rig.move("BTCUSDT", ratio)
    until(lambda: rig.report() and rig.position("BTCUSDT") < whole)
    left = rig.position("BTCUSDT")
    assert left > 0
    bot = rig.bot(**trailing)
    assert rig.live_stops("BTCUSDT"), "the first loop took the stop of a position away"
    for _ in range(3):
        bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(left) == pytest.approx(rig.position("BTCUSDT"))
    assert naked_max(rig) == 0


@pytest.mark.parametrize("stopped_before", [True, False], ids=["after a stopped trade", "alone"])
def test_an_exit_that_was_never_put_on_record_closes_its_trade(
    rig: Rig, same: dict[str, Any], stopped_before: bool
) -> None:
    """And it alone: the order an earlier trade's stop became is on that trade's record already."""
    first = rig.bot(**same)
    if stopped_before:
        force_entry(first, BTC)
        rig.move("BTCUSDT", 0.97)
        first.process()
        assert Trade.get_open_trades() == []
        unlock(BTC)
    trade = force_entry(first, BTC)
    assert trade is not None
    die_at_order(rig, first, lambda: RPC(first)._rpc_force_exit(str(trade.id)))
    assert rig.position("BTCUSDT") == 0
    bot = rig.bot(**same)
    bot.process()
    assert Trade.get_open_trades() == []
    last = Trade.get_trades().all()[-1]
    (entry,) = [order for order in last.orders if order.ft_order_side == "buy"]
    (exit_,) = [order for order in last.orders if order.ft_order_side == "sell"]
    assert exit_.safe_filled == entry.safe_filled > 0
    assert last.exit_reason == "sold_on_exchange"
    assert rig.live_stops("BTCUSDT") == []


def test_a_partial_exit_that_was_never_put_on_record_is_booked(
    rig: Rig, same: dict[str, Any]
) -> None:
    """The trade is as large as the position again, and so is its stop's need."""
    first = rig.bot(**same)
    trade = force_entry(first, BTC)
    assert trade is not None
    half = first.exchange.amount_to_precision(BTC, trade.amount / 2)
    die_at_order(rig, first, lambda: RPC(first)._rpc_force_exit(str(trade.id), amount=float(half)))
    left = rig.position("BTCUSDT")
    assert 0 < left < trade.amount
    bot = rig.bot(**same)
    for _ in range(2):
        bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(left) == pytest.approx(rig.position("BTCUSDT"))
    assert trade.nr_of_successful_exits == 1
    assert naked_max(rig) == 0


@pytest.mark.parametrize("part", [0.5, 1.0], ids=["a part", "all"])
def test_an_exit_that_was_booked_and_not_counted_is_counted(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch, part: float
) -> None:
    """Freqtrade writes an order's fill down, then counts it, and was killed in between."""
    first = rig.bot(**same)
    trade = force_entry(first, BTC)
    assert trade is not None
    amount = float(first.exchange.amount_to_precision(BTC, trade.amount * part))
    with monkeypatch.context() as patch:
        patch.setattr(Trade, "update_trade", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            RPC(first)._rpc_force_exit(str(trade.id), amount=amount if part < 1 else None)
    kill(rig, first)
    rig.bot(**same).process()
    (trade,) = Trade.get_trades().all()
    left = rig.position("BTCUSDT")
    assert trade.is_open is (part < 1)
    assert trade.amount == pytest.approx(left or amount)
    assert trade.close_profit_abs is not None
    assert len(rig.live_stops("BTCUSDT")) == (1 if left else 0)
    assert naked_max(rig) == 0


def rest_beside_a_trailed_position(rig: Rig, bot: FreqtradeBot) -> None:
    """Hold BTC under a trailing stop that is about to fire, with a second entry waiting below."""
    force_entry(bot, BTC)
    bot.process()
    enter_by_limit(bot, 0.9985)
    force_entry(bot, BTC)
    bot.process()
    rig.move("BTCUSDT", 1.02)


def trail_out_beside_an_entry(rig: Rig, bot: FreqtradeBot) -> None:
    """Let the trailing stop fire, and the second entry wait on: killed before it is called off."""
    rest_beside_a_trailed_position(rig, bot)
    manager(bot).closes.call_off = lambda held: None
    rig.move("BTCUSDT", 0.985)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)


def test_a_trailing_stop_and_a_second_entry_that_filled_meanwhile_are_both_booked(
    rig: Rig, same: dict[str, Any]
) -> None:
    """Freqtrade books the entry first; the trailing stop is found by the trade's own record."""
    trailing = {**same, "qt": {"trail_callback": 1.0, "trail_activation": 0.5}}
    first = rig.bot(**trailing)
    rest_beside_a_trailed_position(rig, first)
    kill(rig, first)
    rig.move("BTCUSDT", 0.985)
    rig.move("BTCUSDT", 0.993)
    until(lambda: rig.report() and rig.venue.desk.open_orders() == [])
    bot = rig.bot(**trailing)
    for _ in range(2):
        bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
    assert trade.nr_of_successful_entries == 2
    assert trade.nr_of_successful_exits == 1
    assert naked_max(rig) == 0


def test_an_entry_that_filled_after_its_trade_was_closed_is_a_trade_of_its_own(
    rig: Rig, same: dict[str, Any]
) -> None:
    """Freqtrade books the fill on the closed trade at its start, where no exit would find it."""
    trailing = {**same, "qt": {"trail_callback": 1.0, "trail_activation": 0.5}}
    first = rig.bot(**trailing)
    trail_out_beside_an_entry(rig, first)
    first.process()
    first.process()
    (closed,) = Trade.get_trades().all()
    assert not closed.is_open
    before = closed.to_json()
    kill(rig, first)
    rig.move("BTCUSDT", 0.993)
    until(lambda: rig.report() and rig.position("BTCUSDT") > 0)
    bot = rig.bot(**trailing)
    bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
    assert_whole(rig, trade, stops=2)
    (closed,) = [each for each in Trade.get_trades().all() if not each.is_open]
    for figure in ("amount", "open_rate", "close_profit_abs", "stake_amount", "exit_reason"):
        assert closed.to_json()[figure] == pytest.approx(before[figure]), figure
    assert naked_max(rig) == 0


def test_an_entry_that_rests_for_a_closed_trade_is_cancelled_at_the_start(
    rig: Rig, same: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on record, of a trade that is over; once it fills, nothing would stand behind it."""
    trailing = {**same, "qt": {"trail_callback": 1.0, "trail_activation": 0.5}}
    first = rig.bot(**trailing)
    trail_out_beside_an_entry(rig, first)
    first.process()
    kill(rig, first)
    assert len(rig.venue.desk.open_orders("BTCUSDT")) == 1
    stops = len(rig.live_stops("BTCUSDT"))
    bot = rig.bot(**trailing)
    assert rig.venue.desk.open_orders("BTCUSDT") == []
    assert_goes_on_evidence(rig, bot, monkeypatch, stops)
