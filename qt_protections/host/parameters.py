"""The parameters that hyperopt found: the guarded strategy's own, or the wrapped one's."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freqtrade.exceptions import OperationalException
from freqtrade.optimize.hyperopt_tools import HyperoptTools
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import withhold_secrets

logger = withhold_secrets(logging.getLogger(__name__))


def load(guarded: type, guard: type, load_own: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the guarded strategy's own parameters, else those of the wrapped one.

    Args:
        guarded: The strategy's class.
        guard: The guard's class.
        load_own: Loads what Freqtrade finds by itself.
    """
    wrapped = _wrapped_by(guarded, guard)
    if not _holds_params_of(wrapped, guarded) and (own := load_own()):
        return own
    return _params_of(wrapped, guarded)


def _wrapped_by(guarded: type, guard: type) -> type[IStrategy]:
    """Return the strategy that the guard stands in front of."""
    mro = guarded.__mro__
    behind = mro[mro.index(guard) + 1 :]
    return next(cls for cls in behind if issubclass(cls, IStrategy))


def _holds_params_of(wrapped: type, guarded: type) -> bool:
    """Whether the file beside the guarded class holds the wrapped one's parameters.

    So it is where both are in one file: Freqtrade names the file of parameters after that.
    """
    path = _beside(getattr(guarded, "__file__", ""))
    return (
        path is not None
        and path.is_file()
        and _load(path).get("strategy_name") == (wrapped.__name__)
    )


def _params_of(wrapped: type, guarded: type) -> dict[str, Any]:
    """Return what Freqtrade would load for the wrapped strategy by itself; empty without a file.

    Raises:
        OperationalException: If the file is another strategy's.
    """
    path = _beside(file_of(wrapped, guarded))
    if path is None or not path.is_file():
        return {}
    logger.info("Loading parameters from file %s of the guarded strategy's base.", path)
    params = _load(path)
    if params and params.get("strategy_name") != wrapped.__name__:
        raise OperationalException(
            f"Invalid parameter file provided: {path} is not of {wrapped.__name__}."
        )
    return params


def _load(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = HyperoptTools.load_params_from_file(path)
    except ValueError:
        logger.warning("Invalid parameter file format: %s counts for nothing.", path)
        return {}
    return found


def file_of(wrapped: type, guarded: type) -> str:
    """Return the file of a class behind the guard; empty where that is not known."""
    if wrapped.__module__ == guarded.__module__:
        return getattr(guarded, "__file__", "")  # a module Freqtrade loaded, which nobody else can
    return getattr(sys.modules.get(wrapped.__module__), "__file__", None) or ""


def _beside(file: str) -> Path | None:
    return Path(file).with_suffix(".json") if file else None
