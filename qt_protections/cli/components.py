"""What the package brings, found the way Freqtrade finds it."""

from dataclasses import dataclass
from pathlib import Path

from freqtrade.constants import Config
from freqtrade.resolvers import ProtectionResolver, StrategyResolver

from qt_protections.cli.package_data import strategies_folder
from qt_protections.entry import locks
from qt_protections.guard import QTGuard
from qt_protections.protections import FOLDER


@dataclass(frozen=True, slots=True)
class Part:
    """One loadable class: its kind, its name, and the folder Freqtrade loads it from."""

    kind: str
    name: str
    folder: str


def parts() -> list[Part]:
    """Return the guarded strategies and the protections, by kind and name."""
    config: Config = {}
    locks.register(config)
    config["strategy_path"] = str(strategies_folder())
    config["user_data_dir"] = strategies_folder().parent
    strategies = StrategyResolver.search_all_objects(config, enum_failed=False)
    guarded = {s["name"]: s for s in strategies if issubclass(s["class"], QTGuard)}
    own = [
        found
        for found in ProtectionResolver.search_all_objects(config, enum_failed=False)
        if found["location"].parent == FOLDER
    ]
    return [
        *(_part("strategy", found) for _, found in sorted(guarded.items())),
        *(_part("protection", found) for found in sorted(own, key=lambda f: f["name"])),
    ]


def _part(kind: str, found: dict[str, object]) -> Part:
    location = found["location"]
    return Part(kind, str(found["name"]), str(Path(str(location)).parent))
