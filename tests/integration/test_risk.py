"""Risk that adds up, in a live bot: over positions, groups, strangers and repeated signals."""

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade

from qt_protections.entry.position_adjustment import STACKED_TAG
from qt_protections.errors import EntryFailed, EntryRefused
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.venue.binance.orders import BinanceVenue
from tests.inside import runtime, runtime_of, stop_service
from tests.integration.hands import by_hand, trade_by_hand
from tests.integration.rig import BTC, ETH, ZEN, Rig, force_entry, naked_max

SOL = "SOL/USDT:USDT"
#: One R is half a per cent of price.
STACKING: dict[str, Any] = {"stack_entries": True, "stop_source": "fixed", "stop_fixed": 0.5}


def settings(**qt: Any) -> dict[str, Any]:
    """Return settings without trailing."""
    return {"qt": {"trail_callback": None, **qt}}


def account(bot: FreqtradeBot) -> Any:
    """Return what knows the risks of a bot."""
    strategy: Any = bot.strategy
    return runtime_of(strategy).account


def refused(bot: FreqtradeBot, pair: str, side: str = "long") -> DenyCode:
    """Return why a forced entry is refused."""
    with pytest.raises(EntryRefused) as refusal:
        force_entry(bot, pair, side)
    return refusal.value.denial.code


def test_all_positions_together_have_a_limit(rig: Rig) -> None:
    """The second entry gets what is left, the third nothing."""
    bot = rig.bot(**settings(max_open_risk=1.0))
    first, second = force_entry(bot, BTC), force_entry(bot, ETH)
    assert first is not None
    assert second is not None
    equity, risk = account(bot).equity(), account(bot).open_risk()
    assert 0.0095 < risk / equity <= 0.0101
    assert second.stake_amount < first.stake_amount
    assert refused(bot, SOL) is DenyCode.OPEN_RISK_FULL
    assert rig.position("SOLUSDT") == 0


@pytest.mark.parametrize(("beta", "full"), [(0.0, True), (5.0, False)], ids=["in it", "out of it"])
def test_positions_that_move_together_have_a_limit(rig: Rig, beta: float, full: bool) -> None:
    """A short loses when the others gain: it is in another group."""
    bot = rig.bot(**settings(max_group_risk=0.75, group_beta=beta))
    force_entry(bot, BTC)
    if full:
        assert refused(bot, ETH) is DenyCode.GROUP_RISK_FULL
    else:
        assert force_entry(bot, ETH) is not None
    assert force_entry(bot, ZEN, "short") is not None


def test_unrealised_profit_is_no_equity(rig: Rig) -> None:
    """Nor is a loss taken off twice: its stop counts it already."""
    bot = rig.bot(**settings())
    force_entry(bot, BTC)
    before = account(bot).equity()
    rig.move("BTCUSDT", 1.02)
    bot.wallets.update()
    assert account(bot).equity() == pytest.approx(before, rel=1e-6)
    fees = rig.report()["summary"]["fees"]
    assert before == pytest.approx((10_000 - fees) * 0.99, rel=1e-6)


@pytest.mark.parametrize("counted", [True, False])
def test_what_somebody_holds_by_hand_counts(rig: Rig, counted: bool) -> None:
    """It may lose more than all positions together; unless the operator says it does not count."""
    trade_by_hand(rig, "ETHUSDT", 6.0)
    bot = rig.bot(**settings(count_foreign_positions=counted))
    assert len(rig.live_stops("ETHUSDT")) == 1
    if counted:
        assert refused(bot, BTC) is DenyCode.OPEN_RISK_FULL
    else:
        assert force_entry(bot, BTC) is not None
    expected = DenyCode.OPEN_RISK_FULL if counted else DenyCode.ENTRY_UNSETTLED
    assert refused(bot, ETH) is expected
    trade_by_hand(rig, "ETHUSDT", -6.0)
    for _ in range(2):
        bot.process()
    assert [e for e in account(bot).exposures() if e.is_foreign] == []


@pytest.mark.parametrize("counted", [True, False])
def test_an_entry_whose_answer_was_lost_counts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    """It is the bot's own, whatever the operator says of those that are not."""
    monkeypatch.setattr(BinanceVenue, "arrives_within_s", inf)
    bot = rig.bot(**settings(count_foreign_positions=counted))
    rig.venue.refuse_orders.append(VenueError(-1007, "Timeout waiting for response."))
    with pytest.raises(EntryFailed):
        force_entry(bot, BTC)
    (lost,) = account(bot).exposures()
    assert (lost.pair, lost.is_foreign) == (BTC, False)
    assert account(bot).open_risk() == pytest.approx(account(bot).equity() * 0.0075, rel=0.02)


def test_an_entry_that_is_not_booked_yet_counts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was sent and answered, and Freqtrade failed before it had a trade."""
    bot = rig.bot(**settings())
    with monkeypatch.context() as patch:
        patch.setattr(bot.exchange, "get_fee", Mock(side_effect=DependencyException("no fee")))
        with pytest.raises(DependencyException, match="no fee"):
            force_entry(bot, BTC)
    assert rig.position("BTCUSDT") > 0
    assert [(e.pair, e.is_foreign) for e in account(bot).exposures()] == [(BTC, False)]
    assert refused(bot, BTC) is DenyCode.ENTRY_UNSETTLED
    bot.process()
    (trade,) = Trade.get_open_trades()
    assert trade.amount == rig.position("BTCUSDT")
    assert naked_max(rig) == 0


@pytest.mark.parametrize("stoploss", [-0.15, -0.99])
def test_an_entry_that_waits_counts_at_its_own_stop(rig: Rig, stoploss: float) -> None:
    """Freqtrade's record has the strategy's stop until the entry has filled."""
    bot = rig.bot(
        stoploss=stoploss,
        max_open_trades=7,
        **settings(stop_source="fixed", stop_fixed=3.0, max_open_risk=2.0),
    )
    bot.strategy.order_types["force_entry"] = "limit"
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.99  # type: ignore[method-assign]
    for pair in (BTC, ETH, SOL):
        assert force_entry(bot, pair) is not None
    counted = account(bot).open_risk()
    assert 0.019 < counted / account(bot).equity() <= 0.0201
    assert refused(bot, "XRP/USDT:USDT") is DenyCode.OPEN_RISK_FULL
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        rig.move(symbol, 0.988)
    for _ in range(2):
        bot.process()
    assert all(trade.amount for trade in Trade.get_open_trades())
    assert account(bot).open_risk() == pytest.approx(counted, rel=0.01)


def test_a_position_that_does_not_count_still_draws_on_the_balance(rig: Rig) -> None:
    """Under cross margin it may take along what the operator wants left out of the limits."""
    trade_by_hand(rig, "ETHUSDT", 1.0)
    bot = rig.bot(margin_mode="cross", **settings(count_foreign_positions=False))
    (foreign,) = account(bot).all_exposures()
    assert (foreign.pair, account(bot).exposures()) == (ETH, [])
    running = runtime(bot)
    wish = EntryRequest(BTC, False, float(rig.venue.tape.last("BTCUSDT")), 10.0)
    assert list(running.pre_trade.sizer.allowance(wish, datetime.now(UTC)).beside) == [foreign]


@pytest.mark.parametrize(("capital", "counted"), [(1_000, 1_000), (1_000_000, 10_000)], ids=str)
def test_capital_the_account_lacks_is_no_equity(rig: Rig, capital: float, counted: float) -> None:
    """Freqtrade sizes by what it is told; a stop loses what is there."""
    bot = rig.bot(available_capital=capital, **settings())
    assert account(bot).equity() == pytest.approx(counted)


def an_hour_ago(trade: Trade) -> None:
    """Let a trade's entries have filled before the newest candle."""
    trade.open_date -= timedelta(hours=1)
    for order in trade.orders:
        if order.order_filled_date is not None:
            order.order_filled_date -= timedelta(hours=1)
    Trade.commit()


def test_a_signal_that_repeats_adds_to_its_position(rig: Rig) -> None:
    """Once the price is far enough, up to the limit of the symbol, covered before it goes out."""
    bot = rig.bot("GuardedAlways", max_open_trades=1, **settings(**STACKING))
    (trade,) = Trade.get_open_trades()
    assert trade.pair == BTC
    an_hour_ago(trade)
    bot.process()
    assert trade.nr_of_successful_entries == 1, "the price has not moved"
    rig.move("BTCUSDT", 1.004)
    bot.process()
    assert trade.nr_of_successful_entries == 2
    assert [order.ft_order_tag for order in trade.select_filled_orders("buy")] == ["", STACKED_TAG]
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == trade.amount == rig.position("BTCUSDT")
    an_hour_ago(trade)
    rig.move("BTCUSDT", 1.004)
    bot.process()
    assert trade.nr_of_successful_entries == 2, "the symbol is full"
    assert naked_max(rig) == 0


def test_a_signal_does_not_repeat_within_its_candle(rig: Rig) -> None:
    """The one that opened the trade is no second one."""
    bot = rig.bot("GuardedAlways", max_open_trades=1, **settings(**STACKING))
    (trade,) = Trade.get_open_trades()
    trade.orders[0].order_filled_date += timedelta(hours=1)
    Trade.commit()
    rig.move("BTCUSDT", 1.004)
    bot.process()
    assert trade.nr_of_successful_entries == 1


def test_a_locked_pair_takes_no_repeated_signal(rig: Rig) -> None:
    """Freqtrade would not hear the signal for a new position either."""
    bot = rig.bot("GuardedAlways", max_open_trades=1, **settings(**STACKING))
    (trade,) = Trade.get_open_trades()
    an_hour_ago(trade)
    PairLocks.lock_pair(BTC, datetime.now(UTC) + timedelta(hours=1), "by hand")
    rig.move("BTCUSDT", 1.004)
    bot.process()
    assert trade.nr_of_successful_entries == 1
    PairLocks.unlock_pair(BTC)
    bot.process()
    assert trade.nr_of_successful_entries == 2


def test_a_locked_position_stays_the_strategys_to_adjust(rig: Rig) -> None:
    """A lock bars new positions, as in Freqtrade."""
    bot = rig.bot("GuardedAdjusting", **settings(max_open_risk=20.0))
    trade = force_entry(bot, BTC)
    assert trade is not None
    PairLocks.lock_pair("*", datetime.now(UTC) + timedelta(hours=1), "by hand")
    rig.move("BTCUSDT", 1.004)
    bot.process()
    assert trade.nr_of_successful_entries == 2
    assert refused(bot, ETH) is DenyCode.PAIR_LOCKED
    assert naked_max(rig) == 0


def test_averaging_down_stays_within_the_risk_of_one_trade(rig: Rig) -> None:
    """The strategy asks for more of a loss in each loop: the trade's risk is taken already."""
    bot = rig.bot("GuardedAdjusting", max_open_trades=1, **settings())
    trade = force_entry(bot, BTC)
    assert trade is not None
    rig.move("BTCUSDT", 0.99)
    bot.process()
    assert trade.nr_of_successful_entries == 1
    assert refused(bot, BTC) is DenyCode.AVERAGING_DOWN


def test_a_position_that_grows_keeps_its_liquidation_beyond_its_stop(rig: Rig) -> None:
    """The stop stays where it was, and the average comes closer to the price."""
    bot = rig.bot(**settings())
    force_entry(bot, BTC)
    rig.move("BTCUSDT", 1.012)
    assert refused(bot, BTC) is DenyCode.STOP_BEYOND_LIQUIDATION


@pytest.mark.parametrize(("pair", "side"), [(BTC, "long"), (ZEN, "short")])
def test_liquidation_lies_beyond_the_stop(rig: Rig, pair: str, side: str) -> None:
    """By the exchange's own liquidation price, with the buffer."""
    bot = rig.bot(**settings(liquidation_buffer=40.0))
    trade = force_entry(bot, pair, side)
    assert trade is not None
    symbol = pair.split(":", maxsplit=1)[0].replace("/", "")
    (row,) = [r for r in _position_risk(rig) if r["symbol"] == symbol]
    to_liquidation = abs(float(row["liquidationPrice"]) - trade.open_rate)
    assert to_liquidation >= 1.4 * abs(trade.stop_loss - trade.open_rate) * 0.999
    assert 1 <= trade.leverage <= 30


def _position_risk(rig: Rig) -> list[dict[str, Any]]:
    answer: Any = by_hand(rig, "GET", "../v3/positionRisk")
    return list(answer)


def test_cross_margin_keeps_the_strategys_leverage(rig: Rig) -> None:
    """The balance carries the position past its stop; the same one would be refused isolated."""
    bot = rig.bot(margin_mode="cross", **settings(max_open_risk=5.0))
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert trade.leverage == 30
    rig.move("BTCUSDT", 1.012)
    assert force_entry(bot, BTC) is trade
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == trade.amount == rig.position("BTCUSDT")
    assert naked_max(rig) == 0


def test_unknown_brackets_refuse_the_entry_until_they_arrive(rig: Rig) -> None:
    """Freqtrade loads them with the markets; until then nobody knows where liquidation is."""
    bot = rig.bot(**settings(max_stop=4.0))  # at leverage 1, Freqtrade's without brackets
    tiers = bot.exchange._leverage_tiers
    missing = tiers.pop(BTC)
    assert refused(bot, BTC) is DenyCode.BRACKETS_UNKNOWN
    assert rig.position("BTCUSDT") == 0
    assert rig.live_stops("BTCUSDT") == []
    assert force_entry(bot, ETH) is not None, "another pair's concern it is not"
    tiers[BTC] = missing
    assert force_entry(bot, BTC) is not None


def test_a_tier_without_a_rate_is_no_knowledge(rig: Rig) -> None:
    """An exchange may list tiers and keep their maintenance to itself."""
    bot = rig.bot(**settings())
    tiers = bot.exchange._leverage_tiers
    tiers[BTC] = [tier | {"maintenanceMarginRate": None} for tier in tiers[BTC]]  # type: ignore[typeddict-item, misc]
    assert refused(bot, BTC) is DenyCode.BRACKETS_UNKNOWN


def test_in_cross_no_entry_beside_a_position_of_unknown_brackets(rig: Rig) -> None:
    """It takes of the same balance, nobody knows how much; the refusal names its pair."""
    bot = rig.bot(margin_mode="cross", **settings())
    assert force_entry(bot, ETH) is not None
    del bot.exchange._leverage_tiers[ETH]
    with pytest.raises(EntryRefused) as refusal:
        force_entry(bot, BTC)
    assert refusal.value.denial.code is DenyCode.BRACKETS_UNKNOWN
    assert ETH in refusal.value.denial.text
    assert rig.position("BTCUSDT") == 0


@pytest.mark.parametrize(("skew_s", "said"), [(5.5, "5.5 s ahead of"), (-30.0, "30.0 s behind")])
def test_no_entry_while_the_clocks_differ(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, skew_s: float, said: str
) -> None:
    """The exchange may refuse its stop for that; with the clock set, entries go on."""
    bot = rig.bot(**settings())
    with monkeypatch.context() as patch:
        patch.setattr(BinanceVenue, "clock_skew_s", skew_s)
        with pytest.raises(EntryRefused, match=said) as refusal:
            force_entry(bot, BTC)
    assert refusal.value.denial.code is DenyCode.CLOCK_SKEW
    assert rig.position("BTCUSDT") == 0
    assert force_entry(bot, BTC) is not None


def test_no_entry_whose_stops_find_no_room(rig: Rig) -> None:
    """200 conditional orders an account may have; ten stay free for what cannot be foreseen."""
    bot = rig.bot(**settings())
    book = stop_service(bot)._book
    book.conditional_orders = 190
    assert refused(bot, BTC) is DenyCode.TOO_MANY_STOPS
    assert rig.position("BTCUSDT") == 0
    book.conditional_orders = 189
    assert force_entry(bot, BTC) is not None


def test_a_position_is_counted_whole_against_the_largest_order(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a second entry in it, and as many stops as that takes."""
    bot = rig.bot(**settings(max_open_risk=5.0))
    trade = force_entry(bot, BTC)
    assert trade is not None
    monkeypatch.setattr(runtime(bot).stops, "largest", lambda _: trade.amount)  # type: ignore[attr-defined]
    rig.move("BTCUSDT", 1.004)
    book = stop_service(bot)._book
    book.conditional_orders = 189
    assert refused(bot, BTC) is DenyCode.TOO_MANY_STOPS
    book.conditional_orders = 188
    assert force_entry(bot, BTC) is trade
    assert trade.nr_of_successful_entries == 2
