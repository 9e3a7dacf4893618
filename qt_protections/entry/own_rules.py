"""Entry rules of a user's own, asked after the guard's.

A rule of a user's own may fail in any way. The entry is then refused, and nothing else is touched.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from freqtrade.data.dataprovider import DataProvider

from qt_protections.errors import GuardNotInstalled, gate_failed, withhold_secrets
from qt_protections.rules.denial import Denial, DenyCode

logger = withhold_secrets(logging.getLogger(__name__))

#: The attribute of a guarded class that holds its rules.
NAME = "entry_rules"


@dataclass(frozen=True, slots=True)
class ProposedEntry:
    """An entry that no rule of the guard's objects to.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Side of the entry.
        dp: Freqtrade's data provider, the strategy's `self.dp`. In a backtest the data provider
            shows only what was known at the time. Do not change a frame that it gives.
    """

    pair: str
    is_short: bool
    dp: DataProvider


class EntryRule(Protocol):
    """Decides whether one more entry may go out."""

    def check(self, entry: ProposedEntry, now: datetime) -> Denial | None:
        """Judge an entry, whether it opens a position or adds to one.

        The guard asks live, in dry runs and in backtests. Live the guard asks again when the order
        goes out. The bot's loop waits for the answer, so a rule sends no request and never sleeps.
        A forced entry may ask from another thread.

        Args:
            entry: The entry.
            now: UTC, with its time zone: the wall clock, in backtests the open of the candle.

        Returns:
            A denial, made by `deny`; None to let the entry pass.

        Raises:
            Exception: Any error refuses the entry.
        """
        ...


def own_rules(guarded: type, guard: type) -> tuple[EntryRule, ...]:
    """Return the rules that a guarded class names.

    A wrapped strategy may use the same name for something else. So only the classes in front of
    the guard count, and the guard itself has no such attribute.

    Raises:
        GuardNotInstalled: If what the class names are no rules.
    """
    in_front = guarded.__mro__[: guarded.__mro__.index(guard)]
    named = next((vars(cls)[NAME] for cls in in_front if NAME in vars(cls)), ())
    if not isinstance(named, Sequence):
        raise GuardNotInstalled(
            f"{guarded.__name__}.{NAME} is no sequence of rules: write `{NAME} = (MyRule(),)`."
        )
    for rule in named:
        if isinstance(rule, type) or not callable(getattr(rule, "check", None)):
            raise GuardNotInstalled(
                f"{guarded.__name__}.{NAME} holds {rule!r}, which is no rule: each is an object "
                f"with a method `check(entry, now)`, as in `{NAME} = (MyRule(),)`."
            )
    return tuple(named)


class OwnRules:
    """Asks the rules one after the other, until one objects."""

    def __init__(self, rules: Sequence[EntryRule], dp: DataProvider) -> None:
        """Take the rules, and Freqtrade's data provider."""
        self._rules = tuple(rules)
        self._dp = dp
        self._explained: set[tuple[str, type]] = set()
        if rules:
            names = ", ".join(_name(rule) for rule in rules)
            logger.info("[OK] Entry rules of your own: %s", names)

    def check(self, pair: str, now: datetime, *, is_short: bool) -> Denial | None:
        """Judge an entry; a rule that fails objects.

        Args:
            pair: Freqtrade's pair.
            now: UTC; the wall clock, in backtests the candle's open.
            is_short: Side of the entry.
        """
        for rule in self._rules:
            try:
                denial = _checked(rule.check(ProposedEntry(pair, is_short, self._dp), now))
            except Exception as error:
                return self._failed(rule, pair, error)
            if denial is not None:
                return denial
        return None

    def _failed(self, rule: EntryRule, pair: str, error: Exception) -> Denial:
        name = _name(rule)
        # The refusal is said once a candle. A traceback in each would fill the log of a backtest.
        if (name, type(error)) not in self._explained:
            self._explained.add((name, type(error)))
            logger.error("The entry rule %s failed for %s.", name, pair, exc_info=error)
        return gate_failed(f"the entry rule {name}", error, code=f"{name}_failed")


def _checked(answer: object) -> Denial | None:
    """Return what a rule answered.

    Raises:
        TypeError: If that is neither None nor a denial in words.
        ValueError: If the code is one of the guard's: others go by what these codes mean.
    """
    if answer is None:
        return None
    if not isinstance(answer, Denial):
        raise TypeError(f"check has to return None or deny(...), not {answer!r}")
    if not (isinstance(answer.code, str) and isinstance(answer.text, str)):
        raise TypeError(f"code and text of a denial are texts, not {answer!r}")
    if answer.code in set(DenyCode):
        raise ValueError(f"{answer.code} is a code of the guard's own: choose another")
    return answer


def _name(rule: EntryRule) -> str:
    return type(rule).__name__
