"""Threads of the guard's own. Whatever ends one is said, and the thread begins again."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from qt_protections.errors import withhold_secrets

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds without a sign of life after which a thread hangs. Between two signs a thread of the
#: guard waits for a second at most, but other threads may keep the interpreter from it.
HANGS_S = 10.0


class Trouble:
    """What goes wrong for a while. It is said when it begins, and when it is over."""

    def __init__(self, name: str) -> None:
        """Begin well; `name` begins each line in the log."""
        self._name = name
        self._is_on = False

    def note(self, what: str | None) -> None:
        """Take in what is wrong now, in words that follow the name; None is nothing."""
        was_on, self._is_on = self._is_on, what is not None
        if what is not None and not was_on:
            logger.error("[ALERT] %s %s.", self._name, what)
        elif what is None and was_on:
            logger.info("[OK] %s is well again.", self._name)


@dataclass(frozen=True, slots=True)
class Restarts:
    """When a thread begins again.

    Attributes:
        first_s: The pause after a first failure, seconds; each further one is twice as long.
        longest_s: The longest pause.
        steady_s: A thread that ran so long, in seconds, starts over with the first pause.
    """

    first_s: float = 0.1
    longest_s: float = 10.0
    steady_s: float = 60.0

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row, seconds; `failures` is 1 or more."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 32))


class Life(StrEnum):
    """How a thread does."""

    RUNNING = "running"
    HANGS = "hangs"
    DEAD = "dead"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ThreadState:
    """One thread at one moment.

    Attributes:
        name: Of the thread.
        life: How it does; ENDED before its start, and after its end on demand.
        restarts: How often it began again.
        silent_s: Seconds since its last sign of life; 0 while it waits for work.
    """

    name: str
    life: Life
    restarts: int
    silent_s: float


class Supervised:
    """A thread that begins again when its work fails.

    Whoever calls `check` now and then hears of a thread that is dead or hangs. Another thread has
    to do that: the bot's loop checks the guard's threads, and those check each other.
    """

    def __init__(
        self,
        name: str,
        work: Callable[["Supervised"], None],
        *,
        hangs_s: float = HANGS_S,
        restarts: Restarts | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            name: Of the thread.
            work: What it does until `end` is called. It gives its signs of life by `beat` and
                `rest` of the object it is called with.
            hangs_s: Seconds without such a sign after which it hangs.
            restarts: When it begins again after a failure; the usual if None.
            clock: Monotonic, seconds.
        """
        self.name = name
        self._work = work
        self._hangs_s = hangs_s
        self._pace = Restarts() if restarts is None else restarts
        self._clock = clock
        self._thread: threading.Thread | None = None
        self._is_wanted = False
        self._ending = threading.Event()
        self._beat_at: float | None = None
        self._restarts = 0
        self._said = ""
        self._trouble = Trouble(f"Thread {name}")
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin. A machine that gives no thread is asked again by each `check`."""
        self._is_wanted = True
        self.check()

    def end(self) -> None:
        """Ask for the end. To end the work itself is the caller's part."""
        self._ending.set()

    def join(self, within_s: float) -> None:
        """Wait for the end; a thread does not wait for itself."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        thread.join(within_s)
        if thread.is_alive():
            logger.warning("Thread %s has not ended in time. It is left behind.", self.name)

    def wait(self, seconds: float) -> bool:
        """Let time pass, at most until the end is asked for; return whether that is so."""
        return self._ending.wait(seconds)

    def beat(self) -> None:
        """Give a sign of life."""
        self._beat_at = self._clock()

    def rest(self) -> None:
        """Say that nothing is under way: who waits for work cannot hang."""
        self._beat_at = None

    def is_alive(self) -> bool:
        """Whether the thread runs, or waits for its next try."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def is_ending(self) -> bool:
        """Whether the end was asked for."""
        return self._ending.is_set()

    @property
    def state(self) -> ThreadState:
        """How it does."""
        beat_at = self._beat_at
        silent_s = 0.0 if beat_at is None else max(0.0, self._clock() - beat_at)
        if not self._is_wanted or self._ending.is_set():
            life = Life.ENDED
        elif not self.is_alive():
            life = Life.DEAD
        else:
            life = Life.HANGS if silent_s > self._hangs_s else Life.RUNNING
        return ThreadState(self.name, life, self._restarts, silent_s)

    def check(self) -> None:
        """Begin again what is dead; say once what cannot, or hangs, and say when it is well."""
        with self._lock:
            if self.state.life is Life.DEAD:
                trouble = self._begin()
            else:
                state = self.state
                hangs = f"has given no sign of life for {state.silent_s:.0f} s"
                trouble = hangs if state.life is Life.HANGS else None
            self._trouble.note(trouble)

    def _begin(self) -> str | None:
        """Start a thread; return what is wrong if there is none to be had."""
        thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.beat()
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            return f"is dead and cannot be started: {error}"
        if self._thread is not None:
            self._restarts += 1
            logger.error("[ALERT] Thread %s had ended unheard. It runs again.", self.name)
        self._thread = thread
        return None

    def _run(self) -> None:
        failures = 0
        while not self._ending.is_set():
            began = self._clock()
            self.beat()
            failure: BaseException | None = None
            try:
                self._work(self)
            except BaseException as error:  # whatever it was: nobody else would hear of it
                failure = error
            if failure is None and self._ending.is_set():
                return
            is_steady = self._clock() - began >= self._pace.steady_s
            failures = 1 if is_steady else failures + 1
            self._say(failure, is_new=is_steady)
            self._restarts += 1
            self.rest()
            self.wait(self._pace.pause_s(failures))

    def _say(self, failure: BaseException | None, *, is_new: bool) -> None:
        """Log a failure once, however often it comes back at once."""
        text = repr(failure)
        if is_new or text != self._said:
            self._said = text
            what = "ended by itself" if failure is None else f"failed: {failure}"
            logger.error(
                "[ALERT] Thread %s %s. It begins again.", self.name, what, exc_info=failure
            )
