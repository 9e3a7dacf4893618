"""The strategies of a folder, and each of them guarded as the README says."""

import inspect
from dataclasses import dataclass
from pathlib import Path

from freqtrade.resolvers import StrategyResolver

from qt_protections.guard import QTGuard

_TEXT = """\
import sys

sys.path.insert(0, {folder!r})

from {module} import {name}

from qt_protections import QTGuard


class {guarded}(QTGuard, {name}):
    pass
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One strategy and the file it is in; without a name, a file that cannot be loaded."""

    name: str
    file: Path


def strategies(folder: Path) -> list[Found]:
    """Return the plain strategies of a folder as Freqtrade finds them, by name."""
    found = StrategyResolver._search_all_objects(folder, enum_failed=True)
    return sorted(
        (Found(each["name"], Path(each["location"])) for each in found if _is_plain(each["class"])),
        key=lambda each: (each.name, each.file),
    )


def write_guarded(found: Found, folder: Path) -> str:
    """Write a guarded strategy into a folder; return its class, found there by Freqtrade."""
    guarded = f"Guarded{found.name}"
    text = _TEXT.format(
        folder=str(found.file.parent.resolve()),
        module=found.file.stem,
        name=found.name,
        guarded=guarded,
    )
    (folder / f"guarded_{found.file.stem}.py").write_text(text)
    return guarded


def _is_plain(strategy: type | None) -> bool:
    if strategy is None:  # its file cannot be loaded, which has to be said
        return True
    return not issubclass(strategy, QTGuard) and not inspect.isabstract(strategy)
