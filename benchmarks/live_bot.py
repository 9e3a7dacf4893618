"""A real bot in live mode on a rehearsal exchange of its own, for some seconds."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from qt_protections.processes import free_port, running
from qt_protections.rehearsal.market.instruments import INSTRUMENTS
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.shipped import base_config

STRATEGIES = Path(__file__).parent / "strategies"
STAKE = 500
_PYTHON = [sys.executable, "-W", "ignore", "-m"]


@dataclass(frozen=True)
class Seen:
    """What one run left behind.

    Attributes:
        report: Answer of the exchange's `/_rehearsal/report`.
        events: Its journal.
        log: The bot's log.
        trades: The bot's trades: symbol, whether open, exit reason, amount in base units.
        ended: Whether the bot ended by itself.
    """

    report: dict[str, Any]
    events: list[dict[str, Any]]
    log: str
    trades: list[dict[str, Any]]
    ended: bool


def live_run(
    folder: Path, strategy: str, scenario: str, seed: int, faults: str | None, seconds: int
) -> Seen:
    """Open an exchange, let a bot trade on it, and return what both saw.

    Args:
        folder: An empty folder for the run's files.
        strategy: Class in `STRATEGIES`.
        scenario: Market of the exchange.
        seed: Of the market and of the faults.
        faults: Fault script; None for none.
        seconds: From the opening of the exchange to the end, the start of the bot included.
    """
    port = free_port()
    struck = [] if faults is None else [f"--faults={faults}"]
    exchange = [
        *_PYTHON, "qt_protections.rehearsal", "exchange", f"--scenario={scenario}",
        f"--port={port}", f"--seed={seed}", *struck,
    ]  # fmt: skip
    with running(exchange, folder / "exchange.log") as venue:
        opened = _wait_until_open(port, venue)
        with running(_bot(folder, strategy, port), folder / "console.log") as bot:
            time.sleep(max(0.0, opened + seconds - time.monotonic()))
            ended = bot.poll() is not None
            report, events = _ask(port, "report"), _ask(port, "events")
            trades = _trades(folder / "trades.sqlite")
    log = folder / "freqtrade.log"
    return Seen(report, events, log.read_text() if log.exists() else "", trades, ended)


def _bot(folder: Path, strategy: str, port: int) -> list[str]:
    (folder / "user_data").mkdir()
    overlay = folder / "rehearsal.json"
    own = {
        "db_url": f"sqlite:///{(folder / 'trades.sqlite').resolve()}",
        "stake_amount": STAKE,
        "max_open_trades": len(INSTRUMENTS),
    }
    overlay.write_text(json.dumps(config_overlay(port) | own))
    return [
        *_PYTHON, "freqtrade", "trade", f"--config={base_config()}", f"--config={overlay}",
        f"--strategy={strategy}", f"--strategy-path={STRATEGIES}",
        f"--userdir={folder / 'user_data'}", f"--logfile={folder / 'freqtrade.log'}",
    ]  # fmt: skip


def _wait_until_open(port: int, venue: "subprocess.Popen[bytes]") -> float:
    while venue.poll() is None:
        try:
            _ask(port, "health")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return time.monotonic()
    raise RuntimeError("the rehearsal exchange ended before it opened; see its exchange.log")


def _ask(port: int, what: str) -> Any:
    url = f"https://127.0.0.1:{port}/_rehearsal/{what}"
    return httpx.get(url, verify=False, timeout=30).raise_for_status().json()  # noqa: S501  self-signed


def _trades(database: Path) -> list[dict[str, Any]]:
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("select pair, is_open, exit_reason, amount from trades")
        return [
            {
                "symbol": pair.split(":")[0].replace("/", ""),
                "open": bool(is_open),
                "exit": why,
                "amount": amount,
            }
            for pair, is_open, why, amount in rows.fetchall()
        ]
