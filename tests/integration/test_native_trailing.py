"""The exchange's own trailing stop, beside the stop and never instead of it."""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoType
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import Event, EventKind
from tests.integration.hands import unlock
from tests.integration.rig import (
    BTC,
    ETH,
    Rig,
    enter_by_limit,
    force_entry,
    naked_max,
    record,
    until,
)

TRAILED = "trailing_stop_on_exchange"


def trails(rig: Rig) -> list[AlgoOrder]:
    """Return BTC's live trailing stops."""
    return [o for o in rig.live_stops("BTCUSDT") if o.request.type is AlgoType.TRAILING_STOP_MARKET]


def stops(rig: Rig) -> list[AlgoOrder]:
    """Return BTC's live stops that do not trail."""
    return [o for o in rig.live_stops("BTCUSDT") if o.request.type is AlgoType.STOP_MARKET]


def entered(rig: Rig, side: str = "long", **qt: Any) -> tuple[FreqtradeBot, Trade]:
    """Return a bot that trails, with one trade on BTC."""
    qt = {"trail_callback": 1.5, "uptrend_short_exception_conf": 0.0, **qt}
    bot = rig.bot(qt=qt, db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    trade = force_entry(bot, BTC, side)
    assert trade is not None
    return bot, trade


def trail_out(rig: Rig, gain: float = 1.03) -> None:
    """Let the price gain more than 1 R, and lose a little more than the callback rate again."""
    rig.move("BTCUSDT", gain)
    rig.move("BTCUSDT", 1 + (1 - gain) * 0.55)
    until(lambda: rig.report() and not trails(rig))


def earned(rig: Rig) -> float:
    """Return what the exchange paid for fills, less its fees."""
    summary = rig.report()["summary"]
    return float(summary["realized_pnl"] - summary["fees"])


def let_a_second_entry_wait(bot: FreqtradeBot) -> None:
    """Send one to the book, 0.15 % below the market."""
    enter_by_limit(bot, 0.9985)
    force_entry(bot, BTC)


def assert_closed_by_its_trail(rig: Rig, bot: FreqtradeBot, trade: Trade) -> None:
    """The stop goes before the bot's next loop; the trade has the exchange's profit and reason."""
    until(lambda: rig.venue.conditional.live() == [])
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.exit_reason == TRAILED
    assert rig.position("BTCUSDT") == 0
    assert rig.venue.conditional.live() == []
    assert trade.close_profit_abs == pytest.approx(earned(rig), abs=1e-6)
    assert naked_max(rig) == 0


@pytest.mark.parametrize("side", ["long", "short"])
def test_it_stands_beside_the_stop(rig: Rig, side: str) -> None:
    """After the fill: for the whole position, reduce-only, from a gain of 1 R on."""
    bot, trade = entered(rig, side)
    (trail,), (stop,) = trails(rig), stops(rig)
    asked = trail.request
    assert asked.callback_ratio == Decimal("0.015")
    assert asked.reduce_only
    assert float(asked.quantity or 0) == pytest.approx(abs(rig.position("BTCUSDT")))
    assert asked.side == stop.request.side == ("SELL" if side == "long" else "BUY")
    one_r = trade.open_rate - trade.initial_stop_loss
    assert float(asked.activate_price or 0) == pytest.approx(trade.open_rate + one_r, abs=0.11)
    for _ in range(3):
        bot.process()
    assert (trails(rig), stops(rig)) == ([trail], [stop])
    assert [o.order_id for o in trade.open_sl_orders] == [str(stop.algo_id)]
    assert record(bot, trade)["trailing"] == [str(trail.algo_id)]


@pytest.mark.parametrize(("side", "gain"), [("long", 1.03), ("short", 0.97)])
def test_its_fill_closes_the_trade(rig: Rig, side: str, gain: float) -> None:
    """With a reason of its own and the exchange's profit; the stop goes."""
    bot, trade = entered(rig, side)
    trail_out(rig, gain)
    assert_closed_by_its_trail(rig, bot, trade)
    assert (trade.close_profit_abs or 0) > 0
    unlock(BTC)
    assert force_entry(bot, BTC, side) is not None


def test_its_profit_has_the_funding_in_it(rig: Rig) -> None:
    """Unlike the profit of a trade its stop closes: Freqtrade books the fill as of any exit."""
    bot, trade = entered(rig)
    rig.fund()
    bot.update_funding_fees()
    trail_out(rig)
    for _ in range(2):
        bot.process()
    funding = sum(x.amount for x in rig.venue.ledger.incomes if x.kind == "FUNDING_FEE")
    assert trade.close_profit_abs == pytest.approx(earned(rig) + float(funding), abs=1e-6)
    assert trade.funding_fees != 0


def test_an_exit_takes_it_along(rig: Rig) -> None:
    """At once: left alive it could hit the next position."""
    bot, trade = entered(rig)
    RPC(bot)._rpc_force_exit(str(trade.id))
    assert not trade.is_open
    assert rig.venue.conditional.live() == []


def test_the_stop_still_works(rig: Rig) -> None:
    """Hit first, it closes the trade, and the trailing stop goes."""
    bot, trade = entered(rig)
    rig.move("BTCUSDT", 0.97)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "stoploss_on_exchange"
    assert rig.venue.conditional.live() == []


@pytest.mark.parametrize("activation", [0.0, 1.0], ids=["from-the-fill", "passed"])
def test_without_an_activation_price(rig: Rig, activation: float) -> None:
    """None is asked for, or the price has passed it between fill and order: it trails from now."""

    def rally(event: Event) -> None:
        if activation and event.kind is EventKind.ORDER_FILLED and not trails(rig):
            rig.feed.move("BTCUSDT", 1.03)

    rig.venue.journal.subscribe(rally)
    entered(rig, trail_activation=activation)
    (trail,) = trails(rig)
    assert trail.request.activate_price is None
    assert len(stops(rig)) == 1


def test_a_second_entry_gets_one_of_its_own(rig: Rig) -> None:
    """Together they trail the whole position; when both have filled the trade is closed."""
    bot, trade = entered(rig)
    (first,) = trails(rig)
    force_entry(bot, BTC)
    for _ in range(2):
        bot.process()
    assert first in trails(rig)
    assert len(trails(rig)) == 2
    trailed = sum(float(trail.request.quantity or 0) for trail in trails(rig))
    assert trailed == pytest.approx(rig.position("BTCUSDT"))
    assert len(stops(rig)) == 1
    trail_out(rig)
    assert_closed_by_its_trail(rig, bot, trade)


def test_a_waiting_entry_goes_with_the_trade(rig: Rig) -> None:
    """Freqtrade would leave it in the book, to fill for a trade that is closed."""
    bot, trade = entered(rig)
    let_a_second_entry_wait(bot)
    assert len(rig.venue.desk.open_orders("BTCUSDT")) == 1
    trail_out(rig)
    until(lambda: rig.venue.desk.open_orders() == [])
    assert_closed_by_its_trail(rig, bot, trade)
    assert not trade.has_open_orders
    rig.move("BTCUSDT", 0.95)
    bot.process()
    assert rig.position("BTCUSDT") == 0


def test_a_part_of_it_fills(rig: Rig) -> None:
    """The book is thin: what is left stays behind its stop, and is trailed anew."""
    bot, trade = entered(rig)
    rig.venue.desk.liquidity.depth_ratio = 1e-8  # one step at each level, of which ten are left
    rig.venue.desk.liquidity.fills = _only_some(rig.venue.desk.liquidity.fills)  # type: ignore[method-assign]
    trail_out(rig)
    left = rig.position("BTCUSDT")
    assert 0 < left < trade.amount
    for _ in range(3):
        bot.process()
    assert trade.is_open
    assert trade.amount == pytest.approx(left)
    assert float(stops(rig)[0].request.quantity or 0) >= left
    (again,) = trails(rig)
    assert float(again.request.quantity or 0) == pytest.approx(left)
    assert naked_max(rig) == 0
    # Within 5 % (PERCENT_PRICE) of the mark price, however far that has followed the last one.
    rig.move("BTCUSDT", 0.96)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert rig.venue.conditional.live() == []
    assert trade.realized_profit == pytest.approx(earned(rig), abs=1e-6)


def _only_some(fills_now: Callable[..., Any]) -> Callable[..., Any]:
    found = iter([10])
    return lambda *asked: fills_now(*asked)[: next(found, None)]


def test_a_rate_the_exchange_does_not_take_disables_it(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning; the stop stays, and the pair is not asked again."""
    rig.venue.on_order = lambda: rig.venue.refuse_stops.append(VenueError(-2007))
    bot, _ = entered(rig)
    rig.venue.on_order = lambda: None
    assert trails(rig) == []
    assert "No trailing stop for BTCUSDT" in caplog.text
    force_entry(bot, BTC)
    for _ in range(2):
        bot.process()
    assert trails(rig) == []
    assert len(stops(rig)) == 1
    assert force_entry(bot, ETH) is not None
    assert len(rig.live_stops("ETHUSDT")) == 2


def test_a_restart_knows_it(rig: Rig) -> None:
    """It is neither doubled nor cancelled, and its fill while the bot was down closes the trade."""
    bot, _ = entered(rig)
    (trail,), (stop,) = trails(rig), stops(rig)
    again = {"qt": {"trail_callback": 1.5}, "db_url": bot.config["db_url"]}
    bot.cleanup()
    bot = rig.bot(**again)
    for _ in range(2):
        bot.process()
    assert (trails(rig), stops(rig)) == ([trail], [stop])
    bot.cleanup()
    trail_out(rig)
    bot = rig.bot(**again)
    (trade,) = Trade.get_trades([]).all()
    assert_closed_by_its_trail(rig, bot, trade)


def test_what_passes_is_tried_again_in_the_next_loop(rig: Rig) -> None:
    """The exchange may not show the position yet, for longer than the bot should wait."""
    rig.venue.on_order = lambda: rig.venue.refuse_stops.extend([VenueError(-2022)] * 3)
    bot, _ = entered(rig)
    assert (len(trails(rig)), len(stops(rig))) == (0, 1)
    bot.process()
    assert (len(trails(rig)), len(stops(rig))) == (1, 1)


def test_one_refusal_is_for_one_position(rig: Rig) -> None:
    """Whatever the reason was, the pair's next trade, of the same size, is trailed."""
    rig.venue.on_order = lambda: rig.venue.refuse_stops.append(VenueError(-4045))
    bot, trade = entered(rig)
    assert trails(rig) == []
    rig.venue.on_order = lambda: None
    bot.process()
    RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()
    unlock(BTC)
    size, again = trade.amount, force_entry(bot, BTC)
    assert again is not None
    assert (again.amount, len(trails(rig))) == (size, 1)


@pytest.mark.parametrize("rate", ["0.05", "1.55", "fast"])
def test_a_rate_that_is_none_disables_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rate: str
) -> None:
    """The bot starts all the same, with a warning, and every position has its stop."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setenv("QT_TRAIL_CALLBACK", rate)
    bot, _ = entered(rig)
    bot.process()
    assert "QT_TRAIL_CALLBACK" in caplog.text
    assert trails(rig) == []
    assert len(stops(rig)) == 1
