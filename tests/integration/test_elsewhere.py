"""Dry runs where stops are placed on the fill: spot, and futures of another exchange."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.exceptions import StrategyError, TemporaryError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from qt_protections.rules.liquidation import isolated_distance
from tests.inside import runtime, runtime_of
from tests.integration.hands import unlock
from tests.integration.offline_bot import Quotes, offline_bot


@pytest.fixture
def spot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FreqtradeBot, Quotes]:
    """A bot on Binance spot, where fees are taken from what was bought."""
    bot, quotes = offline_bot(tmp_path, "binance", "spot", "GuardedSpot", monkeypatch)
    monkeypatch.setattr(bot.exchange, "add_dry_order_fee", fee_of_the_base)
    return bot, quotes


def fee_of_the_base(pair: str, order: dict[str, Any], _: str) -> dict[str, Any]:
    """Charge 0.1 % of a bought amount in the base currency, and nothing for a sale."""
    bought = order["side"] == "buy"
    cost = order["amount"] * 0.001 if bought else 0.0
    order["fee"] = {"currency": pair[:3] if bought else "USDT", "cost": cost, "rate": 0.001}
    return order


def entered(bot: FreqtradeBot) -> Trade:
    """Enter by remote control."""
    trade = RPC(bot)._rpc_force_entry(bot.active_pair_whitelist[0], None)
    assert trade is not None
    return trade


def stops(bot: FreqtradeBot) -> list[dict[str, Any]]:
    """Return the simulated stops that are live."""
    orders = bot.exchange._dry_run_open_orders.values()
    return [o for o in orders if o.get("ft_order_type") == "stoploss" and o["status"] == "open"]


def the_stop(bot: FreqtradeBot, trade: Trade) -> dict[str, Any]:
    """Return the one stop, which is the trade's own."""
    (stop,) = stops(bot)
    assert [row.order_id for row in trade.open_sl_orders] == [stop["id"]]
    return stop


def test_on_spot_the_stop_is_for_what_is_left_after_the_fee(spot: Any) -> None:
    """It goes out with the hand-over, not before the entry, and not a loop later."""
    bot, _ = spot
    trade = entered(bot)
    assert trade.amount < trade.orders[0].safe_filled
    stop = the_stop(bot, trade)
    assert stop["amount"] == pytest.approx(trade.amount, abs=1e-5)
    assert stop["amount"] <= trade.amount
    assert trade.stop_loss == stop["stopPrice"]
    bot.process()
    assert the_stop(bot, trade) == stop
    assert trade.get_custom_data("qt_stop")["placement"] == "on_fill"


def test_on_spot_an_exit_cancels_the_stop_first(spot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The asset is free then, and the sale passes the door as it is."""
    bot, _ = spot
    trade = entered(bot)
    held_back: list[int] = []
    send = bot.exchange.create_order

    def sale(**order: Any) -> Any:
        held_back.append(len(stops(bot)))
        return send(**order)

    monkeypatch.setattr(bot.exchange, "create_order", sale)
    RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()
    assert held_back == [0]
    assert not trade.is_open
    assert stops(bot) == []


def test_on_spot_a_stop_follows_a_partial_exit(spot: Any) -> None:
    """For the rest, at once."""
    bot, _ = spot
    trade = entered(bot)
    before = the_stop(bot, trade)["amount"]
    RPC(bot)._rpc_force_exit(str(trade.id), amount=trade.amount / 2)
    stop = the_stop(bot, trade)
    assert stop["amount"] == pytest.approx(before / 2, abs=1e-4)
    bot.process()
    assert the_stop(bot, trade) == stop


def test_on_spot_a_second_entry_is_covered_with_the_first(spot: Any) -> None:
    """By one stop for both, at the first one's price."""
    bot, _ = spot
    trade = entered(bot)
    trigger = the_stop(bot, trade)["stopPrice"]
    entered(bot)
    stop = the_stop(bot, trade)
    assert stop["amount"] == pytest.approx(trade.amount, abs=1e-5)
    assert stop["stopPrice"] == trigger
    bot.process()
    assert the_stop(bot, trade) == stop


def test_on_spot_a_stop_that_is_hit_closes_the_trade(spot: Any) -> None:
    """And the next one begins afresh."""
    bot, quotes = spot
    trade = entered(bot)
    quotes.price = 90.0
    bot.process()
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    bot.process()
    unlock(trade.pair)
    again = entered(bot)
    assert the_stop(bot, again)["stopPrice"] == pytest.approx(90.01 * 0.95, abs=0.02)


def test_on_spot_a_simulated_trailing_stop_sells(spot: Any) -> None:
    """The placed stop stays where it is until the sale takes its place."""
    bot, quotes = spot
    trade = entered(bot)
    first = the_stop(bot, trade)
    quotes.price = 110.0
    bot.process()
    assert the_stop(bot, trade) == first
    quotes.price = 108.0
    bot.process()
    assert (trade.is_open, trade.exit_reason) == (False, "trailing_stop_loss")
    assert stops(bot) == []


def test_on_spot_nothing_is_sold_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Freqtrade itself starts no strategy there that could."""
    with pytest.raises(Exception, match="Short strategies cannot run in spot"):
        offline_bot(tmp_path, "binance", "spot", "GuardedQuiet", monkeypatch)


def test_other_futures_get_their_stop_on_the_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Through the door, and moved, grown and ended like any other."""
    caplog.set_level("INFO")
    bot, quotes = offline_bot(tmp_path, "bybit", "futures", "GuardedSpot", monkeypatch)
    assert "[OK] Stops on bybit futures, dry run: stop on_fill" in caplog.text
    trade = entered(bot)
    first = the_stop(bot, trade)
    assert first["stopPrice"] == trade.stop_loss
    assert trade.get_custom_data("qt_stop")["placement"] == "on_fill"
    entered(bot)
    bot.process()
    assert the_stop(bot, trade)["amount"] == pytest.approx(trade.amount)
    quotes.price = 90.0
    bot.process()
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")
    bot.process()
    assert stops(bot) == []
    assert [r for r in caplog.records if r.levelno >= 40] == []


def test_before_entry_is_not_to_be_had_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The wish is answered in the log, and the bot runs on_fill."""
    wish = {"qt": {"stop_placement": "before_entry"}}
    bot, _ = offline_bot(tmp_path, "bybit", "futures", "GuardedSpot", monkeypatch, **wish)
    assert "not to be had here: on_fill it is" in caplog.text
    the_stop(bot, entered(bot))


def test_an_exchange_without_stops_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, which says what to do."""
    with pytest.raises(StrategyError, match="bitvavo spot, dry run: Freqtrade can place no stop"):
        offline_bot(tmp_path, "bitvavo", "spot", "GuardedSpot", monkeypatch)


@pytest.mark.parametrize(
    ("name", "mode", "enters"),
    [
        ("binance", "spot", True),
        ("binance", "futures", False),
        ("bybit", "futures", False),
        ("hyperliquid", "futures", True),
    ],
)
def test_where_freqtrade_has_no_leverage_tiers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: str, enters: bool
) -> None:
    """Spot is never liquidated, Hyperliquid by the contract's highest leverage; else no entry."""
    bot, _ = offline_bot(tmp_path, name, mode, "GuardedSpot", monkeypatch)
    bot.exchange._leverage_tiers.clear()
    if enters:
        assert entered(bot).amount > 0
        return
    with pytest.raises(EntryRefused, match="no leverage tiers of BTC/USDT:USDT"):
        entered(bot)


def test_hyperliquid_liquidates_at_half_the_margin_of_the_highest_leverage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Freqtrade's own formula has it, which was compared with real positions."""
    bot, _ = offline_bot(tmp_path, "hyperliquid", "futures", "GuardedSpot", monkeypatch)
    strategy: Any = bot.strategy
    pair, stake, leverage = "BTC/USDT:USDT", 100.0, 20.0
    liquidated = bot.exchange.dry_run_liquidation_price(
        pair, 100.0, False, stake * leverage / 100, stake, leverage, stake, []
    )
    assert liquidated is not None
    brackets = runtime_of(strategy).account.brackets(pair)
    distance = isolated_distance(leverage, stake * leverage, brackets, is_short=False)
    assert 100.0 * (1 - distance) == pytest.approx(liquidated)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FreqtradeBot, Quotes]:
    """A bot on futures of an exchange whose spreads nobody reads once a loop."""
    return offline_bot(tmp_path, "bybit", "futures", "GuardedSpot", monkeypatch)


def test_a_stop_within_the_spread_is_refused_everywhere(elsewhere: Any) -> None:
    """The order book of the pair is asked for, where the exchange does not tell all at once."""
    bot, _ = elsewhere
    bot.exchange.fetch_l2_order_book = book_of(99.0, 104.0)
    with pytest.raises(EntryRefused, match="no farther than the spread"):
        entered(bot)
    bot.exchange.fetch_l2_order_book = book_of(99.9, 100.1)
    assert entered(bot).amount > 0


@pytest.mark.parametrize(
    "book", [{"bids": [], "asks": [[100.0, 1.0]]}, TemporaryError("503")], ids=str
)
def test_a_spread_nobody_tells_refuses_the_entry(elsewhere: Any, book: Any) -> None:
    """As on Binance."""
    bot, _ = elsewhere
    runtime(bot).account._exchange.fetch_l2_order_book = Mock(side_effect=[book] * 9)
    bot.exchange.get_rate = lambda *_, **__: 100.0
    with pytest.raises(EntryRefused, match="spread_unknown"):
        entered(bot)


def book_of(bid: float, ask: float) -> Any:
    """Return what gives an order book with these best prices."""
    return lambda *_, **__: {"bids": [[bid, 1e6]], "asks": [[ask, 1e6]]}


def test_a_fee_nobody_knows_refuses_the_entry(elsewhere: Any) -> None:
    """Freqtrade takes it for 0; once it is known, entries go on, and a fee of 0 is one."""
    bot, _ = elsewhere
    exchange, pair = bot.exchange, "BTC/USDT:USDT"
    account = runtime(bot).account
    account._contracts.clear()
    del exchange._config["fee"]
    exchange._markets[pair]["taker"] = None
    exchange._api.fees = {}
    with pytest.raises(EntryRefused, match=f"taker fee of {pair} is not known"):
        entered(bot)
    exchange._markets[pair]["taker"] = 0.0
    assert account.costs(pair).fee_ratio == 0.0
    assert entered(bot).amount > 0
