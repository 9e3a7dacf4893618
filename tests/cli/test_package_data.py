"""The files that come with the package say what the code says."""

import json

from qt_protections.cli.package_data import base_config, strategies_folder
from qt_protections.configuration import CONFIG_BLOCK, describe, load_settings


def test_the_shipped_configuration_holds_every_setting() -> None:
    """A newcomer reads all the knobs in config.json; one alone is turned, for QTStrategy."""
    block = json.loads(base_config().read_text())[CONFIG_BLOCK]
    defaults = {setting.name: setting.default for setting in describe(load_settings())}
    assert block == {**defaults, "trail_callback": 1.5}


def test_the_shipped_configuration_fits_itself() -> None:
    """All its positions may lose their whole risk at once."""
    config = json.loads(base_config().read_text())
    block = config[CONFIG_BLOCK]
    assert config["max_open_trades"] * block["risk_per_trade"] <= block["max_open_risk"]


def test_the_shipped_configuration_is_safe() -> None:
    """Dry run, isolated futures, no keys."""
    config = json.loads(base_config().read_text())
    assert config["dry_run"] is True
    assert (config["trading_mode"], config["margin_mode"]) == ("futures", "isolated")
    assert config["exchange"]["key"] == config["exchange"]["secret"] == ""


def test_the_strategies_are_found() -> None:
    """In the checkout as in the wheel."""
    assert (strategies_folder() / "QTStrategy.py").is_file()


def test_the_readme_explains_every_setting() -> None:
    """Each row names the key, the variable, the default and the bounds in force."""
    readme = (base_config().parent / "README.md").read_text()
    for setting in describe(load_settings()):
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{setting.name}` ")]
        assert f"`{setting.environment}`" in row
        assert json.dumps(setting.default).strip('"') in row or setting.default is None
        assert setting.bounds == "text" or setting.bounds in row
