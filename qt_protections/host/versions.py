"""The versions of Freqtrade and ccxt that this package was tested with."""

import logging
from collections.abc import Mapping
from functools import cache

import ccxt
from freqtrade import __version__ as freqtrade_version

from qt_protections.errors import withhold_secrets

logger = withhold_secrets(logging.getLogger(__name__))

#: The versions that every test of this package has run with; `constraints.txt` pins the same.
TESTED = {"freqtrade": "2026.9", "ccxt": "4.5.90"}
#: What to do where the installed Freqtrade differs from the known one, for the text of an error.
WAY_OUT = f"Install a qt-protections made for this Freqtrade, or Freqtrade {TESTED['freqtrade']}."


@cache
def say_untested() -> None:
    """Warn once of versions that no test of this package has run with."""
    text = untested({"freqtrade": freqtrade_version, "ccxt": ccxt.__version__})
    if text is not None:
        logger.warning(text)


def untested(installed: Mapping[str, str]) -> str | None:
    """Return what to say of versions that were not tested; None if all of them were."""
    others = {name: version for name, version in installed.items() if version != TESTED[name]}
    if not others:
        return None
    found = " and ".join(f"{name} {version}" for name, version in others.items())
    known = " and ".join(f"{name} {TESTED[name]}" for name in others)
    return (
        f"[SAFETY] This guard was tested with {known}, and not with {found}. Before you trust it "
        "with money: `qt-guard conform --strategy-path DIR -c CONFIG` compares your strategies "
        "with and without it, and `make test` in a checkout runs all tests."
    )
