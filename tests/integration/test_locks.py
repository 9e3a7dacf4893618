"""Locks are taken in one order, by whatever thread: so no two threads wait for each other.

Every lock that the guard makes is replaced by one that notes which others its thread has already.
"""

import sys
import threading
from collections import defaultdict
from typing import Any

import pytest
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.stops.state import pair_states
from qt_protections.stops.state.pair import PairState
from tests.inside import monitor, stop_service
from tests.integration.hands import cancel_by_hand, in_another_thread
from tests.integration.rig import BTC, ETH, Rig, force_entry, until

EXIT, PAIR = "Freqtrade's exits", "a pair"
#: Who holds one may take those behind it. A thread holds the lock of one pair at most.
ORDER = [
    EXIT,
    PAIR,
    "stops.threads.lanes",
    "stops.threads.supervised",
    "stops.venue.binance.connection",
    "stops.venue.binance.server_clock",
    "stops.venue.budget",
    "stops.monitor.stream_proof",
    "stops.state.pair_states",
]


class Order:
    """Which lock was taken while which was held.

    Attributes:
        pairs: (held, taken), by the names of the locks.
        nested: Pairs whose lock was taken under another pair's.
    """

    def __init__(self) -> None:
        self.pairs: set[tuple[str, str]] = set()
        self.nested: set[tuple[str, str]] = set()
        self._held: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)

    def taken(self, kind: str, name: str) -> None:
        """Note that this thread has a lock now; one it has already is no news."""
        held = self._held[threading.get_ident()]
        if (kind, name) not in held:
            self.pairs |= {(each, kind) for each, _ in held}
            self.nested |= {(other, name) for each, other in held if each == kind == PAIR}
        held.append((kind, name))

    def given_back(self, kind: str, name: str) -> None:
        """Note that this thread gave one back."""
        held = self._held[threading.get_ident()]
        held.reverse()
        held.remove((kind, name))
        held.reverse()


class Noted:
    """A lock whose order is noted."""

    def __init__(self, lock: Any, order: Order, kind: str, name: str = "") -> None:
        self._lock, self._order = lock, order
        self._kind, self._name = kind, name

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, and note that."""
        got: bool = self._lock.acquire(blocking, timeout)
        if got:
            self._order.taken(self._kind, self._name)
        return got

    def release(self) -> None:
        """Give the lock back."""
        self._order.given_back(self._kind, self._name)
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Order:
    """The order of every lock of the guard that is made from now on."""
    noted, real = Order(), threading.Lock

    def lock() -> Any:
        maker = str(sys._getframe(1).f_globals.get("__name__", ""))
        if not maker.startswith("qt_protections.stops."):
            return real()
        return Noted(real(), noted, maker.removeprefix("qt_protections."))

    def pair_state(pair: str) -> PairState:
        made = PairState(pair)
        made.lock = Noted(made.lock, noted, PAIR, pair)  # type: ignore[assignment]
        return made

    monkeypatch.setattr(threading, "Lock", lock)
    monkeypatch.setattr(pair_states, "PairState", pair_state)
    return noted


def test_locks_are_taken_in_one_order(order: Order, rig: Rig) -> None:
    """Whatever the loop, remote control, the stream and the watch do beside each other."""
    bot = rig.bot(db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    lock = Noted(bot._exit_lock, order, EXIT)
    bot._exit_lock = stop_service(bot)._exit_lock = lock  # type: ignore[assignment]
    until(lambda: monitor(bot)._stream.up)
    in_another_thread(lambda: force_entry(bot, BTC))
    force_entry(bot, ETH)
    bot.process()
    (stop,) = rig.live_stops("BTCUSDT")
    cancel_by_hand(rig, stop.algo_id)
    until(lambda: rig.live_stops("BTCUSDT"))
    for _ in range(3):
        bot.process()
    in_another_thread(lambda: RPC(bot)._rpc_force_exit("all"))
    bot.process()
    assert Trade.get_open_trades() == []
    bot.cleanup()
    assert order.nested == set()
    places = [(ORDER.index(held), ORDER.index(taken)) for held, taken in order.pairs]
    assert all(held < taken for held, taken in places), order.pairs
    assert (EXIT, PAIR) in order.pairs  # it was looked
