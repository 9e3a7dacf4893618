"""What a live bot knows of its stops after a reload, a restart, or its end."""

from datetime import UTC, datetime
from typing import Any

import pytest
from freqtrade.persistence import Trade

from qt_protections.configuration import all_off
from qt_protections.errors import EntryRefused
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.regime import Regime
from tests.integration.rig import BTC, Rig, force_entry, naked_max


def test_a_reloaded_bot_knows_the_stops_of_waiting_entries(rig: Rig) -> None:
    """`/reload_config` while a limit entry waits: the new bot gives its stop up with the entry."""
    config = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}"}
    first = rig.bot("GuardedNeverFills", **config)
    live = {stop.algo_id for stop in rig.venue.conditional.live()}
    assert live
    first.cleanup()
    assert {stop.algo_id for stop in rig.venue.conditional.live()} == live
    second = rig.bot("GuardedNeverFills", max_open_trades=1, **config)
    second.config["max_open_trades"] = 0
    for _ in range(4):
        second.process()
    assert rig.venue.desk.open_orders() == []
    assert rig.venue.conditional.live() == []


def test_an_adopted_stop_survives_the_next_restarts(rig: Rig) -> None:
    """The entry fills while the bot is down: the stop is the trade's, and nobody's to withdraw."""
    config = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}", "max_open_trades": 1}
    first = rig.bot("GuardedNeverFills", **config)
    (symbol,) = {order.request.symbol for order in rig.venue.desk.open_orders()}
    first.cleanup()
    rig.move(symbol, 0.984 if rig.live_stops(symbol)[0].request.side == "SELL" else 1.016)
    assert rig.position(symbol) != 0
    for _ in range(2):
        bot = rig.bot("GuardedNeverFills", **config)
        for _ in range(3):
            bot.process()
        bot.cleanup()
    assert len(rig.live_stops(symbol)) == 1
    assert rig.events("stop_canceled") == []
    assert naked_max(rig) == 0


def test_a_bot_that_ends_leaves_no_stop_without_a_purpose(rig: Rig) -> None:
    """With `cancel_open_orders_on_exit` the entries go, and their stops with them."""
    bot = rig.bot("GuardedNeverFills", cancel_open_orders_on_exit=True)
    assert rig.venue.conditional.live()
    bot.cleanup()
    assert rig.venue.desk.open_orders() == []
    assert rig.venue.conditional.live() == []


def test_a_stake_that_is_no_number_is_refused(rig: Rig) -> None:
    """Freqtrade would take its default stake for an error."""
    bot = rig.bot("GuardedStakesNothing")
    with pytest.raises(EntryRefused, match="the sizing failed"):
        force_entry(bot, BTC)
    assert rig.events("order_accepted") == []


def test_a_strategy_may_set_its_protections_itself(rig: Rig) -> None:
    """In __init__, as Freqtrade allows; the guard's are added."""
    bot = rig.bot("GuardedSetsItself")
    assert bot.protections.name_list == ["CooldownPeriod", "QtGlobalRegime", "QtSymbolStacking"]


@pytest.mark.parametrize(("qt", "kept"), [({}, 600), (all_off(), 30)], ids=["rules on", "off"])
def test_the_regime_has_its_candles_and_the_strategy_its_warm_up(
    rig: Rig, qt: dict[str, Any], kept: int
) -> None:
    """However few the strategy asks for; with every rule off the guard asks for none."""
    bot = rig.bot("GuardedSetsItself", max_open_trades=1, qt=qt)
    bot.process()
    assert bot.strategy.startup_candle_count == bot.config["startup_candle_count"] == 30
    assert bot.exchange._startup_candle_count == kept
    trend = bot.strategy._qt.market.global_trend(datetime.now(UTC))
    assert (trend.regime is Regime.UPTREND) is (kept == 600)


def test_a_stop_the_exchange_cannot_find_holds_nothing_up(rig: Rig) -> None:
    """The look after the fill asks once; the loop looks again anyway."""
    bot = rig.bot()
    asked: list[object] = []
    find = rig.venue.conditional.find
    rig.venue.conditional.find = lambda *a: asked.append(a)  # type: ignore[method-assign,func-returns-value]
    trade = force_entry(bot, BTC)
    rig.venue.conditional.find = find  # type: ignore[method-assign]
    assert trade is not None
    assert trade.has_open_sl_orders
    assert len(asked) == 1


def test_a_replaced_entry_that_was_not_put_on_record_joins_its_trade(rig: Rig) -> None:
    """Killed between an entry's replacement and its record: the trade has the first order only."""
    config = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}", "max_open_trades": 1}
    first = rig.bot("GuardedNeverFills", **config)
    (trade,) = Trade.get_open_trades()
    (order,) = trade.orders
    first.cleanup()
    order.order_id = "1"
    order.ft_is_open, order.status = False, "canceled"
    Trade.commit()
    symbol = symbol_of(trade.pair)
    rig.move(symbol, 1.016 if trade.is_short else 0.984)
    held = abs(rig.position(symbol))
    assert held > 0
    second = rig.bot("GuardedNeverFills", **config)
    for _ in range(2):
        second.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(held)
    assert [row.order_id for row in trade.open_sl_orders] == [
        str(stop.algo_id) for stop in rig.live_stops(symbol)
    ]
    assert naked_max(rig) == 0
