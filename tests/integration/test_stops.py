"""Stops and entries of a live bot, loop by loop, on the rehearsal exchange."""

from math import inf

import pytest
from freqtrade.exceptions import DependencyException
from freqtrade.persistence import Trade

from qt_protections.errors import EntryRefused
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rules.denial import DenyCode
from qt_protections.stops.venue.binance.orders import BinanceVenue
from tests.integration.hands import refusals
from tests.integration.rig import BTC, ZEN, Rig, enter_by_limit, force_entry, naked_max


@pytest.mark.parametrize(("pair", "side"), [(BTC, "long"), (ZEN, "short")])
def test_the_stop_is_live_before_the_entry(rig: Rig, pair: str, side: str) -> None:
    """One stop is accepted, then the entry goes out, and the trade takes that very stop over."""
    bot = rig.bot()
    trade = force_entry(bot, pair, side)
    first, second = rig.events("stop_accepted", "order_accepted")[:2]
    assert (first["kind"], second["kind"]) == ("stop_accepted", "order_accepted")
    assert trade is not None
    (stop,) = trade.open_sl_orders
    assert stop.order_id == str(first["algo_id"])
    assert trade.stop_loss == trade.initial_stop_loss == float(first["price"])
    assert not trade.is_stop_loss_trailing
    for _ in range(3):
        bot.process()
    assert len(rig.events("stop_accepted")) == 1, "Freqtrade replaced a stop it should have kept"
    assert naked_max(rig) == 0


def test_the_exchange_notices_a_naked_position(rig: Rig) -> None:
    """The counter-check: the same strategy without the guard is naked, and the report says so."""
    bot = rig.bot("Quiet")
    force_entry(bot, BTC)
    bot.process()
    report = rig.report()
    assert report["summary"]["naked_s"]["max"] > 0
    assert report["summary"]["stops_live_before_entry"] == 0


def test_a_stop_that_is_hit_closes_the_trade(rig: Rig) -> None:
    """Freqtrade sees the adopted stop's fill as its own, and nothing is left behind."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    rig.move("BTCUSDT", 0.975)
    bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "stoploss_on_exchange"
    report = rig.report()
    realised = report["summary"]["realized_pnl"] - report["summary"]["fees"]
    assert trade.close_profit_abs == pytest.approx(realised, abs=1e-6)
    assert rig.live_stops("BTCUSDT") == []
    assert naked_max(rig) == 0


def test_a_second_entry_is_covered_and_a_third_refused(rig: Rig) -> None:
    """The full-size stop stands before the second entry; the limit holds at the exchange's door."""
    bot = rig.bot()
    force_entry(bot, BTC)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity) == pytest.approx(rig.position("BTCUSDT"))
    assert trade.stop_loss == float(stop.request.trigger_price)
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.SYMBOL_FULL
    for _ in range(3):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert naked_max(rig) == 0


def test_a_refused_stop_means_no_entry(rig: Rig) -> None:
    """The exchange takes no stop: it never sees the entry."""
    bot = rig.bot()
    rig.venue.refuse_stops.append(VenueError(-2021))
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.STOP_REFUSED
    assert refusals(bot) == {(BTC, DenyCode.STOP_REFUSED): 1}
    assert rig.events("order_accepted", "order_rejected") == []
    assert Trade.get_open_trades() == []


@pytest.mark.parametrize("code", [-2019, -4164], ids=["no-margin", "too-small"])
def test_a_refused_entry_takes_its_stop_along(rig: Rig, code: int) -> None:
    """No entry, no stop."""
    bot = rig.bot()
    rig.venue.refuse_orders.append(VenueError(code))
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    assert len(rig.events("stop_accepted")) == 1
    assert rig.live_stops("BTCUSDT") == []


LOST = VenueError(-1007, "Timeout waiting for response from backend server.")


def test_an_entry_that_may_have_happened_keeps_its_stop(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not: once it can arrive no more, the stop is withdrawn and the pair is free."""
    monkeypatch.setattr(BinanceVenue, "arrives_within_s", inf)
    bot = rig.bot()
    rig.venue.refuse_orders.append(LOST)
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.ENTRY_UNSETTLED
    monkeypatch.setattr(BinanceVenue, "arrives_within_s", 0.0)
    bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert force_entry(bot, BTC) is not None


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "resting"])
def test_an_entry_whose_answer_is_lost_is_a_normal_trade(rig: Rig, filled: bool) -> None:
    """It is found by its client id and never sent twice, whether it filled or rests."""
    bot = rig.bot(max_open_trades=1)
    if not filled:
        enter_by_limit(bot, 0.99)
    rig.venue.lose_answers = 1
    trade = force_entry(bot, BTC)
    assert trade is not None
    rig.move("BTCUSDT", 1.0 if filled else 0.985)
    for _ in range(3):
        bot.process()
    assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
    assert len(rig.events("order_accepted")) == 1
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert naked_max(rig) == 0


def test_an_entry_found_late_becomes_a_trade(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange tells of it only loops later: the trade is made then, with its stop."""
    monkeypatch.setattr("qt_protections.stops.intercept.entries._ASK_AFTER_S", ())
    bot = rig.bot()
    rig.venue.lose_answers = 1
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    assert Trade.get_open_trades() == []
    for _ in range(2):
        bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
    assert len(trade.open_sl_orders) == len(rig.live_stops("BTCUSDT")) == 1
    assert trade.stop_loss == float(rig.live_stops("BTCUSDT")[0].request.trigger_price)
    assert naked_max(rig) == 0


def test_an_entry_that_times_out_takes_its_stop_along(rig: Rig) -> None:
    """A limit order that never fills is covered while it waits and leaves nothing behind."""
    bot = rig.bot("GuardedNeverFills")
    waiting = {stop.request.symbol for stop in rig.venue.conditional.live()}
    assert waiting, "the entries should wait with their stops live"
    bot.config["max_open_trades"] = 0
    for _ in range(4):
        bot.process()
    assert rig.venue.desk.open_orders() == []
    assert rig.venue.conditional.live() == []
    assert Trade.get_open_trades() == []


def test_an_entry_that_expires_unfilled_takes_its_stop_along(rig: Rig) -> None:
    """An immediate-or-cancel order that finds nobody: its stop is gone with the answer."""
    rig.bot("GuardedNeverFills", order_time_in_force={"entry": "IOC", "exit": "GTC"})
    assert len(rig.events("stop_accepted")) >= 1
    assert len(rig.events("order_expired")) == len(rig.events("stop_accepted"))
    assert rig.venue.conditional.live() == []


def through_the_stop(rig: Rig, *ratios: float) -> None:
    """Move BTC's price along while an order is under way, and let what it triggers run."""
    rig.venue.on_order = lambda: None
    for ratio in ratios:
        rig.feed.move("BTCUSDT", ratio)
        rig.venue.advance()
        rig.venue.advance(rig.venue.now_ms + 20)


def test_a_stop_that_is_gone_already_is_forgotten(rig: Rig) -> None:
    """The price runs through the stop and the entry is refused: nothing is left to withdraw."""
    bot = rig.bot()

    def fall_and_refuse() -> None:
        through_the_stop(rig, 0.97)
        raise VenueError(-2019)

    rig.venue.on_order = fall_and_refuse
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    for _ in range(3):
        bot.process()
    assert rig.live_stops("BTCUSDT") == []


def test_a_stop_consumed_before_the_fill_is_replaced(rig: Rig) -> None:
    """The price dips through the trigger and back while the entry is under way."""
    bot = rig.bot()

    rig.venue.on_order = lambda: through_the_stop(rig, 0.97, 1 / 0.97)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert len(rig.events("stop_accepted")) == 2
    (stop,) = rig.live_stops("BTCUSDT")
    assert [o.order_id for o in trade.open_sl_orders] == [str(stop.algo_id)]


def test_a_stop_the_price_has_passed_is_repriced(rig: Rig) -> None:
    """The price falls through the trigger for good: the next stop stands 0.05 % below the price."""
    bot = rig.bot()

    rig.venue.on_order = lambda: through_the_stop(rig, 0.977)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (stop,) = rig.live_stops("BTCUSDT")
    price = float(rig.venue.tape.last("BTCUSDT"))
    assert float(stop.request.trigger_price) == pytest.approx(price * 0.9995, rel=1e-4)
    for _ in range(2):
        bot.process()
    assert trade.stop_loss == float(stop.request.trigger_price)
    steps = trade.get_custom_data("qt_stop")["steps"]
    assert any("-2021" in step for step in steps)
    assert any("re-priced" in step for step in steps)


def test_a_position_that_cannot_be_covered_is_closed(rig: Rig) -> None:
    """No stop is accepted, at no price: closed at market, and Freqtrade catches up."""
    bot = rig.bot()

    def fall_and_refuse() -> None:
        through_the_stop(rig, 0.97)
        rig.venue.refuse_stops.extend([VenueError(-2021)] * 10)

    rig.venue.on_order = fall_and_refuse
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") == 0
    rig.venue.refuse_stops.clear()
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "emergency_exit"
    assert rig.live_stops("BTCUSDT") == []


def test_a_filled_entry_is_never_lost(rig: Rig) -> None:
    """Uncoverable, and the emergency close fails as well: the bot still knows its position."""
    bot = rig.bot()

    def fall_and_break() -> None:
        through_the_stop(rig, 0.97)
        rig.venue.on_order = lambda: _fail(VenueError(-1007, "Timeout waiting for response."))

    rig.venue.on_order = fall_and_break
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") > 0
    rig.venue.on_order = lambda: None
    for _ in range(2):
        bot.process()
    assert trade.has_open_sl_orders or not trade.is_open
    assert bool(rig.live_stops("BTCUSDT")) is trade.is_open


def _fail(refusal: VenueError) -> None:
    raise refusal
