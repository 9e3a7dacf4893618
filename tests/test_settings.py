"""Settings: precedence, bounds, and sentences that name setting, value and fix."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.configuration import (
    Origin,
    SettingsError,
    all_off,
    block_of,
    describe,
    load_settings,
)
from qt_protections.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"QT_{name.upper()}", raising=False)


def test_environment_over_config_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value comes from the nearest place, and says which."""
    monkeypatch.setenv("QT_RISK_PER_TRADE", "0.5")
    loaded = load_settings({"risk_per_trade": 1.0, "max_positions_per_symbol": 3})
    assert loaded.settings.risk_per_trade == 0.5
    assert loaded.settings.max_positions_per_symbol == 3
    assert loaded.settings.uptrend_short_exception_conf == 0.65
    assert loaded.origins["risk_per_trade"] is Origin.ENVIRONMENT
    assert loaded.origins["max_positions_per_symbol"] is Origin.CONFIG
    assert loaded.origins["uptrend_short_exception_conf"] is Origin.DEFAULT


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("risk_per_trade", 2.01, "0.1 .. 2.0"),
        ("risk_per_trade", 0.09, "0.1 .. 2.0"),
        ("risk_per_trade", float("nan"), "finite"),
        ("risk_per_trade", "much", "valid number"),
        ("risk_per_trade", True, "not true or false"),
        ("max_positions_per_symbol", 0, "1 .. 5"),
        ("max_positions_per_symbol", 6, "1 .. 5"),
        ("max_positions_per_symbol", 1.5, "integer"),
        ("uptrend_short_exception_conf", -0.01, "0.0 .. 1.0"),
        ("uptrend_short_exception_conf", 1.01, "0.0 .. 1.0"),
        ("regime_timeframe", "7h", "'4h'"),
        ("averaging_down", "allow", "refuse, share"),
        ("stop_placement", "after", "auto, before_entry, on_fill"),
        ("stop_placement", None, "auto, before_entry, on_fill"),
        ("regime_pair", "BTC", "is no pair"),
        ("naked_deadline", 0.9, "1.0 .. 60.0"),
        ("naked_deadline", 60.1, "1.0 .. 60.0"),
        ("naked_deadline", None, "1.0 .. 60.0"),
    ],
)
def test_out_of_bounds_is_one_sentence(name: str, value: object, said: str) -> None:
    """The error names the setting, its value, where it came from and what is allowed."""
    with pytest.raises(SettingsError) as raised:
        load_settings({name: value})
    sentence = str(raised.value)
    assert sentence.startswith(f'{name} (from the "qt" block')
    assert repr(value) in sentence
    assert said in sentence
    assert "\n" not in sentence


def test_a_broken_environment_value_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is sent to the variable, not to the file."""
    monkeypatch.setenv("QT_RISK_PER_TRADE", "7")
    with pytest.raises(SettingsError, match=r"^QT_RISK_PER_TRADE \(from the environment\) = '7'"):
        load_settings({"risk_per_trade": 1.0})


def test_the_case_of_a_variable_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is also what is named as the origin."""
    monkeypatch.setenv("qt_risk_per_trade", "0.5")
    loaded = load_settings({"risk_per_trade": 1.0})
    assert loaded.settings.risk_per_trade == 0.5
    assert loaded.origins["risk_per_trade"] is Origin.ENVIRONMENT


@pytest.mark.parametrize("block", [[], "x", 3])
def test_the_block_must_be_an_object(block: object) -> None:
    """A block of another shape is refused, not read as empty."""
    with pytest.raises(SettingsError, match="must be an object"):
        load_settings(block)


def test_unknown_keys_are_refused() -> None:
    """A misspelt setting is never silently the default."""
    with pytest.raises(SettingsError, match=r"'risk_pertrade'.*known are: stop_placement"):
        load_settings({"risk_pertrade": 1.0})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("risk_pertrade", "risk_per_trade"),
        ("max_open_risks", "max_open_risk"),
        ("Trail_Callback", "trail_callback"),
        ("naked_dedline", "naked_deadline"),
    ],
)
def test_what_a_misspelt_setting_may_mean_is_said(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    """In the configuration and in the environment alike."""
    with pytest.raises(SettingsError, match=f"did you mean '{meant}'"):
        load_settings({written: 1.0})
    if written.lower() != meant:
        monkeypatch.setenv(f"QT_{written.upper()}", "1.0")
        with pytest.raises(SettingsError, match=f"did you mean QT_{meant.upper()}"):
            load_settings()


def test_what_is_like_no_setting_is_not_guessed() -> None:
    """No advice is better than a wrong one."""
    with pytest.raises(SettingsError, match="configuration; known are"):
        load_settings({"colour": 1.0})


@pytest.mark.parametrize(
    "name",
    ["QT_QPA_PLATFORM", "QT_ACCESSIBILITY", "QT_IM_MODULE", "QT_SCALE_FACTOR", "QT_PLUGIN_PATH"],
)
def test_a_desktop_sets_variables_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The Qt toolkit's begin like the guard's, and stop no bot."""
    monkeypatch.setenv(name, "1")
    assert load_settings().origins["risk_per_trade"] is Origin.DEFAULT


@pytest.mark.parametrize("name", ["QT", "Qt", "qt_guard", "qt-protections"])
def test_a_block_of_another_name_is_not_passed_over(name: str) -> None:
    """Its settings would count for nothing, without a word."""
    with pytest.raises(SettingsError, match=f'the block "{name}".*name that block "qt"'):
        block_of({name: {"risk_per_trade": 0.5}})


def test_blocks_of_others_are_theirs() -> None:
    """Though a setting of theirs may have the name of one of the guard's."""
    mine = {"max_stop": 5}
    assert (
        block_of({"my_strategy": {"risk_per_trade": 1}, "qt_news": {"url": ""}, "qt": mine}) is mine
    )
    assert block_of({"max_open_trades": 3}) is None


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        *(
            ("trail_callback", value, "0.1 .. 5.0 in steps of 0.1 % of price")
            for value in (
                0,
                0.09,
                5.01,
                5.1,
                1.55,
                0.101,
                "1.55",
                "abc",
                float("nan"),
                True,
                -1,
                [],
            )
        ),
        *(
            ("trail_activation", value, "0.0 .. 20.0 R")
            for value in (-0.1, 20.1, "abc", float("nan"), True)
        ),
    ],
)
def test_bad_trailing_is_disabled_with_a_warning(name: str, value: object, bounds: str) -> None:
    """A broken setting of the trailing stop costs the trailing stop, not the start."""
    loaded = load_settings({name: value})
    assert getattr(loaded.settings, name) is None
    (warning,) = loaded.warnings
    assert warning.startswith(f'{name} (from the "qt" block')
    assert f"in {bounds}, was {value!r}: " in warning
    assert "the trailing stop is disabled, the stop stays" in warning


@given(st.integers(1, 50))
def test_every_step_of_the_callback_is_taken(steps: int) -> None:
    """However its binary fraction came about, it becomes the decimal the exchange takes."""
    exact = float(f"{steps // 10}.{steps % 10}")
    for value in (exact, steps / 10, steps * 0.1, str(exact)):
        loaded = load_settings({"trail_callback": value})
        assert loaded.warnings == ()
        assert loaded.settings.trail_callback == exact


@pytest.mark.parametrize("value", [0, 0.5, 20])
def test_activation_within_its_bounds(value: float) -> None:
    """Zero is a value: it trails from the fill."""
    loaded = load_settings({"trail_activation": value})
    assert loaded.settings.trail_activation == value
    assert loaded.warnings == ()


def test_where_a_stop_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one of three words, and the environment's wins."""
    assert load_settings().settings.stop_placement == "auto"
    monkeypatch.setenv("QT_STOP_PLACEMENT", "on_fill")
    assert load_settings({"stop_placement": "before_entry"}).settings.stop_placement == "on_fill"


def test_the_naked_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in seconds, within its bounds, and cannot be switched off."""
    assert load_settings().settings.naked_deadline == 5.0
    monkeypatch.setenv("QT_NAKED_DEADLINE", "60")
    assert load_settings({"naked_deadline": 1}).settings.naked_deadline == 60.0


def test_bad_trailing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is as forgiving as the file, and other settings stay as they are."""
    monkeypatch.setenv("QT_TRAIL_CALLBACK", "0")
    loaded = load_settings({"risk_per_trade": 1.0})
    assert loaded.settings.trail_callback is None
    assert loaded.settings.risk_per_trade == 1.0
    assert "QT_TRAIL_CALLBACK (from the environment)" in loaded.warnings[0]


@pytest.mark.parametrize("name", ["trail_callback", "trail_activation"])
def test_trailing_can_be_switched_off_quietly(name: str) -> None:
    """Null says off, and is no mistake."""
    loaded = load_settings({name: None})
    assert getattr(loaded.settings, name) is None
    assert loaded.warnings == ()


def test_every_setting_is_described() -> None:
    """What a person reads has a unit, bounds and a meaning for each setting."""
    described = describe(load_settings())
    assert [d.name for d in described] == list(Settings.model_fields)
    assert all(d.unit and d.bounds and d.meaning for d in described)


def test_regime_pair_follows_the_stake_currency() -> None:
    """The default reference is BTC on the currency the bot trades in."""
    assert load_settings().settings.regime_pair_for("USDC") == "BTC/USDC:USDC"
    chosen = load_settings({"regime_pair": "ETH/USDT:USDT"}).settings
    assert chosen.regime_pair_for("USDC") == "ETH/USDT:USDT"


def test_what_the_guard_was_not_asked_for_is_off() -> None:
    """It trails nothing and brings no stop closer, until a setting says so."""
    settings = load_settings().settings
    assert (settings.trail_callback, settings.max_stop) == (None, None)
    assert settings.averaging_down == "refuse"


def test_every_rule_has_an_off() -> None:
    """Settings that say when, where or how much have none; each that switches a rule has."""
    off = all_off()
    assert set(Settings.model_fields) - set(off) == {
        "stop_placement",  # the exchange-side stop alone cannot be switched off
        "naked_deadline",
        "trail_activation",
        "stop_fixed",
        "stop_atr_multiple",
        "stop_atr_candles",
        "stop_slippage",
        "averaging_down",  # of risk_per_trade, and off with it
        "risk_equity",
        "group_beta",
        "stack_distance",
        "count_foreign_positions",
        "regime_pair",
        "regime_timeframe",
        "local_timeframe",
        "confidence_column",
        "hyperopt_summary",  # words alone
    }
    loaded = load_settings(off)
    assert loaded.warnings == ()
    assert {name: getattr(loaded.settings, name) for name in off} == off


@pytest.mark.parametrize("name", [name for name, value in all_off().items() if value is None])
def test_null_in_the_environment_is_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written as in the file, and is no mistake."""
    monkeypatch.setenv(f"QT_{name.upper()}", "null")
    loaded = load_settings({name: 1})
    assert getattr(loaded.settings, name) is None
    assert loaded.warnings == ()


def test_null_may_come_as_text() -> None:
    """Freqtrade's own variables (FREQTRADE__QT__RISK_PER_TRADE=null) bring it as text."""
    loaded = load_settings({"risk_per_trade": "null", "trail_callback": "null"})
    assert loaded.settings.risk_per_trade is None
    assert loaded.settings.trail_callback is None
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("name", "allowed"), [("risk_per_trade", "0.1 .. 2.0 or null"), ("min_stop", "0.0 .. 10.0")]
)
def test_a_refusal_names_null_where_null_is_allowed(name: str, allowed: str) -> None:
    """Whoever sets 0 wants the rule off, and null is what switches some rules off."""
    with pytest.raises(SettingsError, match=re.escape(f"(allowed: {allowed}; default")):
        load_settings({name: -1})
