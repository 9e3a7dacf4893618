"""Limit entries of any price: each is judged by the price at which it can fill."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPCException

from tests.integration.rig import BTC, ZEN, Rig, enter_by_limit, force_entry, naked_max, until
from tests.integration.test_risk import settings
from tests.integration.test_stop_distance import loss_at_stop

#: The strategy's stop, of the margin, and of BTC's price at 30x.
STOPLOSS, DISTANCE = 0.15, 0.005
#: Far through the book: what a strategy asks for that wants to be sure of its entry.
THROUGH = {"long": 1.01, "short": 0.99}
#: What one entry may lose of the account, quote currency.
RISK = 0.0075 * 9_900
SIDES = [(BTC, "long"), (ZEN, "short")]


def tight_bot(rig: Rig, time_in_force: str = "GTC", **qt: Any) -> FreqtradeBot:
    """Return a bot whose stops stand 0.5 % from their entries."""
    bot = rig.bot("GuardedTight", max_open_trades=10, **settings(**qt))
    bot.strategy.order_time_in_force["entry"] = time_in_force
    return bot


def symbol(pair: str) -> str:
    """Return the exchange's name of a pair."""
    return pair.split(":", maxsplit=1)[0].replace("/", "")


def best_price(rig: Rig, pair: str, side: str) -> float:
    """Return the best price of the other side of the book."""
    (row,) = [
        row
        for row in rig.http.get("/fapi/v1/ticker/bookTicker").json()
        if row["symbol"] == symbol(pair)
    ]
    return float(row["bidPrice" if side == "short" else "askPrice"])


def trigger(rig: Rig, pair: str) -> float:
    """Return where the only live stop of a pair stands."""
    (stop,) = rig.live_stops(symbol(pair))
    return float(stop.request.trigger_price)


def assert_stopped_from(rig: Rig, trade: Trade, price: float) -> None:
    """The trade's stop stands at the strategy's distance from a price, but for a tick."""
    distance = STOPLOSS / trade.leverage * (1 if trade.is_short else -1)
    assert trigger(rig, trade.pair) == pytest.approx(price * (1 + distance), rel=2e-4)


@pytest.mark.parametrize("time_in_force", ["GTC", "IOC", "FOK"])
@pytest.mark.parametrize(("pair", "side"), SIDES)
def test_an_entry_through_the_book_is_stopped_from_where_it_fills(
    rig: Rig, pair: str, side: str, time_in_force: str
) -> None:
    """Plain Freqtrade opens all of them; by their own price the stop would trigger at once."""
    bot = tight_bot(rig, time_in_force)
    enter_by_limit(bot, THROUGH[side])
    trade = force_entry(bot, pair, side)
    assert trade is not None
    bot.process()
    market = float(rig.venue.tape.last(symbol(pair)))
    assert trade.open_rate == pytest.approx(market, rel=1e-3)
    assert abs(rig.position(symbol(pair))) == trade.amount > 0
    # The best price; a larger entry fills at worse ones as well, as an entry at market does.
    assert_stopped_from(rig, trade, best_price(rig, pair, side))
    assert trade.stop_loss == trigger(rig, pair)
    assert naked_max(rig) == 0


@pytest.mark.parametrize("time_in_force", ["GTC", "PO"])
@pytest.mark.parametrize(("pair", "side"), SIDES)
def test_an_entry_far_from_the_book_is_stopped_from_its_own_price(
    rig: Rig, pair: str, side: str, time_in_force: str
) -> None:
    """It fills there and nowhere else, with its stop live before."""
    bot = tight_bot(rig, time_in_force)
    better = 2 - THROUGH[side]
    enter_by_limit(bot, better)
    trade = force_entry(bot, pair, side)
    assert trade is not None
    assert trade.has_open_orders
    assert_stopped_from(rig, trade, trade.open_rate)
    rig.move(symbol(pair), 1 + (better - 1) * 1.1)
    for _ in range(2):
        bot.process()
    assert abs(rig.position(symbol(pair))) == trade.amount > 0
    assert trade.is_open
    assert_stopped_from(rig, trade, trade.open_rate)
    assert naked_max(rig) == 0


@pytest.mark.parametrize(("pair", "side"), SIDES)
def test_a_post_only_entry_that_would_take_is_the_exchanges_to_refuse(
    rig: Rig, pair: str, side: str
) -> None:
    """As with plain Freqtrade; the stop before it is withdrawn."""
    bot = tight_bot(rig, "PO")
    enter_by_limit(bot, THROUGH[side])
    with pytest.raises(DependencyException, match="-5022"):
        force_entry(bot, pair, side)
    assert len(rig.events("stop_accepted")) == 1
    assert rig.live_stops(symbol(pair)) == []
    assert Trade.get_open_trades() == []


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
def test_an_entry_that_fills_at_once_or_not_at_all_leaves_no_stop(
    rig: Rig, time_in_force: str
) -> None:
    """Below the ask it does not fill."""
    bot = tight_bot(rig, time_in_force)
    enter_by_limit(bot, 0.99)
    with pytest.raises((RPCException, DependencyException)):
        force_entry(bot, BTC)
    bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert rig.position("BTCUSDT") == 0
    assert Trade.get_open_trades() == []


@pytest.mark.parametrize("ratio", [0.98, 0.995, 1.01], ids=["away", "nearer", "through"])
@pytest.mark.parametrize("adjust", ["adjust_order_price", "adjust_entry_price"])
def test_the_stop_follows_a_price_that_the_strategy_adjusts(
    rig: Rig, adjust: str, ratio: float
) -> None:
    """To where the new order can fill, even if that is beyond the stop of the old one."""
    bot = tight_bot(rig)
    market = best_price(rig, BTC, "long")
    enter_by_limit(bot, 0.99)
    trade = force_entry(bot, BTC)
    assert trade is not None
    setattr(bot.strategy, adjust, lambda **_: market * ratio)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=True):
        until(lambda: bot.process() or len(rig.events("order_accepted")) == 2)
        expected = min(market * ratio, market)
        assert_stopped_from(rig, trade, expected)
        rig.move("BTCUSDT", min(ratio * 0.999, 1.0))
        for _ in range(2):
            bot.process()
        assert rig.position("BTCUSDT") == trade.amount > 0
        assert trade.is_open
        assert trade.stop_loss == trigger(rig, BTC)
        assert_stopped_from(rig, trade, expected)
        assert naked_max(rig) == 0


@pytest.mark.parametrize(("pair", "side"), SIDES)
def test_the_size_is_that_of_the_price_it_fills_at(rig: Rig, pair: str, side: str) -> None:
    """Neither the order's price nor the margin of it makes the entry smaller than one at market."""
    bot = tight_bot(rig)
    enter_by_limit(bot, THROUGH[side])
    trade = force_entry(bot, pair, side)
    assert trade is not None
    assert 0.8 * RISK <= loss_at_stop(trade) <= 1.3 * RISK


def test_a_strategy_gets_its_entries(rig: Rig) -> None:
    """All of them, as plain Freqtrade does: 64 of 64 were refused."""
    bot = tight_bot(rig, max_open_risk=100.0)
    enter_by_limit(bot, 1.01)
    pairs = bot.active_pair_whitelist
    for pair in pairs:
        assert force_entry(bot, pair) is not None
    bot.process()
    assert {trade.pair for trade in Trade.get_open_trades()} == set(pairs)
    assert naked_max(rig) == 0


@pytest.mark.parametrize(("ratio", "fills_at"), [(1.005, 1.005), (1.015, 1.0)], ids=["near", "far"])
def test_a_dry_run_is_judged_by_how_freqtrade_imitates_fills(
    rig: Rig, ratio: float, fills_at: float
) -> None:
    """At the order's own price, and at the market's from 1 % through the book on."""
    bot = rig.bot("GuardedTight", max_open_trades=10, dry_run=True, **settings())
    enter_by_limit(bot, ratio)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert trade.open_rate == pytest.approx(best_price(rig, BTC, "long") * fills_at, rel=1e-3)
    assert trade.stop_loss == pytest.approx(trade.open_rate * (1 - DISTANCE), rel=1e-3)
