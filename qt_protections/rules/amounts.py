"""Sums of order sizes, exact to the last lot.

A float sum can fall one lot short, or leave a dust no exchange knows, once it is truncated.
"""

from decimal import Decimal


def sum_exact(*amounts: float) -> float:
    """Return the sum of amounts as they are written in decimals."""
    return float(sum((Decimal(str(amount)) for amount in amounts), Decimal()))


def subtract_exact(amount: float, *taken: float) -> float:
    """Return what is left of an amount; 0 when more was taken than there was."""
    return max(0.0, sum_exact(amount, *(-part for part in taken)))
