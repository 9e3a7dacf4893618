"""Fault scripts: TOML files that say what goes wrong on the exchange, and when."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from qt_protections.rehearsal.faults.entry import Entry, OnEndpoints
from qt_protections.rehearsal.faults.kinds.exchange import (
    Adl,
    ClockSkew,
    Down,
    Sleep,
    StreamDrop,
    StreamMute,
)
from qt_protections.rehearsal.faults.kinds.order_life import (
    Cancel,
    ChildUnknown,
    DeadOnArrival,
    Withdraw,
)
from qt_protections.rehearsal.faults.kinds.requests import (
    Ban,
    Busy,
    Drop,
    Firewall,
    Hang,
    Latency,
    Lost,
    Refuse,
)
from qt_protections.rehearsal.faults.kinds.stale_data import ListLag, Omit, PositionLag, Stale

SHIPPED = Path(__file__).parent / "scripts"
KINDS: Mapping[str, type[Entry]] = {
    "latency": Latency,
    "busy": Busy,
    "refuse": Refuse,
    "ban": Ban,
    "firewall": Firewall,
    "lost": Lost,
    "drop": Drop,
    "hang": Hang,
    "stale": Stale,
    "omit": Omit,
    "list_lag": ListLag,
    "position_lag": PositionLag,
    "dead_on_arrival": DeadOnArrival,
    "withdraw": Withdraw,
    "cancel": Cancel,
    "sleep": Sleep,
    "child_unknown": ChildUnknown,
    "adl": Adl,
    "clock_skew": ClockSkew,
    "down": Down,
    "stream_drop": StreamDrop,
    "stream_mute": StreamMute,
}


class FaultScriptError(ValueError):
    """A script that cannot be used; the text is one sentence with the fix."""


@dataclass(frozen=True, slots=True)
class FaultScript:
    """What goes wrong.

    Attributes:
        entries: In the order of the file.
        seed: Of everything left to chance.
    """

    entries: tuple[Entry, ...] = ()
    seed: int = 0

    def described(self) -> list[str]:
        """Return each entry in a few words, for people."""
        return [entry.described() for entry in self.entries]


def shipped_scripts() -> list[str]:
    """Return the names of the scripts that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load_script(source: str, seed: int, endpoints: Collection[str]) -> FaultScript:
    """Read a script.

    Args:
        source: Name of a shipped script, or path of a file.
        seed: Of everything the script leaves to chance.
        endpoints: What the exchange has, each as `POST /fapi/v1/order`.

    Raises:
        FaultScriptError: If there is no such file, or something in it is wrong.
    """
    path = SHIPPED / f"{source}.toml" if source in shipped_scripts() else Path(source)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        names = ", ".join(shipped_scripts())
        raise FaultScriptError(
            f"--faults {source} is neither a readable file nor one of {names}."
        ) from None
    return parse_script(text, path.name, seed, endpoints)


def parse_script(text: str, name: str, seed: int, endpoints: Collection[str]) -> FaultScript:
    """Read the text of a script called `name`; see `load_script`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultScriptError(f"{name} is not TOML: {error}.") from None
    unknown = sorted(content.keys() - {"fault"})
    tables = content.get("fault")
    if unknown or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        found = f", found {', '.join(unknown)}" if unknown else ""
        raise FaultScriptError(f"{name} must hold [[fault]] tables and nothing else{found}.")
    entries = [
        _entry(table, f"{name}, fault {number}", endpoints)
        for number, table in enumerate(tables, start=1)
    ]
    return FaultScript(tuple(entries), seed)


def _entry(table: Mapping[str, object], where: str, endpoints: Collection[str]) -> Entry:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = "has no kind" if kind is None else f"has the unknown kind {kind!r}"
        raise FaultScriptError(f"{where} {said}; choose one of {', '.join(KINDS)}.")
    model, where = KINDS[kind], f"{where} ({kind})"
    try:
        entry = model.model_validate(table)
    except ValidationError as error:
        raise FaultScriptError(f"{where} {_wrong(error.errors()[0], model)}.") from None
    if isinstance(entry, OnEndpoints):
        _check_endpoints(entry, where, endpoints)
    return entry


def _wrong(error: ErrorDetails, model: type[Entry]) -> str:
    key = str(error["loc"][0]) if error["loc"] else ""
    known = [name for name in model.model_fields if name != "kind"]
    if error["type"] == "extra_forbidden":
        near = get_close_matches(key, known, 1)
        fix = f"did you mean {near[0]}" if near else f"it takes {', '.join(known)}"
        return f"has the unknown key {key} = {error['input']!r}; {fix}"
    if error["type"] == "missing":
        return f"needs {key}; add it"
    if error["type"] == "value_error":
        return error["msg"].removeprefix("Value error, ")
    rule = error["msg"].partition(" ")[2]
    return f"has {key} = {error['input']!r}; it {rule}"


def _check_endpoints(entry: OnEndpoints, where: str, endpoints: Collection[str]) -> None:
    for pattern in entry.endpoints or ():
        matching = [endpoint for endpoint in endpoints if fnmatchcase(endpoint, pattern)]
        if not any(entry.reaches(endpoint) for endpoint in matching):
            near = get_close_matches(pattern, [e for e in endpoints if _is_in_reach(entry, e)], 1)
            fix = f"did you mean {near[0]!r}" if near else f"it reaches {', '.join(entry.REACH)}"
            raise FaultScriptError(
                f"{where} has the endpoint {pattern!r}, which matches nothing it can strike; {fix}."
            )


def _is_in_reach(entry: OnEndpoints, endpoint: str) -> bool:
    return any(fnmatchcase(endpoint, pattern) for pattern in entry.REACH)
