"""How long a test waits for what has to happen: until it happens, on any machine."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from hypothesis import settings

#: Seconds after which a wait counts as hung. Nothing is measured by them: a wait ends with what is
#: waited for, and a machine that is busy with ten other things is no failure.
PATIENCE_S = 120.0
#: The same for a command that works: a backtest, a build, a bot that has to trade first.
COMMAND_S = 900.0
#: Seconds between two looks, which grow from one to the other; each may be a request to the
#: exchange, whose answers the thing that is waited for needs as well.
_FIRST_S, _LONGEST_S = 0.005, 0.05


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for what another thread or program does.

    Args:
        condition: Asked again and again, in the test's own thread.
        patience_s: Seconds after which it counts as hung.

    Raises:
        AssertionError: If it has not happened by then.
    """
    end, pause_s = monotonic() + patience_s, _FIRST_S
    while not condition():
        assert monotonic() < end, f"it did not happen within {patience_s:.0f} s"
        Event().wait(pause_s)
        pause_s = min(_LONGEST_S, pause_s * 1.5)


#: Examples of the properties that prove rules. `make nightly` has ten times as many.
MANY_EXAMPLES = max(1_000, settings().max_examples)
