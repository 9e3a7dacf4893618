"""`/forcelong` comes in a thread of its own, at any moment of the bot's loop."""

import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Order, PairLocks, Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from qt_protections.rehearsal.engine.orders import AlgoStatus
from qt_protections.rules.denial import DenyCode
from qt_protections.stops.state.pair import PairState
from tests.inside import manager, reconciliation, stop_service
from tests.integration.hands import in_another_thread, refusals
from tests.integration.rig import BTC, ETH, Rig, force_entry, naked_max, until
from tests.patience import PATIENCE_S


def force_exit(bot: FreqtradeBot, trade_id: int, amount: float) -> None:
    """Give a part of a position back, as `/forceexit` does."""
    RPC(bot)._rpc_force_exit(str(trade_id), "market", amount=amount)


class Ordered:
    """The bot's lock, which fails whoever takes it where that could end in a deadlock.

    Attributes:
        takers: The names of the threads that took it, in order.
        wanted: Set while a thread waits for it.
        broken: What was done against the order.
    """

    def __init__(self, bot: FreqtradeBot) -> None:
        """Take the place of the lock in a bot and its guard."""
        self.takers: list[str] = []
        self.wanted = threading.Event()
        self.broken: list[str] = []
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._book = manager(bot).book
        bot._exit_lock = stop_service(bot)._exit_lock = self  # type: ignore[assignment]

    def __enter__(self) -> None:
        me = threading.current_thread()
        if self._owner == me.ident:
            self.broken.append(f"{me.name} takes it twice")
            raise RuntimeError(self.broken[-1])
        held: list[Any] = [held.lock for held in self._book]
        if any(lock._is_owned() for lock in held):
            self.broken.append(f"{me.name} has the lock of a pair already")
        if me.name.startswith("qt-"):
            self.broken.append(f"{me.name} is a thread of the guard's")
        if not self._lock.acquire(blocking=False):
            self.wanted.set()
            self._lock.acquire()
        self._owner = me.ident
        self.takers.append(me.name)

    def __exit__(self, *exc: object) -> None:
        self._owner = None
        self.wanted.clear()
        self._lock.release()


def remotely(act: Callable[[], object]) -> threading.Thread:
    """Begin with something as remote control does."""
    thread = threading.Thread(target=act, name="remote")
    thread.start()
    return thread


def in_a_file(rig: Rig) -> str:
    """Return a database whose threads have connections of their own."""
    return f"sqlite:///{rig.folder / 'trades.sqlite'}"


@pytest.mark.parametrize("order_type", ["market", "limit"])
def test_an_entry_forced_while_the_loop_looks_waits_for_the_loop(rig: Rig, order_type: str) -> None:
    """The loop has just seen no trade of the pair; that stays true until the loop has written."""
    bot = rig.bot(db_url=in_a_file(rig))
    bot.strategy.order_types["entry"] = order_type
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.99  # type: ignore[method-assign]
    lock, books, forced = Ordered(bot), reconciliation(bot), []
    look, waited = books._open_trades, []

    def look_and_enter() -> Any:
        if not forced:
            forced.append(remotely(lambda: force_entry(bot, BTC)))
            waited.append(lock.wanted.wait(PATIENCE_S))
        return look()

    books._open_trades = look_and_enter
    bot.process()
    forced[0].join(PATIENCE_S)
    for _ in range(2):
        bot.process()
    assert waited == [True]
    assert lock.broken == []
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert len(rig.events("stop_accepted")) == 1
    assert len(rig.events("order_accepted")) == 1
    assert rig.events("order_canceled") == []
    assert naked_max(rig) == 0


def test_the_loop_waits_for_an_entry_that_is_being_written_down(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Both would put its stop on record: one of them fails, and loses what it did."""
    caplog.set_level(logging.ERROR)
    bot = rig.bot(db_url=in_a_file(rig))
    force_entry(bot, ETH)
    lock, books = Ordered(bot), reconciliation(bot)
    ends: list[str] = []
    filling, filled, loop = threading.Event(), books.filled, books.loop

    def fill_slowly(trade: Trade) -> None:
        if threading.current_thread().name == "remote":
            filling.set()
            assert lock.wanted.wait(PATIENCE_S)
        filled(trade)
        ends.append("filled")

    def look() -> None:
        loop()
        ends.append("looked")

    books.filled, books.loop = fill_slowly, look
    forced = remotely(lambda: force_entry(bot, BTC))
    assert filling.wait(PATIENCE_S)
    bot.strategy.bot_loop_start(current_time=datetime.now(UTC))
    forced.join(PATIENCE_S)
    assert ends == ["filled", "looked"]
    assert lock.broken == []
    assert caplog.text == ""
    for trade in Trade.get_open_trades():
        (stop,) = rig.live_stops(trade.pair.replace("/USDT:USDT", "USDT"))
        assert [row.order_id for row in trade.open_sl_orders] == [str(stop.algo_id)]


def test_a_trade_is_reloaded_once_the_loop_has_let_go_of_the_trades(rig: Rig) -> None:
    """Its stop has filled: loop and `/reload_trade` would both book that, and one would fail."""
    bot = rig.bot(db_url=in_a_file(rig))
    trade = force_entry(bot, BTC)
    assert trade is not None
    lock, failed = Ordered(bot), []

    def reload() -> None:
        try:
            RPC(bot)._rpc_reload_trade_from_exchange(trade.id)
        except Exception as error:
            failed.append(error)

    trade_id = trade.id
    rig.move("BTCUSDT", 0.97)
    until(lambda: rig.position("BTCUSDT") == 0)
    with lock:
        reloading = remotely(reload)
        assert lock.wanted.wait(PATIENCE_S)
        bot.exit_positions(Trade.get_open_trades())  # as the loop does, and with the lock
        Trade.commit()
    reloading.join(PATIENCE_S)
    bot.process()
    assert (failed, lock.broken) == ([], [])
    booked = Trade.get_trades([Trade.id == trade_id]).one()
    assert not booked.is_open
    assert [row.ft_is_open for row in booked.orders] == [False, False]


def test_a_trade_that_is_deleted_meanwhile_is_not_reloaded(rig: Rig) -> None:
    """Remote control has read the trade, and waits for whoever deletes it."""
    bot = rig.bot(db_url=in_a_file(rig))
    trade = force_entry(bot, BTC)
    assert trade is not None
    lock, asked = Ordered(bot), []
    fetch = bot.exchange.fetch_orders
    bot.exchange.fetch_orders = lambda *known, **more: asked.append(known) or fetch(*known, **more)  # type: ignore[method-assign, func-returns-value]
    trade_id = trade.id
    with lock:
        reloading = remotely(lambda: RPC(bot)._rpc_reload_trade_from_exchange(trade_id))
        assert lock.wanted.wait(PATIENCE_S)
        trade.delete()
    reloading.join(PATIENCE_S)
    assert (asked, lock.broken) == ([], [])


def test_what_another_thread_wrote_is_known_to_the_loop(rig: Rig) -> None:
    """The loop's thread has read the trades before, and would write what it remembers."""
    bot = rig.bot(db_url=in_a_file(rig))
    trade = force_entry(bot, BTC)
    assert trade is not None
    before, seen = trade.amount, []
    entries = reconciliation(bot)._entries
    settle = entries.settle

    def notice(held: PairState, trade: Trade | None) -> None:
        seen.extend([trade.amount] if trade is not None else [])
        settle(held, trade)

    in_another_thread(lambda: force_exit(bot, trade.id, before / 2))
    assert trade.amount == before  # so much for what this thread remembers
    entries.settle, entries.has_to_settle = notice, lambda *_: True
    bot.strategy.bot_loop_start(current_time=datetime.now(UTC))
    assert seen == [pytest.approx(before / 2, abs=1e-3)]


def test_a_pair_that_cannot_be_written_down_takes_no_other_along(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Its row is in the database already: what the loop did for the others stays written."""
    bot = rig.bot(db_url=in_a_file(rig))
    for pair in (BTC, ETH):
        force_entry(bot, pair)
    bot.process()
    books, tell, told = reconciliation(bot), reconciliation(bot)._tell, []

    def write_twice(held: PairState, trade: Trade) -> None:
        tell(held, trade)
        if held.pair == BTC:
            (row,) = trade.open_sl_orders
            twin = {**row.to_ccxt_object(), "id": row.order_id}
            trade.orders.append(Order.parse_from_ccxt_object(twin, BTC, "stoploss", 1.0, 1.0))
        else:
            trade.enter_tag = "written"
        told.append(held.pair)

    books._tell = write_twice
    bot.strategy.bot_loop_start(current_time=datetime.now(UTC))
    assert sorted(told) == [BTC, ETH]
    assert "[ALERT] BTCUSDT could not be looked after in this loop" in caplog.text
    Trade.rollback()
    assert {trade.pair: trade.enter_tag for trade in Trade.get_open_trades()} == {
        BTC: "force_entry",
        ETH: "written",
    }


def test_locks_are_taken_in_one_order(rig: Rig) -> None:
    """Freqtrade's before a pair's; by the bot and remote control alone; once at a time."""
    bot = rig.bot(db_url=in_a_file(rig))
    lock = Ordered(bot)
    trade = force_entry(bot, BTC)
    assert trade is not None
    in_another_thread(lambda: force_entry(bot, ETH))
    (stop,) = rig.live_stops("BTCUSDT")
    rig.venue.conditional.withdraw(stop.algo_id, "Order was rejected", AlgoStatus.REJECTED)
    until(lambda: rig.live_stops("BTCUSDT") not in ([], [stop]))
    bot.process()
    in_another_thread(lambda: force_exit(bot, trade.id, trade.amount / 2))
    rig.move("ETHUSDT", 0.97)
    until(lambda: rig.position("ETHUSDT") == 0)
    bot.process()
    in_another_thread(lambda: RPC(bot)._rpc_delete(trade.id))
    bot.process()
    taken = len(lock.takers)
    stop_service(bot).close()
    assert len(lock.takers) == taken + 1
    assert lock.broken == []
    assert len(set(lock.takers)) > 1


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
