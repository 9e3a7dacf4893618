"""Refusals that the same signal would only meet again: from memory, before a request is spent.

Freqtrade asks for the balance, the positions and the order book of each signal before it asks the
guard, which is a request weight of 12 on Binance futures in every loop.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isclose
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.denial import Denial
from qt_protections.rules.exposure import Exposure

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds after which a refusal is asked for anew, however long the candle is. While every signal
#: is refused from memory, Freqtrade reads neither balance nor prices.
LONGEST_S = 300.0
#: Balances closer than this ratio are one and the same. The balance of a futures account moves with
#: the price of what is held, and a hundredth more or less lets no refused signal in for good.
_SAME = 0.01


@dataclass(frozen=True, slots=True)
class Holdings:
    """Every position and entry under way with its stop, and the balance (quote currency)."""

    held: tuple[Exposure, ...]
    balance: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a refusal was decided by; `version` is that of the pair's analysed candles."""

    version: object
    holdings: Holdings

    def same(self, other: "Inputs") -> bool:
        """Whether nothing differs; a balance that is not known (NaN) differs from all."""
        mine, others = self.holdings, other.holdings
        return (
            self.version == other.version
            and mine.held == others.held
            and all(
                isclose(*pair, rel_tol=_SAME)
                for pair in zip(mine.balance, others.balance, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A signal about to be judged; `inputs` are None where they are not known.

    They are read before the rules are asked: what changes meanwhile is then a difference.
    """

    pair: str
    is_short: bool
    inputs: Inputs | None


class StandingRefusals:
    """Remembers per pair and side what was refused, and by which inputs.

    A refusal stands while all inputs are equal, for a candle or `LONGEST_S` at most. Within that
    time the price counts for nothing. An input that cannot be read ends the refusal. For the
    thread of the bot's loop, in live modes.
    """

    def __init__(
        self,
        version: Callable[[str], object],
        held: Callable[[], Sequence[Exposure]],
        balance: Callable[[], tuple[float, ...]],
        candle_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begin with nothing refused.

        Args:
            version: Gives what changes when a pair is analysed anew.
            held: Gives every position and entry under way on the account.
            balance: Gives the amounts (quote currency) that sizes are shares of.
            candle_s: Seconds of the strategy's candle.
            clock: Seconds that never go back.
        """
        self._version = version
        self._held = held
        self._balance = balance
        self._lasts_s = min(candle_s, LONGEST_S)
        self._clock = clock
        self._refused: dict[tuple[str, bool], tuple[Inputs, float]] = {}
        self._holdings: Holdings | None = None
        self._failed = False

    def read_anew(self) -> None:
        """Forget what is held: the loop begins, or an entry may go out."""
        self._holdings = None

    def question(self, pair: str, *, is_short: bool) -> Question:
        """Return what a signal is about to be judged by."""
        self.read_anew()
        question = Question(pair, is_short, self._inputs(pair))
        self.read_anew()
        return question

    def remember(self, question: Question, denial: Denial) -> None:
        """Take in the refusal of a signal."""
        if question.inputs is None or not denial.stands:
            return
        now = self._clock()
        # Pairs come and go with the pairlist.
        self._refused = {key: each for key, each in self._refused.items() if now < each[1]}
        self._refused[question.pair, question.is_short] = (
            question.inputs,
            now + self._lasts_s,
        )

    def stands(self, pair: str, *, is_short: bool) -> bool:
        """Whether a signal was refused, and nothing has changed since.

        What is held is read once a loop, and again after each signal that was asked for anew.
        """
        inputs, until = self._refused.get((pair, is_short), (None, 0.0))
        if inputs is None or self._clock() >= until:
            return False
        now = self._inputs(pair)
        return now is not None and inputs.same(now)

    def _inputs(self, pair: str) -> Inputs | None:
        try:
            if self._holdings is None:
                self._holdings = Holdings(tuple(self._held()), self._balance())
            inputs = Inputs(self._version(pair), self._holdings)
        except Exception:
            if not self._failed:
                logger.exception("Refused signals are asked for in each loop: no memory of them.")
            self._failed = True
            return None
        self._failed = False
        return inputs
