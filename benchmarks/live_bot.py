"""A real bot in live mode on a rehearsal exchange of its own, for some seconds."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from benchmarks.records import trades
from qt_protections.cli.package_data import base_config
from qt_protections.cli.subprocesses import free_port, running
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, offered
from qt_protections.rehearsal.overlay import config_overlay

STRATEGIES = Path(__file__).parent / "strategies"
DATABASE = "trades.sqlite"
_PYTHON = [sys.executable, "-W", "ignore", "-m"]


@dataclass(frozen=True)
class Seen:
    """What one run left behind.

    Attributes:
        report: Answer of the exchange's `/_rehearsal/report`.
        events: Its journal.
        log: The bot's log.
        trades: The bot's trades: symbol, whether open, exit reason, amount in base units
            (negative for a short).
        ended: Whether the bot ended by itself.
    """

    report: dict[str, Any]
    events: list[dict[str, Any]]
    log: str
    trades: list[dict[str, Any]]
    ended: bool


@dataclass(frozen=True)
class Venue:
    """How to open an exchange.

    Attributes:
        scenario: Its market.
        seed: Of the market and of the faults.
        faults: Fault script; None for none.
        latency_ms: Round trip added to every request.
        balance: USDT in the wallet.
        pairs: How many contracts are on offer, and on the bot's list.
    """

    scenario: str
    seed: int
    faults: str | None = None
    latency_ms: int = 50
    balance: int = 10_000
    pairs: int = len(INSTRUMENTS)


@dataclass(frozen=True)
class Bot:
    """How to start a bot.

    Attributes:
        strategy: Class in `STRATEGIES`.
        stake: Stake of an entry, USDT.
        throttle_s: Least seconds from one loop to the next; 5 is Freqtrade's own.
        config: Further keys of its configuration.
        environment: Added to its environment; the guard reads `QT_...` from there.
        verbose: Whether its log tells where each loop ends.
        log: Name of its log file.
    """

    strategy: str
    stake: int = 500
    throttle_s: int = 5
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    verbose: bool = False
    log: str = "freqtrade.log"


@dataclass(frozen=True)
class Exchange:
    """An exchange that is open.

    Attributes:
        folder: Where the files of the run are.
        client: Asks it.
        opened: When it opened, `time.monotonic()`.
        pairs: How many contracts are on offer.
    """

    folder: Path
    client: httpx.Client
    opened: float
    pairs: int

    @property
    def journal(self) -> Path:
        """Every event, one JSON object a line, as they come."""
        return self.folder / "events.jsonl"

    def ask(self, what: str) -> Any:
        """Return the answer to `/_rehearsal/...`."""
        return self.client.get(f"/_rehearsal/{what}").raise_for_status().json()

    def ping(self) -> httpx.Response | None:
        """Return the answer to a bare request; None if a fault met it: they strike whoever asks."""
        try:
            return self.client.get("/fapi/v1/ping")
        except httpx.TransportError:
            return None

    def round_trip_ms(self) -> float | None:
        """Return how long a bare request takes on a connection that stands, None if refused."""
        started = time.perf_counter()
        answer = self.ping()
        took_ms = (time.perf_counter() - started) * 1000
        return took_ms if answer is not None and answer.is_success else None

    @contextmanager
    def traded_by(self, bot: Bot) -> "Iterator[subprocess.Popen[bytes]]":
        """Run a bot on it; a further one in the same folder takes up where the last one ended."""
        with running(
            self._command(bot),
            self.folder / f"{bot.log}.console",
            environment=os.environ | bot.environment,
        ) as process:
            yield process

    def _command(self, bot: Bot) -> list[str]:
        user_data = self.folder / "user_data"
        user_data.mkdir(exist_ok=True)
        overlay = self.folder / "rehearsal.json"
        own = {
            "db_url": f"sqlite:///{(self.folder / DATABASE).resolve()}",
            "stake_amount": bot.stake,
            "max_open_trades": self.pairs,
            "internals": {"process_throttle_secs": bot.throttle_s},
        }
        port = self.client.base_url.port or 0
        config = config_overlay(port, offered(self.pairs)) | own | dict(bot.config)
        # As ccxt is by default; unhurried it spends an address's allowance and is banned.
        config["exchange"]["ccxt_config"]["enableRateLimit"] = True
        overlay.write_text(json.dumps(config))
        return [
            *_PYTHON, "freqtrade", "trade", f"--config={base_config()}", f"--config={overlay}",
            f"--strategy={bot.strategy}", f"--strategy-path={STRATEGIES}",
            f"--userdir={user_data}", f"--logfile={self.folder / bot.log}",
            *(["-v"] if bot.verbose else []),
        ]  # fmt: skip


@contextmanager
def opened(venue: Venue, folder: Path) -> Iterator[Exchange]:
    """Open an exchange on a free port, with its files in `folder`."""
    port = free_port()
    struck = [] if venue.faults is None else [f"--faults={venue.faults}"]
    command = [
        *_PYTHON, "qt_protections.rehearsal", "exchange", f"--scenario={venue.scenario}",
        f"--port={port}", f"--seed={venue.seed}", f"--latency-ms={venue.latency_ms}",
        f"--balance={venue.balance}", f"--pairs={venue.pairs}",
        f"--events={folder / 'events.jsonl'}", *struck,
    ]  # fmt: skip
    with (
        running(command, folder / "exchange.log") as process,
        httpx.Client(
            base_url=f"https://127.0.0.1:{port}",
            verify=False,  # noqa: S501  self-signed, loopback
            timeout=30,
        ) as client,
    ):
        _wait_until_open(client, process)
        yield Exchange(folder, client, time.monotonic(), venue.pairs)


def live_run(folder: Path, bot: Bot, venue: Venue, seconds: int) -> Seen:
    """Open an exchange, let a bot trade on it, and return what both saw.

    Args:
        folder: An empty folder for the run's files.
        bot: How to start the bot.
        venue: How to open the exchange.
        seconds: From the opening of the exchange to the end, the start of the bot included.
    """
    with opened(venue, folder) as exchange, exchange.traded_by(bot) as process:
        time.sleep(max(0.0, exchange.opened + seconds - time.monotonic()))
        ended = process.poll() is not None
        report, events = exchange.ask("report"), exchange.ask("events")
        known = trades(folder / DATABASE)
    return Seen(report, events, log_text(folder / bot.log), known, ended)


def log_text(log: Path) -> str:
    """Return a bot's log, the parts Freqtrade has rotated away included."""
    parts = sorted(log.parent.glob(f"{log.name}.[0-9]*"), key=lambda p: -int(p.suffix[1:]))
    return "".join(part.read_text() for part in [*parts, log] if part.exists())


def held(events: list[dict[str, Any]]) -> dict[str, Decimal]:
    """Return the exchange's positions by symbol: base units, negative for a short, none flat."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        if event["kind"] == "order_filled":
            sign = 1 if event["side"] == "BUY" else -1
            amounts[event["symbol"]] += sign * Decimal(event["quantity"])
    return {symbol: amount for symbol, amount in amounts.items() if amount}


def _wait_until_open(client: httpx.Client, venue: "subprocess.Popen[bytes]") -> None:
    while venue.poll() is None:
        try:
            client.get("/_rehearsal/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the rehearsal exchange ended before it opened; see its exchange.log")
