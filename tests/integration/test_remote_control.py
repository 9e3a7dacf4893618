"""`/forcelong` comes in a thread of its own, at any moment of the bot's loop."""

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from freqtrade.persistence import PairLocks, Trade

from qt_protections.errors import EntryRefused
from qt_protections.rules.verdict import DenyCode
from tests.integration.hands import guarding, refusals
from tests.integration.rig import BTC, Rig, force_entry, naked_max, until
from tests.patience import PATIENCE_S


def in_another_thread(act: Callable[[], object]) -> None:
    """Do this as remote control does, and wait for it."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it waits for a lock that nobody gives back"


@pytest.mark.parametrize("order_type", ["market", "limit"])
@pytest.mark.parametrize("nth", [1, 2])
def test_an_entry_between_two_looks_of_one_loop_keeps_its_stop(
    rig: Rig, order_type: str, nth: int
) -> None:
    """The loop has just seen no trade of the pair; what it sees next is not to be let go."""
    bot = rig.bot(db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    bot.strategy.order_types["entry"] = order_type
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.99  # type: ignore[method-assign]
    books: Any = guarding(bot)._books
    look, looks = books._open_trades, []

    def look_and_enter() -> Any:
        seen = look()
        looks.append(seen)
        if len(looks) == nth:
            in_another_thread(lambda: force_entry(bot, BTC))
        return seen

    books._open_trades = look_and_enter
    bot.process()
    until(lambda: rig.live_stops("BTCUSDT"))
    for _ in range(2):
        bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert len(rig.events("stop_accepted")) == 1
    assert len(rig.events("order_accepted")) == 1
    assert rig.events("order_canceled") == []
    assert naked_max(rig) == 0


def test_an_entry_after_the_loop_found_its_pair_free_stays_the_only_trade(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Freqtrade would open a second trade on the pair, and either's stop would cover both."""
    caplog.set_level(logging.WARNING)
    bot = rig.bot(
        "GuardedAlways", max_open_trades=0, db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}"
    )
    bot.config["max_open_trades"] = 7

    is_global_lock = PairLocks.is_global_lock

    def force_meanwhile(*asked: Any, **more: Any) -> bool:
        if sys._getframe(1).f_code.co_name == "enter_positions":
            in_another_thread(lambda: force_entry(bot, BTC))
        return is_global_lock(*asked, **more)

    # There the loop has told free pairs from taken ones, and is about to enter.
    monkeypatch.setattr(PairLocks, "is_global_lock", force_meanwhile)
    bot.process()
    trades = [trade for trade in Trade.get_open_trades() if trade.pair == BTC]
    assert [trade.enter_tag for trade in trades] == ["force_entry"]
    assert "pair_taken" in caplog.text
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == trades[0].amount == rig.position("BTCUSDT")


def test_a_replaced_entry_of_a_trade_that_was_closed_meanwhile_is_not_sent(rig: Rig) -> None:
    """Freqtrade would put a new position on the closed trade."""
    bot = rig.bot()
    order = {
        "pair": BTC, "ordertype": "market", "side": "buy", "amount": 0.01, "rate": 95_000.0,
        "leverage": 30.0, "reduceOnly": False, "time_in_force": "GTC", "initial_order": False,
    }  # fmt: skip
    with pytest.raises(EntryRefused) as refused:
        bot.exchange.create_order(**order)
    assert refused.value.denial.code is DenyCode.TRADE_CLOSED
    assert refusals(bot) == {(BTC, DenyCode.TRADE_CLOSED): 1}
    assert rig.events("stop_accepted", "order_accepted") == []


def test_an_entry_sees_what_the_loop_added_while_it_waited(rig: Rig) -> None:
    """Remote control reads the trade, and then waits for its turn: the symbol is full by then."""
    bot = rig.bot(db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    trade = force_entry(bot, BTC)
    assert trade is not None
    has_read, refusals = threading.Event(), []
    stake_of = bot.wallets.get_trade_stake_amount

    def noted(*asked: Any, **more: Any) -> float:
        has_read.set()
        return stake_of(*asked, **more)

    def force() -> None:
        try:
            force_entry(bot, BTC)
        except EntryRefused as refusal:
            refusals.append(refusal.denial.code)

    bot.wallets.get_trade_stake_amount = noted  # type: ignore[method-assign]
    with bot._exit_lock:
        forced = threading.Thread(target=force)
        forced.start()
        assert has_read.wait(PATIENCE_S)
        assert bot.execute_entry(BTC, 100.0, trade=trade, mode="pos_adjust")
    forced.join(PATIENCE_S)
    assert refusals == [DenyCode.SYMBOL_FULL]
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == trade.amount == rig.position("BTCUSDT")
    assert naked_max(rig) == 0
