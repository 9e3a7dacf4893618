"""Whether a series of a process's figures grows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Slope(NamedTuple):
    """A straight line's slope, and how far off it may be (95 %), both by unit of x."""

    value: float
    uncertainty: float


def slope(x: Sequence[float], y: Sequence[float]) -> Slope | None:
    """Return the slope of the best straight line, None for fewer than three points.

    Memory moves in steps and waves, so neighbouring samples say almost the same. The uncertainty
    therefore counts only as many of them as are independent by their correlation with the next.
    """
    if len(x) < 3:
        return None
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    value, level = np.polyfit(xs, ys, 1)
    rest = ys - (value * xs + level)
    spread = float(rest @ rest)
    if spread < 1e-12 * float(ys @ ys):
        return Slope(float(value), 0.0)
    correlation = min(0.99, max(0.0, float(rest[1:] @ rest[:-1]) / spread))
    independent = max(3.0, len(xs) * (1 - correlation) / (1 + correlation))
    error = np.sqrt(spread / len(xs) / ((independent - 2) * np.var(xs)))
    return Slope(float(value), 2 * float(error))


def grows(counts: Sequence[int]) -> bool:
    """Whether a count has left its first quarter for good: all of the last lies above all of it.

    A count that goes up and down with the work at hand does not.
    """
    quarter = len(counts) // 4
    return quarter > 0 and min(counts[-quarter:]) > max(counts[:quarter])
