"""What a backtest's result depends on beyond what Freqtrade's cache knows.

Freqtrade reuses a result when the configuration, the parameters and the file of the strategy's
class are the same (`get_strategy_run_id`). Of a guarded strategy that file says `pass`: what
decides is the guard, its settings, and the files of the classes behind the guard and of the
user's own entry rules.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from freqtrade.constants import Config
from freqtrade.enums import RunMode

from qt_protections.host.parameters import file_of
from qt_protections.settings import Settings

#: Freqtrade hashes the whole configuration of a strategy, this key with it.
KEY = "qt_guard_fingerprint"
_PACKAGE = Path(__file__).parents[1]
#: Modules whose versions are the host's affair.
_HOST = ("freqtrade", "builtins", "abc")


def mark(config: Config, guarded: type, settings: Settings, rules: Sequence[object] = ()) -> None:
    """Have the cache of backtests tell apart what the guard decides differently.

    Args:
        config: The strategy's own; Freqtrade hashes it after the strategy is made.
        guarded: The strategy's class.
        settings: All in force, whether from the configuration or the environment.
        rules: The user's own entry rules.
    """
    if config.get("runmode") is RunMode.BACKTEST:
        config[KEY] = fingerprint(guarded, settings, rules)


def fingerprint(guarded: type, settings: Settings, rules: Sequence[object] = ()) -> str:
    """Return a hash of the guard's code, its settings, and the files of classes and rules."""
    digest = hashlib.sha256(settings.model_dump_json().encode())
    # A checkout that was updated has the same version and other code.
    for path in (*sorted(_PACKAGE.rglob("*.py")), *_files(guarded, rules)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(guarded: type, rules: Sequence[object]) -> Iterator[Path]:
    for cls in (*guarded.__mro__, *(cls for rule in rules for cls in type(rule).__mro__)):
        path = Path(file_of(cls, guarded))
        if cls.__module__.split(".")[0] not in _HOST and path.is_file():
            yield path
