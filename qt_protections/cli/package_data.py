"""Where the files are that come with the package but are no modules of it."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def strategies_folder() -> Path:
    """Return the strategies' folder: in the installed package, or in the checkout around it."""
    return _installed_or("strategies", "user_data/strategies")


def base_config() -> Path:
    """Return the configuration with every setting at its default, and no keys."""
    return _installed_or("config.json", "config.json")


def _installed_or(installed: str, in_checkout: str) -> Path:
    path = _PACKAGE / installed
    return path if path.exists() else _PACKAGE.parent / in_checkout
