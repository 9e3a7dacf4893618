"""`/forcelong` comes in a thread of its own, at any moment of the bot's loop."""

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPCException

from tests.integration.hands import guarding
from tests.integration.rig import BTC, Rig, force_entry, naked_max, until

PATIENCE_S = 60.0


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


def test_two_who_force_the_same_pair_at_once_do_not_get_two_trades(rig: Rig) -> None:
    """Freqtrade looks for an open trade before it waits for its turn, and not again after."""
    bot = rig.bot(db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    stake_of = bot.wallets.get_trade_stake_amount
    bot.wallets.get_trade_stake_amount = Mock(side_effect=[stake_of(BTC, 5)] * 2)  # type: ignore[method-assign]
    with bot._exit_lock:
        refusals: list[Exception] = []
        both = [threading.Thread(target=_forced, args=(bot, refusals)) for _ in range(2)]
        for thread in both:
            thread.start()
        until(lambda: bot.wallets.get_trade_stake_amount.call_count == 2)
    for thread in both:
        thread.join(PATIENCE_S)
    (refused,) = refusals
    assert "a trade of the pair was opened meanwhile" in str(refused)
    (trade,) = Trade.get_open_trades()
    assert rig.position("BTCUSDT") == pytest.approx(trade.amount)
    assert naked_max(rig) == 0


def _forced(bot: FreqtradeBot, refusals: list[Exception]) -> None:
    try:
        force_entry(bot, BTC)
    except RPCException as error:
        refusals.append(error)
