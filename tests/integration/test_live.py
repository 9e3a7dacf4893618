"""The guard in a live bot, loop by loop, on the rehearsal exchange."""

from collections.abc import Callable
from typing import Any

import pytest
from freqtrade.exceptions import DependencyException, StrategyError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import ProtectionResolver
from freqtrade.rpc.rpc import RPC, RPCException

from qt_protections.errors import EntryRefused, GuardNotInstalled
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rules.verdict import DenyCode
from tests.integration.rig import Rig, force_entry

BTC, ETH, ZEN = "BTC/USDT:USDT", "ETH/USDT:USDT", "ZEN/USDT:USDT"


def naked_max(rig: Rig) -> float:
    """The longest time any position stood without cover, by the exchange's own log."""
    return float(rig.report()["summary"]["naked_s"]["max"])


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


def test_an_exit_is_never_obstructed(rig: Rig) -> None:
    """With every gate broken a forced exit still closes, and takes its stop along."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    break_gate(bot, "signal")
    break_gate(bot, "plan")
    RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()
    assert rig.position("BTCUSDT") == 0
    assert rig.live_stops("BTCUSDT") == []


def test_a_refused_stop_means_no_entry(rig: Rig) -> None:
    """The exchange takes no stop: it never sees the entry."""
    bot = rig.bot()
    rig.venue.refuse_stops.append(VenueError(-2021))
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.STOP_REFUSED
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


def test_an_entry_that_may_have_happened_keeps_its_stop(rig: Rig) -> None:
    """It did not: with neither position nor order left, the sweep withdraws the stop."""
    bot = rig.bot()
    rig.venue.refuse_orders.append(LOST)
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    assert len(rig.live_stops("BTCUSDT")) == 1
    for _ in range(2):
        bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert force_entry(bot, BTC) is not None


def test_a_resting_entry_whose_answer_is_lost_keeps_its_stop(rig: Rig) -> None:
    """Flat proves nothing while the order rests; when it fills, the stop is there."""
    bot = rig.bot(max_open_trades=1)
    bot.strategy.order_types["entry"] = "limit"
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.99  # type: ignore[method-assign]
    rig.venue.lose_answers = 1
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    for _ in range(3):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == len(rig.venue.desk.open_orders()) == 1
    rig.move("BTCUSDT", 0.985)
    assert rig.position("BTCUSDT") > 0
    for _ in range(3):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert naked_max(rig) == 0


def test_an_entry_whose_answer_is_lost_stays_covered(rig: Rig) -> None:
    """It happened, and the bot was not told: the stop stays, and no second entry goes on top."""
    bot = rig.bot()
    rig.venue.lose_answers = 1
    with pytest.raises(DependencyException):
        force_entry(bot, BTC)
    assert rig.position("BTCUSDT") > 0
    for _ in range(4):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.ENTRY_UNSETTLED
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
    assert rig.live_stops("BTCUSDT") == []
    for _ in range(3):
        bot.process()
    assert len(rig.events("stop_accepted", "stop_canceled")) == 1


def test_a_stop_consumed_before_the_fill_is_replaced(rig: Rig) -> None:
    """The price dips through the trigger and back while the entry is under way."""
    bot = rig.bot()

    rig.venue.on_order = lambda: through_the_stop(rig, 0.97, 1 / 0.97)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert len(rig.events("stop_accepted")) == 2
    (stop,) = rig.live_stops("BTCUSDT")
    assert [o.order_id for o in trade.open_sl_orders] == [str(stop.algo_id)]


def test_a_position_that_cannot_be_covered_is_closed(rig: Rig) -> None:
    """The price falls through the trigger for good: closed at market, and Freqtrade catches up."""
    bot = rig.bot()

    rig.venue.on_order = lambda: through_the_stop(rig, 0.97)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") == 0
    for _ in range(2):
        bot.process()
    assert not trade.is_open
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
    with pytest.raises(RPCException, match="Failed to enter"):
        force_entry(bot, BTC)


def test_a_strategy_may_set_its_protections_itself(rig: Rig) -> None:
    """In __init__, as Freqtrade allows; the guard's are added."""
    bot = rig.bot("GuardedSetsItself")
    assert bot.protections.name_list == ["CooldownPeriod", "QtGlobalRegime", "QtSymbolStacking"]


def test_too_short_a_warm_up_stops_the_start(rig: Rig) -> None:
    """An average that can never settle would refuse every short for ever, in silence."""
    with pytest.raises(StrategyError, match="startup_candle_count is 30"):
        rig.bot("GuardedSetsItself", max_open_trades=1)


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


def test_shorts_are_refused_in_an_uptrend_but_for_the_exception(rig: Rig) -> None:
    """`/forceshort` meets the same gate; ZEN is below its own EMA200 with confidence 90 %."""
    bot = rig.bot()
    with pytest.raises(RPCException, match="Failed to enter"):
        force_entry(bot, BTC, "short")
    assert rig.events("stop_accepted", "order_accepted") == []
    assert force_entry(bot, ZEN, "short") is not None


def test_the_short_side_is_locked_for_all_to_see(rig: Rig) -> None:
    """One lock on all pairs' shorts, with a reason; only the exception is let past it."""
    bot = rig.bot()
    bot.process()
    (lock,) = PairLocks.get_pair_locks("*", side="short")
    assert lock.side == "short"
    assert "BTC/USDT:USDT 4h is in UPTREND" in str(lock.reason)
    assert bot.strategy.is_pair_locked(BTC, side="short")
    assert not bot.strategy.is_pair_locked(BTC, side="long")
    assert not bot.strategy.is_pair_locked(ZEN, side="short")
    PairLocks.lock_pair(ZEN, lock.lock_end_time_utc, "by hand", side="short")
    assert bot.strategy.is_pair_locked(ZEN, side="short"), "only the guard's own lock may be passed"


def test_a_full_symbol_is_locked(rig: Rig) -> None:
    """The stacking protection shows what it refuses in /locks."""
    bot = rig.bot(qt={"max_positions_per_symbol": 1})
    force_entry(bot, BTC)
    bot.process()
    reasons = [str(lock.reason) for lock in PairLocks.get_pair_locks(BTC)]
    assert any(r.startswith("QtSymbolStacking: BTC holds 1 positions") for r in reasons)


def test_protections_of_the_strategy_and_the_guard_stand_together(rig: Rig) -> None:
    """The start-up message describes all of them."""
    bot = rig.bot()
    assert bot.protections.name_list == ["CooldownPeriod", "QtGlobalRegime", "QtSymbolStacking"]
    described = " ".join(text for entry in bot.protections.short_desc() for text in entry.values())
    assert "No shorts while BTC/USDT:USDT 4h is in an UPTREND" in described
    assert "At most 2 positions per symbol" in described


def test_a_worker_finds_the_protections(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of hyperopt's has loaded no guard; reading the list tells the loader the way."""
    bot = rig.bot()
    monkeypatch.setattr(ProtectionResolver, "extra_path", None)
    manager = ProtectionManager(bot.config, bot.strategy.protections)
    assert "QtGlobalRegime" in manager.name_list


@pytest.mark.parametrize("rig", ["calm"], indirect=True)
def test_no_lock_without_an_uptrend(rig: Rig) -> None:
    """Sideways, shorts are free."""
    bot = rig.bot()
    assert PairLocks.get_pair_locks("*", side="short") == []
    assert force_entry(bot, BTC, "short") is not None


def test_the_strategy_is_still_heard(rig: Rig) -> None:
    """Its refusal counts, and its smaller stake wins over the risk's."""
    bot = rig.bot("GuardedConfirming")
    with pytest.raises(RPCException, match="Failed to enter"):
        force_entry(bot, "SOL/USDT:USDT")
    trade = force_entry(bot, ETH)
    assert trade is not None
    assert trade.stake_amount == pytest.approx(20, rel=0.05)


def test_the_stake_loses_the_risk_at_the_stop(rig: Rig) -> None:
    """Size, leverage and stop agree: notional times distance and fees is 0.75 % of equity."""
    bot = rig.bot(max_open_trades=1)
    trade = force_entry(bot, BTC)
    assert trade is not None
    notional = trade.amount * trade.open_rate
    loss = trade.amount * (trade.open_rate - trade.stop_loss) + notional * 2 * 0.0005
    assert loss == pytest.approx(0.0075 * 9_900, rel=0.02)


def _broken(*_: object, **__: object) -> Any:
    raise RuntimeError("forced by a test")


def break_gate(bot: FreqtradeBot, gate: str) -> None:
    """Force an exception inside one gate of a running bot."""
    post: Any = bot.strategy._qt_post  # type: ignore[attr-defined]
    breaking: dict[str, Callable[[], None]] = {
        "signal": lambda: setattr(post.gates, "_signal", _broken),
        "rule": lambda: setattr(post.gates, "_limit", None),
        "sizing": lambda: setattr(post, "_sizing", None),
        "plan": lambda: setattr(post, "_stop_for", _broken),
    }
    breaking[gate]()


@pytest.mark.parametrize("gate", ["signal", "rule", "sizing", "plan"])
def test_an_error_inside_a_gate_refuses_the_entry(rig: Rig, gate: str) -> None:
    """Whatever cannot be judged is refused, by signal and by force."""
    bot = rig.bot("GuardedAlways", max_open_trades=0)
    break_gate(bot, gate)
    bot.config["max_open_trades"] = 5
    bot.process()
    with pytest.raises((DependencyException, RPCException)):
        force_entry(bot, BTC)
    assert rig.events("stop_accepted", "order_accepted") == []
    assert Trade.get_open_trades() == []


@pytest.mark.parametrize("gate", ["signal", "rule", "plan"])
def test_an_error_at_the_door_refuses_the_entry(rig: Rig, gate: str) -> None:
    """A second entry asks neither for confirmation nor for a stake: the door refuses it alone."""
    bot = rig.bot()
    force_entry(bot, BTC)
    held = rig.position("BTCUSDT")
    break_gate(bot, gate)
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.GATE_FAILED
    assert rig.position("BTCUSDT") == held
    assert len(rig.live_stops("BTCUSDT")) == 1


@pytest.mark.parametrize("pair", [BTC, ETH], ids=["confirm_trade_entry", "custom_stake_amount"])
def test_an_error_in_the_strategys_own_callback_refuses_the_entry(rig: Rig, pair: str) -> None:
    """Freqtrade would take either for a yes."""
    bot = rig.bot("GuardedRaising")
    with pytest.raises(RPCException, match="Failed to enter"):
        force_entry(bot, pair)
    assert force_entry(bot, "SOL/USDT:USDT") is not None


def test_a_position_adjustment_is_capped_and_counted(rig: Rig) -> None:
    """The strategy asks for 2,000 again and again: it gets the risk's share once, then nothing."""
    bot = rig.bot("GuardedAdjusting", max_open_trades=1)
    trade = force_entry(bot, BTC)
    assert trade is not None
    first = rig.position("BTCUSDT")
    for _ in range(3):
        bot.process()
    assert trade.nr_of_successful_entries == 2
    assert rig.position("BTCUSDT") == pytest.approx(2 * first, rel=0.05)
    assert float(rig.live_stops("BTCUSDT")[0].request.quantity) == rig.position("BTCUSDT")
    assert naked_max(rig) == 0


def test_without_a_trend_shorts_are_refused(rig: Rig) -> None:
    """An error in the trends leaves the frame standing, with the regime unknown."""
    bot = rig.bot("GuardedAlways", max_open_trades=1)
    post: Any = bot.strategy._qt_post  # type: ignore[attr-defined]
    post.market._history = _broken
    frame = bot.dataprovider.ohlcv(ZEN, "1m")
    analysed = bot.strategy.advise_indicators(frame, {"pair": ZEN})
    assert set(analysed["qt_regime"]) == {"UNKNOWN"}
    bot.process()
    assert bot.last_process is not None, "the protections' error must not end the loop"


def test_a_dry_run_trades_under_the_guard_too(rig: Rig) -> None:
    """The default of config.json: a simulated stop before a simulated entry, nothing sent."""
    bot = rig.bot(dry_run=True)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (stop,) = trade.open_sl_orders
    assert stop.ft_price == trade.stop_loss
    assert rig.events("order_accepted", "stop_accepted") == []
    rig.move("BTCUSDT", 0.975)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "stoploss_on_exchange"


def test_an_error_in_bot_start_stops_the_start(rig: Rig) -> None:
    """No guard, no bot."""
    with pytest.raises(StrategyError, match="forced by a test"):
        rig.bot("GuardedFailsAtStart")


def test_spot_is_refused_with_the_fix(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode the guard cannot cover stops the start, and says which setting to change."""
    bot = rig.bot()
    monkeypatch.setitem(bot.config, "trading_mode", "spot")
    with pytest.raises(GuardNotInstalled, match='"trading_mode": "futures"'):
        bot.strategy.bot_start()
