"""What a live bot lets in and keeps out, and what it says of it."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from freqtrade.exceptions import DependencyException, StrategyError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import ProtectionResolver
from freqtrade.rpc.rpc import RPC, RPCException

from qt_protections.configuration import all_off
from qt_protections.errors import EntryRefused, GuardNotInstalled
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import EntryRequest
from tests.inside import runtime
from tests.integration.rig import BTC, ETH, ZEN, Rig, enter_by_limit, force_entry, naked_max


def test_shorts_are_refused_in_an_uptrend_but_for_the_exception(rig: Rig) -> None:
    """`/forceshort` meets the same gate; ZEN is below its own EMA200 with confidence 90 %."""
    bot = rig.bot()
    with pytest.raises(EntryRefused, match="is not below its own EMA200"):
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
    """Size, leverage and stop agree: way, fees and slippage cost 0.75 % of equity."""
    bot = rig.bot(max_open_trades=1)
    trade = force_entry(bot, BTC)
    assert trade is not None
    fill = trade.stop_loss * (1 - 0.0005)
    fees = 0.0005 * (trade.open_rate + fill)
    loss = trade.amount * (trade.open_rate - fill + fees)
    assert loss == pytest.approx(0.0075 * 9_900, rel=0.02)


def _broken(*_: object, **__: object) -> Any:
    raise RuntimeError("forced by a test")


def break_gate(bot: FreqtradeBot, gate: str) -> None:
    """Force an exception inside one gate of a running bot."""
    running = runtime(bot)
    breaking: dict[str, Callable[[], None]] = {
        "signal": lambda: setattr(running.pre_trade.signals, "newest", _broken),
        "rule": lambda: setattr(running.pre_trade.gates, "_limit", None),
        "sizing": lambda: setattr(running.pre_trade.sizer, "_budget", None),
        "plan": lambda: setattr(running.pre_trade.stop, "check", _broken),
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


@pytest.mark.parametrize("gate", ["signal", "rule", "sizing", "plan"])
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
def test_an_error_in_the_strategys_own_callback_counts_as_in_freqtrade(
    rig: Rig, pair: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It confirms, and stakes what Freqtrade proposes, up to what the rules allow."""
    bot = rig.bot("GuardedRaising")
    trade = force_entry(bot, pair)
    assert trade is not None
    assert "forced by a test" in caplog.text
    allowed = force_entry(bot, "SOL/USDT:USDT")
    assert allowed is not None
    assert trade.stake_amount == pytest.approx(allowed.stake_amount, rel=0.05)
    assert naked_max(rig) == 0


@pytest.mark.parametrize("heeded", [True, False])
def test_a_lock_holds_what_somebody_forces_unless_told_otherwise(rig: Rig, heeded: bool) -> None:
    """Plain Freqtrade lets a forced entry past every lock."""
    qt = all_off() | ({"locks_hold_forced_entries": True} if heeded else {})
    bot = rig.bot(qt=qt)
    PairLocks.lock_pair("*", datetime.now(UTC) + timedelta(hours=1), "by hand")
    if not heeded:
        assert force_entry(bot, BTC) is not None
        return
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.PAIR_LOCKED


@pytest.mark.parametrize("wanted", [0, 0.0, -5.0, math.nan, "0", "100", None])
def test_a_strategy_that_wants_no_stake_gets_none(rig: Rig, wanted: Any) -> None:
    """To Freqtrade text and None are no stakes either; a plain no is no error and no refusal."""
    bot = rig.bot()
    running = runtime(bot)
    wish = EntryRequest(BTC, is_short=False, rate=90_000.0, leverage=30.0)
    assert running.pre_trade.policy.capped_stake(wanted, wish, datetime.now(UTC), None) == 0.0
    errors = {DenyCode.GATE_FAILED} if isinstance(wanted, str | None) else set()
    assert {code for _, code in running.operator_log.refused} == errors


def test_numpys_numbers_are_numbers(rig: Rig) -> None:
    """A leverage or a price taken from a frame is one."""
    bot = rig.bot(stake_amount=100)
    running = runtime(bot)
    wish = EntryRequest(BTC, is_short=False, rate=np.float64(90_000.0), leverage=np.float64(30.0))
    assert (
        running.pre_trade.policy.capped_stake(np.float64(50), wish, datetime.now(UTC), None) == 50.0
    )


def test_no_room_is_no_failure(rig: Rig) -> None:
    """Where there is no minimum stake, an amount of nothing is refused by the limit it comes of."""
    bot = rig.bot()
    force_entry(bot, BTC)
    running = runtime(bot)
    running.pre_trade.sizer._budget = replace(running.pre_trade.sizer._budget, max_open_ratio=0.001)
    wish = EntryRequest(ETH, is_short=False, rate=3_000.0, leverage=30.0)
    assert running.pre_trade.policy.capped_stake(50.0, wish, datetime.now(UTC), None) == 0.0
    assert {code for _, code in running.operator_log.refused} == {DenyCode.OPEN_RISK_FULL}


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


def test_what_a_waiting_entry_has_filled_counts_as_what_it_has_not(rig: Rig) -> None:
    """Freqtrade adds the fills of an order to its trade when the order is over, and not before."""
    bot = rig.bot()
    running = runtime(bot)
    enter_by_limit(bot, 0.999)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (order,) = trade.orders
    whole = running.account.open_risk()
    assert whole == pytest.approx(0.0075 * 9_900, rel=0.02)
    for part in (0.5, 0.4):
        rig.fill_part("BTCUSDT", order.safe_amount * part)
        bot.process()
        assert order.ft_is_open
        (exposure,) = running.account.exposures()
        assert exposure.amount == order.safe_amount
        assert running.account.open_risk() == pytest.approx(whole, rel=1e-3)
    assert exposure.entries == 1


def test_a_second_entry_may_be_as_small_as_its_leverage_allows(rig: Rig) -> None:
    """Backtests ask with a minimum that leaves the leverage out: at 30 it is 30 times higher."""
    bot = rig.bot("GuardedReducing")
    trade = force_entry(bot, BTC)
    assert trade is not None
    rate = trade.open_rate
    bot.strategy.answer = 50.0  # type: ignore[attr-defined]
    least = bot.exchange.get_min_pair_stake_amount(BTC, rate, -0.1)
    assert least is not None
    assert least > 50
    asked = {"trade": trade, "current_time": datetime.now(UTC), "min_stake": least}
    adjusted = bot.strategy.adjust_trade_position(**asked, current_entry_rate=rate)  # type: ignore[call-arg]
    assert adjusted == (50.0, None)


@pytest.mark.parametrize("answer", [-50.0, (-50.0,), (-50.0, "less"), (-50.0, "less", "odd")])
def test_a_reduction_passes_in_every_form_freqtrade_reads(rig: Rig, answer: Any) -> None:
    """It reads the first two of a tuple, and needs no second; no exit may be lost on the way."""
    bot = rig.bot("GuardedReducing", max_open_trades=1)
    trade = force_entry(bot, BTC)
    assert trade is not None
    before = trade.amount
    bot.strategy.answer = answer  # type: ignore[attr-defined]
    bot.process()
    assert trade.amount < before
    assert rig.position("BTCUSDT") == pytest.approx(trade.amount)


def test_without_a_trend_shorts_are_refused(rig: Rig) -> None:
    """An error in the trends leaves the frame standing, with the regime unknown."""
    bot = rig.bot("GuardedAlways", max_open_trades=1)
    running = runtime(bot)
    running.market._history = _broken
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


@pytest.mark.parametrize("dry", [False, True], ids=["live", "dry run"])
def test_the_fee_of_an_entry_is_off_the_equity_at_once(rig: Rig, dry: bool) -> None:
    """An exchange takes it with the fill; Freqtrade's wallet of a dry run when the trade closes."""
    bot = rig.bot(dry_run=dry)
    running = runtime(bot)
    assert running.account.equity() == pytest.approx(9_900)
    trade = force_entry(bot, BTC)
    assert trade is not None
    fee = trade.amount * trade.open_rate * 0.0005
    assert fee > 1
    assert running.account.equity() == pytest.approx(0.99 * (10_000 - fee), abs=0.001)


def test_an_error_in_bot_start_stops_the_start(rig: Rig) -> None:
    """No guard, no bot."""
    with pytest.raises(StrategyError, match="forced by a test"):
        rig.bot("GuardedFailsAtStart")


def test_an_exchange_without_stops_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop has no switch, so the bot does not start, and says why."""
    bot = rig.bot()
    monkeypatch.setitem(bot.exchange._ft_has, "stoploss_on_exchange", False)
    with pytest.raises(GuardNotInstalled, match="Freqtrade can place no stop on this exchange"):
        bot.strategy.bot_start()


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
