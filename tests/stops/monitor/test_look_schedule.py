"""Which pair is looked at, and when."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.look_interval import LONGEST_S
from qt_protections.stops.monitor import bot_loop, look_schedule
from qt_protections.stops.monitor.bot_loop import BotLoop
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.look_schedule import TICK_S, LookSchedule
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry
from tests.stops.paper import BTC


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watch:
    """A schedule whose looks are always answered, on a clock moved by hand."""

    def __init__(self, patch: pytest.MonkeyPatch, pairs: int, *, is_heard: bool) -> None:
        self.clock = Clock()
        module: ModuleType
        for module in (look_schedule, bot_loop):
            patch.setattr(module, "monotonic", self.clock)
        self.book = PairStates()
        self.loop = BotLoop()
        self.hearing = Hearing(StreamProof(), self.clock)
        if is_heard:
            self.hearing.opened()
        self.schedule = LookSchedule(self.book, self.hearing, self.loop)
        self.whole = self.clock.now
        for number in range(pairs):
            held = self.book.of(f"C{number}/USDT:USDT")
            held.base, held.trigger, held.looked = 1.0, 98.0, self.clock.now

    def tick(self) -> list[str]:
        """Let a second pass, and return the pairs that are looked at."""
        self.clock.now += TICK_S
        if self.loop.missing_s >= LONGEST_S:
            self.loop.came()
        if self.schedule.is_whole_due(self.whole):
            self.whole = self.clock.now
            for held in self.book:
                held.looked = self.clock.now
        turn, looked = self.schedule.turn(), []
        for held in self.book:
            assert self.schedule.protects(held)
            if self.schedule.is_due(held, is_turn=held.pair == turn):
                self.schedule.answered(held.pair, self.schedule.begin(held.pair))
                held.looked = self.clock.now
                looked.append(held.pair)
        return looked


@given(pairs=st.integers(1, 60), is_heard=st.booleans())
def test_no_pair_waits_longer_than_plain_freqtrade_would(pairs: int, is_heard: bool) -> None:
    """However many there are, and whether or not the stream is heard."""
    with pytest.MonkeyPatch.context() as patch:
        watch = Watch(patch, pairs, is_heard=is_heard)
        for _ in range(30):
            watch.tick()
            oldest = min(held.looked for held in watch.book)
            assert watch.clock.now - oldest <= LONGEST_S + TICK_S


def test_few_pairs_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One a second, once each was asked what nobody had heard before the stream."""
    watch = Watch(monkeypatch, 5, is_heard=True)
    assert len(watch.tick()) == 5
    looked = [watch.tick() for _ in range(10)]
    assert [len(each) for each in looked] == [1] * 10
    assert looked[:5] == looked[5:]


def test_what_was_not_heard_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair alone whose event led to nothing, and all where an event was dropped."""
    watch = Watch(monkeypatch, 5, is_heard=True)
    watch.tick()
    pair = next(iter(watch.book)).pair
    watch.schedule.missed(pair)
    assert pair in watch.tick()
    watch.clock.now += 0.1
    watch.hearing.missed()
    assert len(watch.tick()) == 5


def test_nothing_to_protect_has_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody waits for a look."""
    watch = Watch(monkeypatch, 1, is_heard=True)
    schedule, (held,) = watch.schedule, watch.book
    assert schedule.protects(held)
    assert schedule.longest_unlooked(began=0.0) == 0.0
    held.base = 0.0
    assert not schedule.protects(held)
    assert schedule.turn() is None
    assert schedule.longest_unlooked(began=0.0) is None


def test_a_late_loop_counts_as_long_as_it_is_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and only where there is something to protect."""
    clock = Clock()
    monkeypatch.setattr(bot_loop, "monotonic", clock)
    loop = BotLoop(missing_after_s=60.0)
    clock.now += 2.0
    loop.came()
    assert (loop.every_s, loop.missing_s) == (2.0, 0.0)
    clock.now += 61.0
    assert (loop.every_s, loop.missing_s) == (61.0, 61.0)
    loop.check(is_needed=False)
    assert "has not come round" not in caplog.text
    loop.check(is_needed=True)
    loop.check(is_needed=True)
    assert caplog.text.count("The bot's loop has not come round for 61 s") == 1


def test_entries_whose_stop_follows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose stop stands already needs no question of its own."""
    watch = Watch(monkeypatch, 0, is_heard=True)
    held = watch.book.of(BTC)
    held.pending_entries = [_entry(stop_first=True), _entry(stop_first=False)]
    watch.schedule.count_waiting()
    assert watch.schedule.waiting == 1


def _entry(*, stop_first: bool) -> PendingEntry:
    return PendingEntry(EntryRequest(BTC, False, 100.0, 10.0, 1.0), "name", stop_first)
