"""Freqtrade's exchange objects without an exchange behind them."""

from pathlib import Path
from typing import Any

from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver

from qt_protections.cli.package_data import base_config


def offline_config(folder: Path, name: str, mode: str) -> dict[str, Any]:
    """Return the configuration of a dry run on an exchange, spot or futures."""
    arguments = {
        "config": [str(base_config())],
        "user_data_dir": str(folder),
        "db_url": "sqlite://",
    }
    config = Configuration(arguments, RunMode.DRY_RUN).get_config()
    config["exchange"] |= {"name": name, "enable_ws": False}
    margin = "isolated" if mode == "futures" else ""
    return config | {"trading_mode": mode, "margin_mode": margin}


def offline_exchange(folder: Path, name: str, mode: str) -> Exchange:
    """Return an exchange object that has asked nothing yet: dry, and without markets."""
    return ExchangeResolver.load_exchange(offline_config(folder, name, mode), validate=False)
