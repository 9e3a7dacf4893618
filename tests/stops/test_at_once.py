"""Events, looks, Freqtrade's questions, moves and entries at once, from threads of their own.

Seeded, so that a failure names what to run again; the threads still interleave as they like.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from qt_protections.stops.threads.lanes import Lanes
from qt_protections.stops.venue.binance.order_events import OrderEvent
from tests.patience import PATIENCE_S
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, ETH

pytestmark = pytest.mark.long

PAIRS = (BTC, ETH, "ZEN/USDT:USDT", "SOL/USDT:USDT")


def together(*acts: Callable[[], None]) -> None:
    """Do all at once, and wait for the end of each.

    Raises:
        AssertionError: If one failed, or never came back.
    """
    failures: list[BaseException] = []
    ready = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> None:
        try:
            ready.wait(PATIENCE_S)
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "two of them wait for each other"
    assert failures == []


class Stream:
    """The events of an exchange, heard in threads of their own as the monitor's are."""

    def __init__(self) -> None:
        self.guards = guards()
        self.guards.paper.on_event = self._tell
        self.guards.paper.between = partial(time.sleep, 0)  # let another thread go on
        self._lanes = Lanes(4)

    def run_dry(self) -> None:
        """Wait until what was told so far has been acted on, and what that led to."""
        for pair in PAIRS * 2:
            heard = threading.Event()
            self._lanes.put(pair, heard.set)
            assert heard.wait(PATIENCE_S)

    def close(self) -> None:
        """End its threads."""
        self._lanes.close()

    def _tell(self, event: OrderEvent) -> None:
        self._lanes.put(event.pair, partial(self._hear, event))

    def _hear(self, event: OrderEvent) -> None:
        self.guards.watch.heard(event)
        self.guards.paper.heard(event)


@pytest.fixture
def stream() -> Iterator[Stream]:
    """A stream that is closed in the end."""
    opened = Stream()
    yield opened
    opened.close()


class Life:
    """What may happen to the pairs of an exchange, a hundred times over."""

    def __init__(self, made: Guards, seed: int, pairs: tuple[str, ...]) -> None:
        self.made, self.pairs = made, pairs
        self.seed = seed
        self.short = dict.fromkeys(pairs, False) | {pairs[-1]: len(pairs) > 1}

    def about(self, act: Callable[[random.Random, str], None], times: int = 40) -> None:
        """Do something to a pair, again and again."""
        chance = random.Random(f"{self.seed} {act.__name__}")  # noqa: S311  no secret
        for _ in range(times):
            act(chance, chance.choice(self.pairs))

    def vanish(self, chance: random.Random, pair: str) -> None:
        """Somebody else ends a stop."""
        live = self.made.live(pair)
        if live:
            self.made.paper.end(chance.choice(live), chance.choice(["canceled", "expired"]))

    def move(self, chance: random.Random, pair: str) -> None:
        """The strategy moves a stop a little nearer."""
        held = self.made.held(pair)
        nearer = held.trigger + (-1 if self.short[pair] else 1) * chance.random() * 0.01
        self.made.mover.move(held, nearer)

    def look(self, chance: random.Random, pair: str) -> None:
        """The loop looks at all, or a tick at one."""
        if chance.random() < 0.5:
            self.made.watch.look()
        else:
            self.made.watch.look_at(self.made.held(pair))

    def ask(self, chance: random.Random, pair: str) -> None:
        """A tick asks after what is in doubt."""
        self.made.watch.check_doubts(self.made.held(pair))

    def doubt(self, chance: random.Random, pair: str) -> None:
        """The exchange cannot tell of a stop for a while."""
        live = self.made.live(pair)
        if live:
            stop = chance.choice(live)
            self.made.paper.untold.add(stop)
            self.made.paper.unlisted.add(stop)

    def enter(self, chance: random.Random, pair: str) -> None:
        """A further entry goes out, fills, and is booked."""
        held = self.made.held(pair)
        trigger = held.trigger
        amount = -1.0 if self.short[pair] else 1.0
        with held.lock:
            base = held.base
        pending = self.made.expect(amount, trigger, pair, base)
        order = self.made.paper.enter(pair, amount, pending.client_id)
        self.made.cover.answered(pending, self.made.paper.orders[order])
        with held.lock:
            held.pending_entries.remove(pending)
            held.base += 1.0


def settled(made: Guards, pair: str) -> None:
    """One stop stands for the whole position, once the exchange tells all it knows."""
    made.paper.untold.clear()
    made.paper.unlisted.clear()
    for _ in range(3):
        made.watch.look()
    live = made.paper.live(pair)
    assert len(live) == 1
    assert made.paper.is_covered(pair)
    assert [stop.order_id for stop in made.held(pair).stops] == [live[0]["id"]]


@pytest.mark.parametrize("seed", range(12))
def test_all_at_once_on_one_pair(stream: Stream, seed: int) -> None:
    """No cancel ever takes the only cover, nobody waits for ever, and one stop is left."""
    made = stream.guards
    life = Life(made, seed, (BTC,))
    made.enter()
    together(
        *(
            lambda act=act: life.about(act)  # type: ignore[misc]
            for act in (life.vanish, life.move, life.look, life.look, life.ask, life.enter)
        )
    )
    stream.run_dry()
    settled(made, BTC)
    assert made.paper.laid_bare == []
    assert made.paper.size[BTC] == 41.0


@pytest.mark.parametrize("seed", range(6))
def test_all_at_once_on_many_pairs(stream: Stream, seed: int) -> None:
    """And with an exchange that cannot tell of a stop now and then."""
    made = stream.guards
    life = Life(made, seed, PAIRS)
    for pair in PAIRS:
        made.enter(-1.0 if life.short[pair] else 1.0, 102.0 if life.short[pair] else 98.0, pair)
    acts = (life.vanish, life.move, life.look, life.look, life.ask, life.doubt, life.enter)
    together(*(lambda act=act: life.about(act) for act in acts))  # type: ignore[misc]
    stream.run_dry()
    for pair in PAIRS:
        settled(made, pair)
    assert made.paper.laid_bare == []


@pytest.mark.parametrize("seed", range(6))
def test_a_stop_fires_while_everybody_is_at_it(stream: Stream, seed: int) -> None:
    """Its fill is booked once, and nothing is placed for a position that is gone."""
    made = stream.guards
    life = Life(made, seed, (BTC,))
    held = made.enter()

    def fire() -> None:
        for stop in made.live():
            made.paper.trigger(stop)

    together(
        fire,
        lambda: life.about(life.look, 10),
        lambda: life.about(life.move, 10),
        lambda: life.about(life.ask, 10),
    )
    stream.run_dry()
    made.watch.look()
    assert made.paper.size[BTC] == 0.0
    assert sum(fill.amount for fill in held.ledger.unbooked_fills) == 1.0
    assert made.live() == []
    assert held.required_stop is None


def test_a_pair_at_work_holds_up_no_other() -> None:
    """Its exchange does not answer; another one's stop is replaced all the same."""
    made = guards()
    made.enter()
    made.enter(pair=ETH)
    (stop,) = made.live(ETH)
    busy = made.held(BTC)
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with busy.lock:
            inside.set()
            assert go.wait(PATIENCE_S)

    def replace() -> None:
        assert inside.wait(PATIENCE_S)
        made.paper.stops[stop]["status"] = "canceled"
        made.watch.look_at(made.held(ETH))
        go.set()

    together(hold, replace)
    assert made.paper.is_covered(ETH)
