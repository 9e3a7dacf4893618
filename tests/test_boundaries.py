"""Arrows between the modules run one way."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "qt_protections"

#: Where each room of the package may reach within it; the order is the architecture's. A room is
#: a folder, or a module that stands in none; `stops/` has rooms of its own.
ALLOWED = {
    "settings": set(),
    "configuration": {"settings"},
    "rules": set(),
    "errors": {"rules"},
    "host": {"errors", "rules", "settings"},
    "market": {"rules", "settings"},
    "portfolio": {"errors", "market", "rules", "settings"},
    "protections": {"market", "rules", "settings"},
    "reporting": {"errors", "market", "rules"},
    "stops.threads": {"errors"},
    "stops.trade_stop": {"rules"},
    "stops.venue": {"errors", "rules"},
    "stops.venue.binance": {"errors", "rules", "stops.threads", "stops.venue"},
    "stops.state": {"rules", "stops.venue"},
    "stops.placer": {"errors", "rules", "stops.state", "stops.venue"},
    "stops.stop_children": {"stops.state", "stops.venue"},
    "stops.order_history": {
        *("errors", "rules", "stops.state", "stops.stop_children", "stops.venue"),
    },
    "stops.close_booking": {
        *("errors", "rules", "stops.order_history", "stops.state", "stops.venue"),
    },
    "stops.outcomes": {
        *("errors", "rules", "stops.close_booking", "stops.order_history"),
        *("stops.state", "stops.venue"),
    },
    "stops.emergency": {
        *("errors", "rules", "stops.close_booking", "stops.placer"),
        *("stops.state", "stops.venue"),
    },
    "stops.manager": {
        *("errors", "rules", "stops.close_booking", "stops.emergency", "stops.order_history"),
        *("stops.outcomes", "stops.placer", "stops.state", "stops.venue"),
    },
    "stops.mover": {
        *("errors", "rules", "stops.manager", "stops.placer", "stops.state", "stops.venue"),
    },
    "stops.entry_cover": {
        *("errors", "rules", "settings", "stops.manager", "stops.placer"),
        *("stops.state", "stops.venue"),
    },
    "stops.monitor": {
        *("errors", "rules", "stops.entry_cover", "stops.manager", "stops.state"),
        *("stops.threads", "stops.venue", "stops.venue.binance"),
    },
    "stops.registry": {"errors", "stops.monitor", "stops.venue", "stops.venue.binance"},
    "stops.reconciliation": {
        *("errors", "portfolio", "rules", "stops.entry_cover", "stops.manager"),
        *("stops.monitor", "stops.mover", "stops.state", "stops.trade_stop", "stops.venue"),
    },
    "stops.intercept": {
        *("errors", "portfolio", "rules", "stops.entry_cover", "stops.manager"),
        "stops.monitor",
        *("stops.reconciliation", "stops.state", "stops.venue"),
    },
    "stops.simulated": {"portfolio", "rules", "stops.trade_stop"},
    "stops.detachment": {"errors", "stops.reconciliation", "stops.state", "stops.venue"},
    "stops.service": {
        *("errors", "rules", "settings", "stops.entry_cover", "stops.intercept"),
        *("stops.manager", "stops.monitor", "stops.mover", "stops.placer"),
        *("stops.reconciliation", "stops.registry", "stops.state", "stops.venue"),
    },
    "stops.adjustment": {"stops.service", "stops.simulated", "stops.trade_stop"},
    "entry": {
        *("errors", "market", "portfolio", "protections", "reporting", "rules", "settings"),
        *("stops.intercept", "stops.simulated", "stops.state"),
    },
    "live_status": {
        *("entry", "market", "portfolio", "reporting", "rules", "settings"),
        *("stops.monitor", "stops.service", "stops.state"),
    },
    "runtime": {
        *("entry", "errors", "host", "live_status", "market", "portfolio", "reporting"),
        *("rules", "settings", "stops.adjustment", "stops.service", "stops.simulated"),
        "stops.registry",
    },
    "guard": {
        *("configuration", "entry", "errors", "host", "market", "reporting", "rules", "runtime"),
        "settings",
    },
    "conformance": {"configuration", "guard", "settings"},
    "cli": {
        "configuration",
        *("conformance", "entry", "errors", "guard", "protections", "rehearsal", "reporting"),
        *("settings", "stops.detachment", "stops.registry", "stops.state", "stops.venue"),
    },
    "rehearsal": set(),
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
    """Return a module's file, or all of a folder's."""
    place = PACKAGE.joinpath(*module.split("."))
    found = [place.with_suffix(".py"), *place.rglob("*.py")]
    return [path for path in found if path.is_file()]


def room_of(module: str) -> str:
    """Return the room of a dotted name within the package: the longest that is one."""
    parts = module.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((name for name in names if name in ALLOWED), parts[0])


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name within the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_arrows_run_one_way(room: str) -> None:
    """A room reaches only for those it may."""
    own = {name: path for name, path in modules().items() if room_of(name) == room}
    assert own
    everything = modules()
    for path in own.values():
        reached = {name.removeprefix("qt_protections.") for name in imports(path)}
        rooms = {room_of(name) for name in reached & everything.keys()}
        assert rooms - {room, "stops"} <= ALLOWED[room], path


def test_no_room_reaches_for_itself_through_others() -> None:
    """What a room may reach, stands before the room."""
    order = list(ALLOWED)
    for room, reached in ALLOWED.items():
        assert not [
            name for name in reached - {"rehearsal"} if order.index(name) > order.index(room)
        ]


def test_every_module_has_a_room() -> None:
    """A new module at the root has to say what it may reach."""
    assert {room_of(name) for name in modules()} - ALLOWED.keys() <= {"__init__", "stops"}


@pytest.mark.parametrize("room", ALLOWED_IN_REHEARSAL)
def test_arrows_run_one_way_in_the_exchange(room: str) -> None:
    """A room of the exchange reaches only for those before it."""
    prefix = "qt_protections.rehearsal."
    paths = list((PACKAGE / "rehearsal" / room).rglob("*.py"))
    assert paths
    for path in paths:
        names = {name.removeprefix(prefix) for name in imports(path) if name.startswith(prefix)}
        assert {name.split(".")[0] for name in names} - {room} <= ALLOWED_IN_REHEARSAL[room], path


@pytest.mark.parametrize("module", ["rules", "rehearsal", "settings"])
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
