"""The configuration that sends a bot to the rehearsal exchange, over a trader's own."""

import json
from pathlib import Path

import pytest
from freqtrade.configuration.deploy_config import deploy_new_config
from freqtrade.configuration.load_config import load_from_files

from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.overlay import config_overlay


@pytest.mark.parametrize("key", ["", "of-an-account"])
def test_the_overlays_key_wins_over_one_of_new_config(tmp_path: Path, key: str) -> None:
    """`freqtrade new-config` writes `api_key`, which Freqtrade prefers to any `key`."""
    own, overlay = tmp_path / "config.json", tmp_path / "rehearsal.json"
    deploy_new_config(
        own,
        {
            "dry_run": True,
            "stake_currency": "USDT",
            "stake_amount": 100,
            "max_open_trades": 3,
            "exchange_name": "binance",
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "exchange_api_key": key,
            "exchange_secret": key,
            "telegram": False,
            "api_server": False,
        },
    )
    overlay.write_text(json.dumps(config_overlay(18443)))
    exchange = load_from_files([str(own), str(overlay)])["exchange"]
    assert exchange["api_key"] == API_KEY
