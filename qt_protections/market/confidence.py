"""Confidence read from a column of the strategy's frame."""

import numpy as np
import pandas as pd


def confidences(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return the confidence [0..1] of each row.

    Args:
        frame: The strategy's analysed frame.
        column: The column a strategy writes its confidence to.

    Returns:
        NaN where the column is missing, unreadable, or outside [0, 1]: no confidence, no exception.
    """
    if column not in frame.columns:
        return pd.Series(float("nan"), index=frame.index)
    given = frame[column].astype(object)
    truths = given.map(lambda value: isinstance(value, bool | np.bool_))  # yes is not 100 %
    values = pd.to_numeric(given.mask(truths), errors="coerce").astype(float)
    return values.where(values.between(0.0, 1.0))
