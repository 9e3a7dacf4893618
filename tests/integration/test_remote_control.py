"""`/forcelong` comes in a thread of its own, at any moment of the bot's loop."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

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
