"""The real commands, as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.patience import COMMAND_S, PATIENCE_S

ROOT = Path(__file__).parents[2]
REAL_CANDLES = ROOT.parent / "shared" / "data" / "binance"
#: Freqtrade leaves its logging alone where it sees pytest; these are processes of their own.
INHERITED = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
_QUIET = {"PYTHONWARNINGS": "ignore", "COLUMNS": "200"}


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    output: str


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> Ended:
    """Run a command to its end; its output is standard output and error as they came."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**INHERITED, **_QUIET, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout)


def freqtrade(*arguments: str | Path, **environment: str) -> Ended:
    """Run a freqtrade command."""
    return run(sys.executable, "-m", "freqtrade", *arguments, **environment)


@contextmanager
def exchange(*arguments: str) -> Iterator[int]:
    """Serve the rehearsal exchange on a free port, as a process; yield the port."""
    command = [
        sys.executable,
        "-u",
        "-m",
        "qt_protections.cli",
        "exchange",
        "--port=0",
        *arguments,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _port(process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if "https://127.0.0.1:" in line:
            port = int(line.rsplit(":", 1)[1])
            url = f"https://127.0.0.1:{port}/_rehearsal/health"
            httpx.get(url, verify=False, timeout=PATIENCE_S).raise_for_status()  # noqa: S501  self-signed
            return port
    raise AssertionError("the rehearsal exchange ended before it opened")
