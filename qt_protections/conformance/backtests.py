"""One backtest: the real `freqtrade backtesting`, in a process of its own."""

import json
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from qt_protections.configuration import CONFIG_BLOCK
from qt_protections.conformance.trades import Backtested
from qt_protections.settings import ENV_PREFIX

#: What a process imports before the first backtest, so that none of its children pays for that:
#: Freqtrade, the guard, and what `qt-guard` itself imports, which each child does again.
PRELOADED = [
    "freqtrade.main",
    "freqtrade.optimize.backtesting",
    "qt_protections.guard",
    "qt_protections.cli.demo",
    "qt_protections.rehearsal.command",
]
_LOG = "backtest.log"


@dataclass(frozen=True, slots=True)
class Request:
    """One strategy to backtest.

    Attributes:
        strategy: Its class.
        folder: Where its file is.
        options: More of Freqtrade's options.
        out: An empty folder for the results and the log.
    """

    strategy: str
    folder: Path
    options: tuple[str, ...]
    out: Path


@dataclass(frozen=True, slots=True)
class NotRun:
    """A backtest that did not come to its end, and the reason as its log has it."""

    reason: str


def backtest(request: Request) -> Backtested | NotRun:
    """Run a backtest; only ever in a process of its own, whose output it takes to a file."""
    _forget_settings_of_the_environment()
    log = request.out / _LOG
    with log.open("wb") as file:
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = _freqtrade(
        "backtesting",
        *request.options,
        f"--strategy={request.strategy}",
        f"--strategy-path={request.folder}",
        f"--backtest-directory={request.out}",
        "--cache=none",
        "--export=trades",
        "--enable-protections",  # a live bot has them always
    )
    archives = sorted(request.out.glob("*.zip"))
    if code != 0 or not archives:
        return NotRun(_reason(log.read_text(errors="replace")))
    return read(archives[-1], request.strategy)


def read(archive: Path, strategy: str) -> Backtested:
    """Read what a backtest exported."""
    with zipfile.ZipFile(archive) as results:
        result = json.loads(results.read(f"{archive.stem}.json"))["strategy"][strategy]
    return Backtested(result["trades"], str(result["backtest_start"]))


def _freqtrade(*arguments: str) -> int:
    from freqtrade.main import main  # noqa: PLC0415  slow to load, and preloaded where it counts

    try:
        main(list(arguments))
    except SystemExit as end:
        return 0 if end.code is None else int(end.code)
    return 0


def _forget_settings_of_the_environment() -> None:
    """Leave the guard's settings to the configuration: the environment would win over it."""
    prefixes = (ENV_PREFIX, f"FREQTRADE__{CONFIG_BLOCK.upper()}__")
    for name in [name for name in os.environ if name.upper().startswith(prefixes)]:
        del os.environ[name]


def _reason(log: str) -> str:
    """Return the last error of a log, or what it ended with."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.split(" - ERROR - ", 1)[1] for line in lines if " - ERROR - " in line]
    if errors and errors[-1] != "Fatal exception!":
        return errors[-1]
    return lines[-1] if lines else "it ended without a word"
