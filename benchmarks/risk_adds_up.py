"""Does a stopped trade lose what was planned, and does any door let more in than the limits say?

`python -m benchmarks.risk_adds_up` runs the real `freqtrade trade` at leverage 30 in the rehearsal
exchange's violent market, offline, until so many trades were stopped. Its strategy asks for
another entry in each loop, signals repeat, waiting orders are replaced, entries are forced over the
REST API with stakes and leverages of all kinds, and somebody holds a position by hand. docs/risk.md
says what each figure means.
"""

import argparse
import json
import random
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from freqtrade_client import FtRestClient
from rich.console import Console

from benchmarks.live_bot import Bot, Exchange, Venue, opened
from benchmarks.never_naked.rig import tell
from benchmarks.never_naked.tables import Rows, side_by_side
from benchmarks.never_naked.walk import positions
from benchmarks.signed import signed_query
from qt_protections.cli.subprocesses import free_port
from qt_protections.rehearsal.auth import API_KEY
from qt_protections.settings import Settings

#: Small enough that seven symbols with two entries each meet `max_open_risk`.
RISK_PCT = 0.4
SLIPPAGE_RATIO = Settings.model_fields["stop_slippage"].default / 100
ENVIRONMENT = {
    "QT_RISK_PER_TRADE": str(RISK_PCT),
    "QT_TRAIL_CALLBACK": "off",  # every stopped trade at its initial stop
    "QT_STACK_ENTRIES": "true",
    "QT_STACK_DISTANCE": "0.3",
}
BALANCE = 10_000
#: Held by hand all along.
FOREIGN = "DOGEUSDT"
FORCED = ("BTC/USDT:USDT", "SOL/USDT:USDT", "BNB/USDT:USDT", "ZEN/USDT:USDT", "DOGE/USDT:USDT")
EVERY_S = 4.0

ROWS: Rows = (
    ("trades stopped", "losses.stopped"),
    ("loss of the planned risk: mean", "losses.of_plan.mean"),
    ("  p50", "losses.of_plan.p50"),
    ("  p95", "losses.of_plan.p95"),
    ("  max", "losses.of_plan.max"),
    ("planned risk an entry, % of the balance: mean", "losses.planned_pct.mean"),
    ("  max", "losses.planned_pct.max"),
    ("slippage of stops, % of price: mean", "losses.slippage_pct.mean"),
    ("liquidations", "losses.liquidations"),
    ("positions", "stacking.positions"),
    ("  with so many entries", "stacking.entries"),
    ("entries by door", "doors.entries"),
    ("  forced and refused", "doors.forced_refused"),
    ("refused, in candles", "doors.refused"),
    ("longest naked time, s", "naked_max_s"),
)


@dataclass
class Doors:
    """Somebody at the REST API and at the exchange itself, until told to stop.

    Attributes:
        forced: Orders that were forced and let in.
        refused: Forced entries that were refused, by code.
    """

    exchange: Exchange
    client: FtRestClient
    chance: random.Random
    forced: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Hold a position by hand, and force entries."""
        self._buy_by_hand()
        while not self.over.wait(EVERY_S):
            self.force()

    def force(self) -> None:
        """Force one entry, of whatever size and leverage."""
        answer = self.client.forceenter(
            self.chance.choice(FORCED),
            self.chance.choice(("long", "long", "short")),
            stake_amount=self.chance.choice((None, 50, 1_000, 5_000)),
            leverage=self.chance.choice((None, 30, 75, 125)),
        )
        if answer is None or "error" in answer:
            text = str((answer or {}).get("error", "no answer"))
            self.refused[_code(text)] += 1
        else:
            self.forced += 1

    def _buy_by_hand(self) -> None:
        query = signed_query({"symbol": FOREIGN, "side": "BUY", "type": "MARKET", "quantity": 2000})
        self.exchange.client.post(
            f"/fapi/v1/order?{query}", headers={"X-MBX-APIKEY": API_KEY}
        ).raise_for_status()


def _code(text: str) -> str:
    """Return why a forced entry did not happen: the guard's code, or Freqtrade's own words."""
    _, refused, rest = text.partition(" refused, ")
    return rest.split(":", maxsplit=1)[0] if refused else text.rpartition("forceenter: ")[2]


def figures(
    report: dict[str, Any], events: Sequence[dict[str, Any]], doors: dict[str, Any]
) -> dict[str, Any]:
    """Return what a run shows.

    Args:
        report: The exchange's.
        events: Its whole journal.
        doors: What was let in and refused, by door and code.
    """
    own = [p for p in report["positions"] if p["symbol"] != FOREIGN]
    stopped = [p for p in own if p["exit"] == "stop" and p["closed_ms"] is not None]
    planned = [
        p["planned_risk"] + p["qty_max"] * p["entry_price"] * SLIPPAGE_RATIO for p in stopped
    ]
    lost = [p["fees"] - p["realized_pnl"] for p in stopped]
    entries = [len(p.entries) for p in positions(events) if p.symbol != FOREIGN]
    return {
        "losses": {
            "stopped": len(stopped),
            "of_plan": _spread([a / b for a, b in zip(lost, planned, strict=True)]),
            "planned_pct": _spread(
                [100 * a / BALANCE / p["entries"] for a, p in zip(planned, stopped, strict=True)]
            ),
            "slippage_pct": _spread([100 * (p["stop_slippage_ratio"] or 0) for p in stopped]),
            "liquidations": sum(p["liquidated"] for p in own),
        },
        "stacking": {
            "positions": len(entries),
            "entries": {str(n): count for n, count in sorted(Counter(entries).items())},
        },
        "doors": doors,
        "naked_max_s": max((p["naked_s"] for p in own), default=0.0),
    }


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return dict.fromkeys(("mean", "p50", "p95", "max"), 0.0)
    ordered = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    found = {name: ordered[min(len(ordered) - 1, int(q * len(ordered)))] for name, q in at.items()}
    return {"mean": sum(values) / len(values)} | found


def run(folder: Path, seed: int, wanted: int, seconds: int) -> dict[str, Any]:
    """Let a bot trade until `wanted` trades were stopped, `seconds` at most; return the figures."""
    folder.mkdir(parents=True)
    port, password = free_port(), secrets.token_hex()
    server = {
        "enabled": True, "listen_ip_address": "127.0.0.1", "listen_port": port,
        "username": "person", "password": password, "jwt_secret_key": secrets.token_hex(),
    }  # fmt: skip
    bot = Bot(
        "GuardedRisk",
        stake=5_000,
        throttle_s=2,
        config={"api_server": server, "force_entry_enable": True, "stake_amount": "unlimited"},
        environment=ENVIRONMENT,
    )
    client = FtRestClient(f"http://127.0.0.1:{port}", "person", password, timeout=60)
    with opened(Venue("violent", seed, balance=BALANCE), folder) as exchange:
        doors = Doors(exchange, client, random.Random(seed))  # noqa: S311  no secret
        with exchange.traded_by(bot) as process:
            _wait_for_the_bot(port, process)
            somebody = threading.Thread(target=doors.run, daemon=True)
            somebody.start()
            _until_stopped(exchange, process, wanted, seconds)
            doors.over.set()
            somebody.join(timeout=60)
            report = exchange.ask("report")
            (folder / "report.json").write_text(json.dumps(report, indent=2))
    events = [json.loads(line) for line in exchange.journal.read_text().splitlines()]
    return figures(report, events, _doors(folder, doors))


def _wait_for_the_bot(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/v1/ping").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    raise RuntimeError("the bot ended before it listened; see its log")


def _until_stopped(
    exchange: Exchange, process: "subprocess.Popen[bytes]", wanted: int, seconds: int
) -> None:
    told = 0.0
    while process.poll() is None and (passed := time.monotonic() - exchange.opened) < seconds:
        stopped = exchange.ask("report")["summary"]["exits"].get("stop", 0)
        if passed - told >= 30:
            told = passed
            tell(f"  {passed:4.0f} s, {stopped} stopped")
        if stopped >= wanted:
            return
        time.sleep(2)
    if process.poll() is not None:
        raise RuntimeError("the bot ended by itself; see its log")


def _doors(folder: Path, doors: Doors) -> dict[str, Any]:
    (status,) = (folder / "user_data" / "qt_guard").glob("status-*.json")
    totals = json.loads(status.read_text())["totals"]
    log = (folder / "freqtrade.log").read_text()
    return {
        "entries": {
            "signal": log.count("signal found: about create a new trade"),
            "adjusted or repeated": log.count("Position adjust: about to create"),
            "replaced": log.count("order: about create a new order for"),
            "forced": doors.forced,
        },
        "forced_refused": dict(doors.refused),
        "refused": totals,
    }


def main() -> None:
    """Run one bot for each seed, all at once, and print what became of them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.risk_adds_up",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8], help="a run each (7 8)")
    parser.add_argument("--stopped", type=int, default=100, help="stopped trades of a run (100)")
    parser.add_argument("--seconds", type=int, default=2400, help="of a run at most (2400)")
    parser.add_argument("--out", type=Path, help="keep logs, journals and figures in this folder")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="risk-") as temporary:
        folder = asked.out or Path(temporary)

        def one(seed: int) -> dict[str, Any]:
            return run(folder / f"seed-{seed}", seed, asked.stopped, asked.seconds)

        with ThreadPoolExecutor(len(asked.seeds)) as pool:
            found = {
                f"seed {s}": f for s, f in zip(asked.seeds, pool.map(one, asked.seeds), strict=True)
            }
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        Console().print(side_by_side("Risk at leverage 30 in a violent market", ROWS, found))


if __name__ == "__main__":
    main()
