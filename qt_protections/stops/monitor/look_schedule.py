"""Which pairs are looked at, and when: what the user data stream may not have told is asked for."""

from math import inf
from time import monotonic

from qt_protections.rules.look_interval import FRESH_S, look_every_s, looks_at_all
from qt_protections.stops.monitor.bot_loop import BotLoop
from qt_protections.stops.monitor.hearing import Hearing, Stream
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates

#: Seconds between two ticks.
TICK_S = 1.0
#: What comes early by less than this counts as due, seconds: the next tick would be too late.
_EARLY_S = TICK_S / 2


class LookSchedule:
    """Says what is due to be looked at. Sending is another's part, and so are the threads.

    A single event may be lost though the stream speaks, and the desk answers Freqtrade's own
    questions: so looks are as frequent as these would be.

    Attributes:
        protecting: Pairs with something to protect, as of their last tick.
        waiting: How many entries there are whose stop has to follow their fill, likewise. Each is
            asked for with its pair.
    """

    def __init__(self, book: PairStates, hearing: Hearing, loop: BotLoop) -> None:
        """Take what there is to look at, and who else looks.

        Args:
            book: What is known of each pair.
            hearing: Whether the stream can be relied on.
            loop: The bot's, which looks as well.
        """
        self._book = book
        self._hearing = hearing
        self._loop = loop
        self.protecting: set[str] = set()
        self.waiting = 0
        self._looked = -inf
        #: By pair, when everything that may not have been heard was last asked for: in vain, too.
        self._tried: dict[str, float] = {}
        #: The same, and the exchange has answered.
        self._asked: dict[str, float] = {}

    def count_waiting(self) -> None:
        """Count the entries whose stop has to follow their fill."""
        waiting = [pending for held in self._book for pending in held.pending_entries]
        self.waiting = sum(not pending.stop_first for pending in waiting)

    def protects(self, held: PairState) -> bool:
        """Note whether there is something to look after; whoever asks holds the pair's lock."""
        # A position without a trade may be covered by somebody's own stop, and that can end.
        some = (held.stops, held.trailing_stops, held.pending_entries, held.external.position)
        if held.required_stop is not None or any(some):
            self.protecting.add(held.pair)
            return True
        self.protecting.discard(held.pair)
        return False

    def is_whole_due(self, looked: float) -> bool:
        """Whether the whole account is to be looked at: with many pairs, that costs less.

        Args:
            looked: When that was last done, monotonic seconds.
        """
        return looks_at_all(len(self.protecting)) and _since(looked) >= self._every_s() - _EARLY_S

    def turn(self) -> str | None:
        """Return the pair that waits longest for a look, if it is time for one more.

        Pairs take turns, so that none of them has to wait until all are due at once: single looks
        keep the connection open as well.
        """
        pairs = self.protecting.copy()
        if not pairs or looks_at_all(len(pairs)):
            return None
        if _since(self._looked) < self._every_s() / len(pairs) - _EARLY_S:
            return None
        return min(pairs, key=lambda pair: self._last_look(self._book.of(pair)))

    def is_due(self, held: PairState, *, is_turn: bool) -> bool:
        """Whether something of a pair may have happened unheard, or nobody has compared lately."""
        is_heard = self._hearing.state is Stream.UP
        if is_heard and self._asked.get(held.pair, -inf) < self._hearing.whole_since:
            return True
        pause_s = self._every_s(is_fresh=_since(held.changed) < FRESH_S)
        if looks_at_all(len(self.protecting)):
            pause_s *= 2.0  # should the look at all of them have failed
        return is_turn or _since(self._last_look(held)) >= pause_s - _EARLY_S

    def begin(self, pair: str) -> float:
        """Note that a pair is looked at now, and return when: monotonic seconds."""
        self._looked = self._tried[pair] = now = monotonic()
        return now

    def answered(self, pair: str, began: float) -> None:
        """Note that the exchange has answered all of a look, by when the look began."""
        self._asked[pair] = began

    def missed(self, pair: str) -> None:
        """Note that an event of a pair led to nothing: the next tick asks what the event told."""
        self._asked.pop(pair, None)

    def longest_unlooked(self, began: float) -> float | None:
        """Return the seconds since the last comparison of the pair that waits longest.

        Args:
            began: When the watch began, monotonic seconds; a pair waits no longer.
        """
        looked = [self._book.of(pair).looked for pair in self.protecting.copy()]
        return _since(max(min(looked), began)) if looked else None

    def _every_s(self, *, is_fresh: bool = False) -> float:
        """Return the seconds from one look at a pair to the next."""
        return look_every_s(
            len(self.protecting) + self.waiting,
            is_heard=self._hearing.state is Stream.UP,
            loop_s=self._loop.every_s,
            is_fresh=is_fresh,
        )

    def _last_look(self, held: PairState) -> float:
        """Return when a pair was last looked at, in vain perhaps; monotonic seconds."""
        return max(held.looked, self._tried.get(held.pair, -inf))


def _since(moment: float) -> float:
    return monotonic() - moment
