"""How far from its entry a position is liquidated, and the leverage that keeps its stop inside.

A position is liquidated when its margin no longer covers its maintenance margin. Of a notional N
that is N x rate - amount, by the bracket N lies in (Binance, "Leverage and Margin of USD-M
Futures"). Brackets join without a jump and their rates grow, so it is also the largest of what all
of them give, and no bracket has to be chosen. Without any bracket nothing passes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.exposure import Exposure


class Bracket(NamedTuple):
    """One step of a pair's maintenance margin: N x `rate` - `amount` (quote currency)."""

    rate: float
    amount: float


def maintenance(notional: float, brackets: Sequence[Bracket]) -> float:
    """Return the maintenance margin of a notional, both in quote currency.

    Raises:
        ValueError: If there are no brackets.
    """
    return max([notional * rate - amount for rate, amount in brackets])


def isolated_distance(
    leverage: float, notional: float, brackets: Sequence[Bracket], *, is_short: bool
) -> float:
    """Return how far from its entry an isolated position is liquidated, as a ratio of the entry.

    With the margin N / leverage a long is liquidated at the ratio p of its entry for which
    N / leverage - N (1 - p) = N p x rate - amount; a short is the mirror image.

    Args:
        leverage: Notional over margin, >= 1.
        notional: At the entry, quote currency, > 0.
        brackets: Of the pair.
        is_short: Whether the position gains when the price falls.

    Raises:
        ValueError: If there are no brackets.
    """
    margin, side = 1 / leverage, 1.0 if is_short else -1.0
    return min([(margin + a / notional - rate) / (1.0 + side * rate) for rate, a in brackets])


@dataclass(frozen=True, slots=True)
class LiquidationRule:
    """Keeps the liquidation of a position beyond its stop.

    Attributes:
        buffer_ratio: How much farther than its stop a position must survive, as a ratio of the
            stop's distance.
    """

    buffer_ratio: float

    def needed(self, distance: float) -> float:
        """Return the distance a position must survive, given that of its stop."""
        return distance * (1 + self.buffer_ratio)

    def highest_leverage(
        self,
        wish: float,
        entry_at: Callable[[float], tuple[float, float]],
        brackets: Sequence[Bracket],
        *,
        is_short: bool,
    ) -> float:
        """Return the highest leverage, at most the wish, that keeps the stop inside; at least 1.

        Args:
            wish: The strategy's own, >= 1.
            entry_at: The entry at a leverage: its stop's distance, as a ratio of the entry, and
                its largest notional, quote currency.
            brackets: Of the pair; without any the wish stays, and its entry is refused later.
            is_short: Whether the position gains when the price falls.
        """
        if not brackets:
            return wish
        for leverage in [wish, *range(math.ceil(wish) - 1, 0, -1)]:
            distance, notional = entry_at(leverage)
            survives = isolated_distance(leverage, notional, brackets, is_short=is_short)
            if survives >= self.needed(distance):
                return float(leverage)
        return 1.0

    def check_isolated(
        self, position: Exposure, leverage: float, brackets: Sequence[Bracket]
    ) -> Denial | None:
        """Refuse the entry that makes an isolated position which its stop cannot protect.

        Args:
            position: With the entry in it.
            leverage: Notional over margin.
            brackets: Of the pair; without any it is refused.
        """
        if not brackets:
            return _brackets_unknown(position.pair)
        notional = position.amount * position.entry
        distance = _distance(position)
        survives = isolated_distance(leverage, notional, brackets, is_short=position.is_short)
        return self._verdict(leverage, survives, distance)

    def check_cross(
        self,
        position: Exposure,
        others: Sequence[Exposure],
        balance: float,
        brackets_of: Callable[[str], Sequence[Bracket]],
        leverage: float,
    ) -> Denial | None:
        """Refuse the entry whose position the whole balance cannot carry past its stop.

        The worst case counts: every other position stands at its own stop.

        Args:
            position: With the entry in it.
            others: All other positions that share the balance.
            balance: Quote currency, without unrealised profit.
            brackets_of: The brackets of a pair; if one of these has none, the entry is refused.
            leverage: Notional over initial margin, for the refusal's text.
        """
        others = [other for other in others if other.amount]
        for held in (position, *others):
            if not brackets_of(held.pair):
                return _brackets_unknown(held.pair)
        for other in others:
            # In this order: the larger of 0 and NaN would be 0, the loss of an unknown stop none.
            balance -= max(other.amount * other.entry * _distance(other), 0.0)
            balance -= maintenance(other.amount * other.stop, brackets_of(other.pair))
        notional, brackets = position.amount * position.entry, brackets_of(position.pair)
        carried = notional / balance if balance > 0 else math.inf
        survives = isolated_distance(carried, notional, brackets, is_short=position.is_short)
        return self._verdict(leverage, survives, _distance(position))

    def _verdict(self, leverage: float, survives: float, distance: float) -> Denial | None:
        if survives >= self.needed(distance):
            return None
        needed = self.needed(distance)
        return deny(
            DenyCode.STOP_BEYOND_LIQUIDATION,
            f"at leverage {leverage:.4g} the position is liquidated {survives:.3%} from its entry, "
            f"and its stop at {distance:.3%} needs {needed:.3%} (liquidation_buffer)",
            leverage=leverage,
            liquidation=survives,
            distance=distance,
            needed=needed,
        )


def _brackets_unknown(pair: str) -> Denial:
    text = (
        f"Freqtrade has no leverage tiers of {pair}, so nobody knows where that is liquidated: "
        "/reload_config asks the exchange for them again, and dry runs and backtests on Binance "
        "take those of the installed Freqtrade; without them, trade other pairs"
    )
    return deny(DenyCode.BRACKETS_UNKNOWN, text, pair=pair)


def _distance(position: Exposure) -> float:
    """Return the way from entry to stop as a ratio of the entry; negative beyond it."""
    way = position.stop - position.entry if position.is_short else position.entry - position.stop
    return way / position.entry
