"""The demonstration: the real `freqtrade trade`, in live mode, against the rehearsal exchange."""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from qt_protections.cli.demo_report import Rehearsed, as_report, as_table, rehearsed
from qt_protections.cli.package_data import base_config, strategies_folder
from qt_protections.cli.subprocesses import free_port, running
from qt_protections.rehearsal.overlay import config_overlay

SCENARIO = "violent"
STRATEGY = "QTDemo"
OVERLAY = "rehearsal.json"

_PYTHON = [sys.executable, "-W", "ignore::Warning:urllib3", "-m"]

#: A market made by chance may take longer to show everything: up to this many times as long.
PATIENCE = 3
#: Four entries would use up the usual open risk, and hide the limit of entries on one symbol. The
#: trailing stop is off unless asked for.
_ROOM = {"max_open_trades": 5, "qt": {"max_open_risk": 6.0, "trail_callback": 1.5}}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `qt-guard demo`."""
    parser = commands.add_parser(
        "demo",
        help="watch a live bot under the guard, offline, for about 90 seconds",
        description="Start the rehearsal exchange in a violent market, run the real `freqtrade "
        "trade` against it in live mode, and report what both saw. Exits with 1 if a position was "
        "ever naked, or something the demonstration has to show did not happen.",
    )
    parser.add_argument(
        "--seconds", type=_positive, default=90, help="how long the bot trades (90)"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the market (7)")
    parser.add_argument("--latency-ms", type=_positive, default=50, help="round trip time (50)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/demo"), help="folder of logs and report (out/demo)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; 0 when it showed everything and no position was naked."""
    out: Path = arguments.out
    _make_room(out)
    console = Console(stderr=arguments.json)
    port = free_port()
    with (
        running(_exchange_command(arguments, port), out / "exchange.log") as exchange,
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False) as client,  # noqa: S501  self-signed, loopback
    ):
        _wait_until_open(client, exchange, out / "exchange.log")
        console.print(
            f"Watch it: {client.base_url} (the browser warns: it does not know the exchange)"
        )
        with running(_bot_command(out, port), out / "freqtrade.console.log") as bot:
            _watch(client, bot, out, arguments.seconds, console)
        figures, report = _read(client, out)
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    return _conclude(figures, report, out, console, as_json=arguments.json)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, was {number}")
    return number


def _make_room(out: Path) -> None:
    """Make the folder, or empty it of an earlier demonstration; never of anything else."""
    try:
        if out.exists() and any(out.iterdir()):
            if not (out / OVERLAY).is_file():
                raise DemoFailed(f"--out {out} holds other files; name an empty or a new folder")
            shutil.rmtree(out)
        (out / "user_data").mkdir(parents=True)
    except OSError as error:
        raise DemoFailed(f"--out {out} cannot be written: {error}") from error


def _exchange_command(arguments: argparse.Namespace, port: int) -> list[str]:
    return [
        *_PYTHON,
        "qt_protections.rehearsal",
        "exchange",
        f"--scenario={SCENARIO}",
        f"--port={port}",
        f"--seed={arguments.seed}",
        f"--latency-ms={arguments.latency_ms}",
        f"--events={arguments.out / 'events.jsonl'}",
    ]


def _bot_command(out: Path, port: int) -> list[str]:
    overlay = out / OVERLAY
    database = {"db_url": f"sqlite:///{(out / 'trades.sqlite').resolve()}"}
    overlay.write_text(json.dumps({**config_overlay(port), **database, **_ROOM}, indent=2))
    return [
        *_PYTHON,
        "freqtrade",
        "trade",
        f"--config={base_config()}",
        f"--config={overlay}",
        f"--strategy={STRATEGY}",
        f"--strategy-path={strategies_folder()}",
        f"--userdir={out / 'user_data'}",
        f"--logfile={out / 'freqtrade.log'}",
    ]


def _wait_until_open(client: httpx.Client, exchange: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if exchange.poll() is not None:
            break
        try:
            client.get("/_rehearsal/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.25)
        else:
            return
    raise DemoFailed(f"the rehearsal exchange did not open; see {log}")


def _watch(
    client: httpx.Client,
    bot: subprocess.Popen[bytes],
    out: Path,
    seconds: int,
    console: Console,
) -> None:
    """Show the run as it goes, until its time is over and it has shown everything."""
    text = TextColumn("{task.description}")
    with Progress(text, BarColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("freqtrade is starting", total=seconds)
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds * PATIENCE:
            if bot.poll() is not None:
                raise DemoFailed(f"freqtrade ended by itself; see {out / 'freqtrade.console.log'}")
            figures, _ = _read(client, out)
            progress.update(task, completed=min(passed, seconds), description=_headline(figures))
            if passed >= seconds and not figures.missing():
                return
            time.sleep(1)


def _headline(run: Rehearsed) -> str:
    return (
        f"{run.entries} entries, {run.stops_hit} stops hit, {run.shorts_blocked} shorts blocked, "
        f"naked {run.naked_max_s:.3f} s"
    )


def _read(client: httpx.Client, out: Path) -> tuple[Rehearsed, dict[str, Any]]:
    try:
        exchange_report = client.get("/_rehearsal/report").raise_for_status().json()
    except httpx.HTTPError as error:
        raise DemoFailed(f"the rehearsal exchange stopped answering: {error}") from error
    log = out / "freqtrade.log"
    said = log.read_text() if log.exists() else ""
    figures = rehearsed(exchange_report, said)
    return figures, as_report(figures, exchange_report, said)


def _conclude(
    figures: Rehearsed, report: dict[str, Any], out: Path, console: Console, *, as_json: bool
) -> int:
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        console.print(as_table(figures))
    wrong = figures.verdict()
    if wrong is None:
        console.print(
            f"Every rule was seen at work and no position was ever naked. {out}/report.json"
        )
        return 0
    console.print(f"[bold red]Failed:[/] {wrong}. See {out}/report.json and {out}/freqtrade.log")
    return 1


class DemoFailed(RuntimeError):  # noqa: N818  states what happened
    """The demonstration could not run; the text says where to look."""
