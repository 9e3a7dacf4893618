"""The strategies of a folder, and each of them guarded as the README says."""

import inspect
from dataclasses import dataclass
from pathlib import Path

from freqtrade.resolvers import StrategyResolver

from qt_protections.guard import QTGuard

#: The plain file is loaded by its path, as Freqtrade does: not every file's name can be imported.
#: Its module has a name of its own, so that `random.py` is not taken for Python's.
_TEXT = """\
import sys
from importlib.util import module_from_spec, spec_from_file_location

from qt_protections import QTGuard

sys.path.insert(0, {folder!r})
spec = spec_from_file_location({module!r}, {file!r})
plain = sys.modules[spec.name] = module_from_spec(spec)
spec.loader.exec_module(plain)


class {guarded}(QTGuard, plain.{name}):
    pass
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One strategy and the file it is in; `trouble` says why nothing can be compared."""

    name: str
    file: Path
    trouble: str = ""


def strategies(folder: Path) -> list[Found]:
    """Return the plain strategies of a folder by name, and its files that cannot be loaded."""
    found: dict[str, Found] = {}
    others: list[Found] = []
    for file in sorted(path for path in folder.iterdir() if path.suffix == ".py"):
        names, trouble = _names(file)
        if trouble:
            others.append(Found(file.name, file, trouble))
        for name in names:
            first = found.setdefault(name, Found(name, file))
            if first.file != file:
                # Freqtrade asks the files in this order, and takes the first that has the class.
                words = f"{file.name} has it as well, and Freqtrade takes that of {first.file.name}"
                others.append(Found(name, file, words))
    return sorted([*found.values(), *others], key=lambda each: (each.name, each.file))


def _names(file: Path) -> tuple[list[str], str]:
    """Return the plain strategies of one file, and why it cannot be loaded, if it cannot."""
    try:
        found = list(StrategyResolver._get_valid_object(file.resolve(), None, enum_failed=True))
    except Exception as error:  # whatever the file does; the others are compared
        return [], f"the file cannot be imported: {type(error).__name__}: {error}"
    if None in found:  # Freqtrade has said why
        return [], "the file cannot be imported"
    return [each.__name__ for each, _ in found if _is_plain(each)], ""


def write_guarded(found: Found, folder: Path) -> str:
    """Write a guarded strategy into a folder; return its class, found there by Freqtrade."""
    guarded = f"Guarded{found.name}"
    text = _TEXT.format(
        folder=str(found.file.resolve().parent),
        file=str(found.file.absolute()),  # hyperopt's results lie beside a link, not its target
        module=f"plain_{found.file.stem}",
        name=found.name,
        guarded=guarded,
    )
    (folder / f"guarded_{found.file.stem}.py").write_text(text)
    return guarded


def _is_plain(strategy: type) -> bool:
    return not issubclass(strategy, QTGuard) and not inspect.isabstract(strategy)
