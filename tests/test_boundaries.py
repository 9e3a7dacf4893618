"""Arrows between the packages run one way."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "qt_protections"


def imported(folder: str) -> dict[str, set[str]]:
    """Return what each module below a folder imports, as dotted names."""
    found: dict[str, set[str]] = {}
    for path in (PACKAGE / folder).rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
        found[path.name] = names
    assert found
    return found


@pytest.mark.parametrize("foreign", ["freqtrade", "ccxt", "logging", "datetime.datetime.now"])
def test_rules_are_pure(foreign: str) -> None:
    """Rules know no host, no exchange and no log."""
    for module, names in imported("rules").items():
        assert not any(name.split(".")[0] == foreign for name in names), module


def test_rules_import_nothing_of_the_project_but_rules() -> None:
    """A rule can be lifted out and tested alone."""
    for module, names in imported("rules").items():
        own = {name for name in names if name.startswith("qt_protections")}
        assert all(name.startswith("qt_protections.rules") for name in own), module


def test_the_rehearsal_exchange_knows_neither_guard_nor_freqtrade() -> None:
    """They meet over HTTP only."""
    for module, names in imported("rehearsal").items():
        strangers = {
            name
            for name in names
            if name.startswith(("freqtrade", "qt_protections"))
            and not name.startswith("qt_protections.rehearsal")
        }
        assert not strangers, module


def test_the_guard_knows_no_rehearsal() -> None:
    """Only commands and the demonstration bring the two together."""
    meeting = {"cli.py", "demo.py", "command.py", "__main__.py"}
    for module, names in imported(".").items():
        if module in meeting or any((PACKAGE / "rehearsal").rglob(module)):
            continue
        assert not any(name.startswith("qt_protections.rehearsal") for name in names), module
