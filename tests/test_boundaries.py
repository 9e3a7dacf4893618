"""Arrows between the modules run one way."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "qt_protections"

#: Where each module of the package may reach within it; the order is the architecture's.
ALLOWED = {
    "settings": set(),
    "rules": set(),
    "confidence": set(),
    "market": {"rules", "settings"},
    "snapshots": {"confidence", "market", "rules"},
    "errors": {"rules"},
    "hooks": {"errors"},
    "standing": {"errors"},
    "parameters": {"errors"},
    "run_id": {"parameters", "settings"},
    "warm_up": {"errors", "rules", "settings"},
    "conformance": {"guard", "settings"},
    "standing_refusals": {"errors", "rules"},
    "tally": set(),
    "announcer": {"rules", "snapshots", "tally"},
    "gates": {
        "announcer",
        "confidence",
        "errors",
        "locks",
        "market",
        "rules",
        "settings",
        "snapshots",
    },
    "fit": {"confidence", "errors", "market", "rules", "settings"},
    "account": {"errors", "market", "rules", "settings", "snapshots"},
    "planner": {"account", "errors", "market", "rules", "settings", "snapshots"},
    "stops": {"errors", "rules", "settings", "snapshots"},
    "decisions": {"rules"},
    "entry_policy": {
        "announcer",
        "decisions",
        "errors",
        "gates",
        "locks",
        "planner",
        "rules",
        "settings",
        "snapshots",
        "standing_refusals",
        "stops",
    },
    "configured": {"settings"},
    "status_file": set(),
    "status": {"announcer", "rules", "status_file", "tally"},
    "protections": {"market", "rules", "settings", "snapshots"},
    "locks": {"errors", "protections", "rules"},
    "detaching": {"errors", "stops"},
    "rehearsal": set(),
    "reports": {"status_file"},
    "backtest_end": {"announcer", "errors", "market", "reports", "status", "status_file"},
    "processes": set(),
    "shipped": set(),
}

_STATE = {"auth", "errors", "journal", "limits", "market", "engine", "verdict", "venue"}
#: The same for the rooms of the rehearsal exchange; its other files stand before or after them all.
ALLOWED_IN_REHEARSAL = {
    "market": {"errors"},
    "engine": {"errors", "journal", "market"},
    "verdict": {"engine", "journal", "market"},
    "faults": _STATE,
    "api": _STATE | {"faults"},
    "streams": _STATE | {"api"},
    "page": _STATE | {"api"},
}


def imports(path: Path) -> set[str]:
    """Return what a file imports, as dotted names; `from a import b` is both a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def files(module: str) -> list[Path]:
    """Return a module's file, or a package's."""
    found = [PACKAGE / f"{module}.py", *(PACKAGE / module).rglob("*.py")]
    return [path for path in found if path.is_file()]


@pytest.mark.parametrize("module", ALLOWED)
def test_arrows_run_one_way(module: str) -> None:
    """A module reaches only for those it may."""
    paths = files(module)
    assert paths
    for path in paths:
        own = {name.split(".")[1] for name in imports(path) if name.startswith("qt_protections.")}
        assert own - {module} <= ALLOWED[module], path


@pytest.mark.parametrize("room", ALLOWED_IN_REHEARSAL)
def test_arrows_run_one_way_in_the_exchange(room: str) -> None:
    """A room of the exchange reaches only for those before it."""
    prefix = "qt_protections.rehearsal."
    paths = list((PACKAGE / "rehearsal" / room).rglob("*.py"))
    assert paths
    for path in paths:
        names = {name.removeprefix(prefix) for name in imports(path) if name.startswith(prefix)}
        assert {name.split(".")[0] for name in names} - {room} <= ALLOWED_IN_REHEARSAL[room], path


@pytest.mark.parametrize("module", ["rules", "rehearsal", "settings", "confidence"])
def test_what_knows_no_host(module: str) -> None:
    """Rules and exchange run without Freqtrade."""
    for path in files(module):
        assert not any(name.split(".")[0] == "freqtrade" for name in imports(path)), path


def test_rules_have_neither_clock_nor_log_nor_exchange() -> None:
    """Time, chance and answers are arguments."""
    for path in files("rules"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"ccxt", "logging", "random", "time"}, path
        calls = {
            n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)
        }
        assert not calls & {"now", "utcnow", "today"}, path
