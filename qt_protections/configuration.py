"""Reads the settings: from the environment, the configuration, or their defaults.

A value that cannot be read or lies outside its bounds stops the start with one sentence, which
names the setting, where its value came from, and what is allowed.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from qt_protections.settings import ENV_PREFIX, NULL, Off, Settings, Step, Unit

CONFIG_BLOCK = "qt"

_TRAILING = ("trail_callback", "trail_activation")

#: How alike two names are, of 1, if the one is taken for a misspelling of the other.
_ALIKE = 0.8


class SettingsError(ValueError):
    """A setting is unknown, unreadable or out of bounds; the text names it, its value, the fix."""


class Origin(StrEnum):
    """Where the value in force was found."""

    ENVIRONMENT = "environment"
    CONFIG = "config"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with their provenance, and the warnings the operator has to see."""

    settings: Settings
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `qt-guard settings` shows it."""

    name: str
    value: object
    unit: str
    bounds: str
    default: object
    origin: Origin
    environment: str
    meaning: str


def load_settings(block: object = None) -> Loaded:
    """Read the settings.

    Args:
        block: The `"qt"` block of config.json; None when there is none.

    Raises:
        SettingsError: If a key is unknown, a variable of the environment is almost a setting's, or
            a value is unreadable or out of bounds.
    """
    given = _checked_block(block)
    _check_environment()
    origins = {name: _origin(name, given) for name in Settings.model_fields}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(e, origins) for e in error.errors())) from error
    return Loaded(settings, origins, _warnings(settings, given, origins))


def all_off() -> dict[str, object]:
    """Return the settings at which every rule is off; what remains is the exchange-side stop."""
    return {
        name: off.value
        for name, field in Settings.model_fields.items()
        for off in field.metadata
        if isinstance(off, Off)
    }


def describe(loaded: Loaded) -> list[Described]:
    """Return every setting with unit, bounds and origin, in the order of the model."""
    return [
        Described(
            name=name,
            value=getattr(loaded.settings, name),
            unit=_unit(field),
            bounds=_bounds(field),
            default=field.default,
            origin=loaded.origins[name],
            environment=_env_name(name),
            meaning=field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def block_of(config: Mapping[str, Any]) -> object:
    """Return the guard's block of a configuration; None when there is none.

    Raises:
        SettingsError: If a block of another name holds the guard's settings.
    """
    for name, value in config.items():
        # A block of another name may be somebody else's and hold a setting of the same name.
        is_like_ours = name != CONFIG_BLOCK and name.lower().startswith(CONFIG_BLOCK)
        if (
            is_like_ours
            and isinstance(value, Mapping)
            and value.keys() & Settings.model_fields.keys()
        ):
            raise SettingsError(
                f'the block "{name}" of the configuration holds settings of the guard, which reads '
                f'"{CONFIG_BLOCK}" alone: name that block "{CONFIG_BLOCK}"'
            )
    return config.get(CONFIG_BLOCK)


def _check_environment() -> None:
    """Refuse a variable that is almost a setting's; the Qt toolkit's begin with QT_ as well."""
    known = [_env_name(name) for name in Settings.model_fields]
    for name in sorted(_environment()):
        if name.startswith(ENV_PREFIX) and name not in known and (meant := _closest(name, known)):
            raise SettingsError(f"unknown setting {name} in the environment: did you mean {meant}?")


def _did_you_mean(names: Iterable[str]) -> str:
    known = list(Settings.model_fields)
    meant = [repr(found) for name in names if (found := _closest(str(name).lower(), known))]
    return f": did you mean {', '.join(meant)}?" if meant else ""


def _closest(name: str, known: Sequence[str]) -> str | None:
    return next(iter(get_close_matches(name, known, n=1, cutoff=_ALIKE)), None)


def _checked_block(block: object) -> dict[str, Any]:
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        raise SettingsError(
            f'"{CONFIG_BLOCK}" in the configuration must be an object of settings, was {block!r}'
        )
    if unknown := sorted(set(block) - set(Settings.model_fields)):
        raise SettingsError(
            f'unknown setting {", ".join(map(repr, unknown))} in the "{CONFIG_BLOCK}" block of the '
            f"configuration{_did_you_mean(unknown)}; known are: {', '.join(Settings.model_fields)}"
        )
    # Freqtrade's own variables (FREQTRADE__QT__MAX_STOP=null) can bring null as text only.
    return {name: None if value == NULL else value for name, value in block.items()}


def _warnings(
    settings: Settings, given: Mapping[str, Any], origins: Mapping[str, Origin]
) -> tuple[str, ...]:
    refused = {
        name: raw
        for name in _TRAILING
        if getattr(settings, name) is None
        and (raw := _environment().get(_env_name(name)) or given.get(name)) not in (None, NULL)
    }
    return tuple(
        f"{_named(name, origins)} must be a number in {_bounds(Settings.model_fields[name])} "
        f"{_unit(Settings.model_fields[name])}, was {raw!r}: the trailing stop is disabled, "
        "the stop stays."
        for name, raw in refused.items()
    )


def _sentence(error: ErrorDetails, origins: Mapping[str, Origin]) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    or_null = " or null" if NoneType in get_args(field.annotation) else ""
    allowed = f" (allowed: {_bounds(field)}{or_null}; default {field.default!r})"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":  # which names a regular expression
        message = "Is no pair such as BTC/USDT:USDT"
    message = message[0].lower() + message[1:]
    return f"{_named(name, origins)} = {error['input']!r}: {message}{allowed}"


def _named(name: str, origins: Mapping[str, Origin]) -> str:
    """Return the name a person finds the setting under."""
    if origins[name] is Origin.ENVIRONMENT:
        return f"{_env_name(name)} (from the environment)"
    return f'{name} (from the "{CONFIG_BLOCK}" block of the configuration)'


def _origin(name: str, given: Mapping[str, Any]) -> Origin:
    if _environment().get(_env_name(name)):
        return Origin.ENVIRONMENT
    return Origin.CONFIG if name in given else Origin.DEFAULT


def _environment() -> dict[str, str]:
    """Return the environment as pydantic-settings reads it: whatever the case of the names."""
    return {name.upper(): value for name, value in os.environ.items()}


def _env_name(name: str) -> str:
    return f"{ENV_PREFIX}{name.upper()}"


def _unit(field: FieldInfo) -> str:
    return next(m.name for m in field.metadata if isinstance(m, Unit))


def _bounds(field: FieldInfo) -> str:
    low = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    high = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    if low is None:
        return _choices(field)
    step = next((m.size for m in field.metadata if isinstance(m, Step)), None)
    return f"{low} .. {high}" + (f" in steps of {step}" if step else "")


def _choices(field: FieldInfo) -> str:
    """Return what a setting that is no number may be."""
    if _unit(field) == "pair":
        return "a pair"
    if _unit(field) == "interval":
        return "1m .. 1d"
    if field.annotation is bool:
        return "true, false"
    is_choice = get_origin(field.annotation) is Literal
    return ", ".join(get_args(field.annotation)) if is_choice else "text"
