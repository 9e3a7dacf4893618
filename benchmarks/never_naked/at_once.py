"""A bot, its exchange, remote control and other hands in one process, all at the same time."""

import copy
import io
import json
import logging
import random
import re
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode, SignalDirection, State
from freqtrade.exceptions import FreqtradeException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC, RPCException
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.live_bot import DATABASE, STRATEGIES, held, log_text
from benchmarks.never_naked.walk import Event
from benchmarks.records import TradeBooks, differences, order_ids, trade_books, trades
from benchmarks.signed import signed_query
from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.faults.script import parse_script
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import build_market
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.rehearsal.venue import Venue

#: Few, so that everybody meets at the same trades.
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT", "ZEN/USDT:USDT")
SCENARIO = "violent"
LOG = "freqtrade.log"
LOOP_S = 0.3
#: Each of them pauses so long between two acts, seconds.
REMOTE_S, HANDS_S = (0.02, 0.4), (0.3, 1.5)
REMOTES = 2
#: Nobody acts any more, and the loop goes on: so long at the least, and at the most.
SETTLE_LEAST_S, SETTLE_MOST_S = 14.0, 60.0
JOIN_S = 30.0
#: Stops are lost at once, soon, and when everybody has turned to something else.
WITHDRAWN = """
[[fault]]
kind = "withdraw"
after_ms = 150
rate = 0.04

[[fault]]
kind = "withdraw"
after_ms = 1500
outcome = "expire"
rate = 0.04

[[fault]]
kind = "withdraw"
after_ms = 8000
rate = 0.04
"""

_CODE = re.compile(r'"code":\s?(-\d+)')
_REFUSED = re.compile(r" refused, (\w+)")


@dataclass(frozen=True)
class Plan:
    """How one run is to be.

    Attributes:
        seed: Of the market and of everybody's choices.
        seconds: How long everybody acts.
        latency_ms: Round trip the exchange adds.
        folder: An empty folder for its files.
        settings: The guard's.
        hands: Whether somebody else has the account's keys too.
    """

    seed: int
    seconds: float
    latency_ms: int
    folder: Path
    settings: dict[str, Any]
    hands: bool = True


@dataclass
class Heard:
    """What a run left behind.

    Attributes:
        loops: Loops of the bot.
        acts: What remote control and other hands did, counted.
        refusals: What remote control was told instead, see `in_short`.
        failures: Errors that reached a caller though they are no answer: of whom, and which.
        database: Errors of the database by class, logged or raised.
        errors: Log lines of level ERROR or with a traceback, counted by where and how they begin.
        report: The exchange's.
        events: Its journal.
        recorded: Ids of the orders on the bot's records, in order.
        books: The bot's trades.
        differences: Symbols of which the bot and the exchange hold different amounts at the end.
        settled_s: After the last act, until there was no difference; None if never.
        now_ms: When it was over, epoch milliseconds.
        log: The bot's log.
    """

    loops: int = 0
    acts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    database: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    report: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)
    books: list[TradeBooks] = field(default_factory=list)
    differences: dict[str, dict[str, float]] = field(default_factory=dict)
    settled_s: float | None = None
    now_ms: int = 0
    log: str = ""

    def failed(self, who: str, error: BaseException) -> None:
        """Note an error that reached whoever asked for something."""
        places = traceback.extract_tb(error.__traceback__)[-1:]
        where = "".join(f" at {Path(place.filename).name}:{place.lineno}" for place in places)
        self.failures.append(f"{who}: {type(error).__name__}{where}: {error}"[:300])
        self.blame(error)

    def blame(self, error: BaseException | None) -> None:
        """Count an error of the database, wherever in a chain of errors it is."""
        while error is not None:
            if isinstance(error, SQLAlchemyError):
                self.database[type(error).__name__] += 1
                return
            error = error.__cause__ or error.__context__


def in_short(answer: Exception) -> str:
    """Return the guard's code of a refusal, or the exchange's, or else the first words."""
    text = str(answer)
    if refused := _REFUSED.search(text):
        return refused[1]
    if code := _CODE.search(text):
        return code[1]
    return " ".join(text.split()[:5])


class Ear(logging.Handler):
    """Hears every record of the bot's."""

    def __init__(self, heard: Heard) -> None:
        """Note what is an error in `heard`."""
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """Count an error by its logger and the first words of it."""
        error = record.exc_info[1] if record.exc_info else None
        if record.levelno >= logging.ERROR or error is not None:
            self._heard.errors[f"{record.name}: {record.getMessage()[:80]}"] += 1
            self._heard.blame(error)


class Person:
    """Somebody who acts by chance until told to stop."""

    def __init__(self, name: str, chance: random.Random, pause_s: tuple[float, float]) -> None:
        """Prepare; nothing happens before `start`."""
        self.name, self.chance, self._pause_s = name, chance, pause_s
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.over = threading.Event()

    def act(self) -> None:
        """Do one thing."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self.over.wait(self.chance.uniform(*self._pause_s)):
            self.act()


class Remote(Person):
    """Telegram's thread, or the REST API's: it asks the bot for whatever comes to mind."""

    def __init__(self, name: str, chance: random.Random, bot: FreqtradeBot, heard: Heard) -> None:
        """Act on `bot`."""
        super().__init__(name, chance, REMOTE_S)
        self._rpc, self._heard = RPC(bot), heard
        self._rate: Callable[[str], float] = lambda pair: bot.exchange.get_rate(
            pair, refresh=True, side="entry", is_short=False
        )

    def act(self) -> None:
        """Do one thing, as Freqtrade's own remote control does: in a session begun anew."""
        wishes = (self.enter, self.leave, self.leave_in_part, self.cancel, self.reload)
        (wish,) = self.chance.choices(wishes, (45, 21, 9, 10, 5))
        Trade.rollback()
        try:
            if wish():
                self._heard.acts[wish.__name__] += 1
        except (FreqtradeException, RPCException) as answer:
            self._heard.refusals[in_short(answer)] += 1
        except Exception as error:
            self._heard.failed(f"{self.name} {wish.__name__}", error)
        finally:
            Trade.session.remove()

    def enter(self) -> bool:
        """Force an entry, every third of them with a limit near the price."""
        pair, side = self.chance.choice(PAIRS), self.chance.choice(("long", "short"))
        kind = self.chance.choice(("market", "market", "limit"))
        near = 1 + self.chance.uniform(-0.002, 0.002)
        price = self._rate(pair) * near if kind == "limit" else None
        self._rpc._rpc_force_entry(pair, price, order_type=kind, order_side=SignalDirection(side))
        return True

    def leave(self) -> bool:
        """Leave a trade."""
        trade = self._any_trade()
        if trade is not None:
            self._rpc._rpc_force_exit(str(trade.id), self.chance.choice(("market", "limit")))
        return trade is not None

    def leave_in_part(self) -> bool:
        """Leave two fifths of a trade."""
        trade = self._any_trade()
        if trade is None or not trade.amount:
            return False
        kind = self.chance.choice(("market", "limit"))
        self._rpc._rpc_force_exit(str(trade.id), kind, amount=trade.amount * 0.4)
        return True

    def cancel(self) -> bool:
        """Cancel what is open of a trade."""
        waiting = [trade for trade in Trade.get_open_trades() if trade.has_open_orders]
        if waiting:
            self._rpc._rpc_cancel_open_order(self.chance.choice(waiting).id)
        return bool(waiting)

    def reload(self) -> bool:
        """Have a trade read anew from the exchange."""
        trade = self._any_trade()
        if trade is not None:
            self._rpc._rpc_reload_trade_from_exchange(trade.id)
        return trade is not None

    def _any_trade(self) -> Trade | None:
        found = Trade.get_open_trades()
        return self.chance.choice(found) if found else None


class Hands(Person):
    """Somebody else with the account's keys: cancels stops, and closes positions."""

    def __init__(self, name: str, chance: random.Random, url: str, heard: Heard) -> None:
        """Act on the exchange at `url`."""
        super().__init__(name, chance, HANDS_S)
        self._heard = heard
        self._client = httpx.Client(base_url=url, verify=False, timeout=30)  # noqa: S501  loopback

    def act(self) -> None:
        """Do one thing."""
        try:
            (self._close if self.chance.random() < 0.3 else self._cancel)()
        except Exception as error:
            self._heard.failed(self.name, error)

    def _cancel(self) -> None:
        live = self._ask("GET", "v1/openAlgoOrders").json()
        if live:
            algo_id = self.chance.choice(live)["algoId"]
            answer = self._ask("DELETE", "v1/algoOrder", algoId=algo_id)
            self._heard.acts["stops canceled by hand"] += answer.is_success

    def _close(self) -> None:
        positions = self._ask("GET", "v3/positionRisk").json()
        held_now = [row for row in positions if float(row["positionAmt"])]
        if held_now:
            row = self.chance.choice(held_now)
            amount = float(row["positionAmt"])
            answer = self._ask(
                "POST",
                "v1/order",
                symbol=row["symbol"],
                side="SELL" if amount > 0 else "BUY",
                type="MARKET",
                quantity=row["positionAmt"].lstrip("-"),
                reduceOnly="true",
            )
            self._heard.acts["positions closed by hand"] += answer.is_success

    def _ask(self, method: str, path: str, **values: object) -> httpx.Response:
        url = f"/fapi/{path}?{signed_query(values)}"
        return self._client.request(method, url, headers={"X-MBX-APIKEY": API_KEY})


def run(plan: Plan) -> Heard:
    """Let everybody act at once, then let the bot settle, and return what was heard."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    heard = Heard()
    with _opened(plan) as (venue, server), _bot(plan, server.port, heard) as bot:
        seen: list[Any] = []
        venue.journal.subscribe(seen.append)

        def events() -> list[Event]:
            return [event.as_json() for event in copy.copy(seen)]

        everybody: list[Person] = [
            Remote(f"remote {n}", _chance(plan, n), bot, heard) for n in range(REMOTES)
        ]
        if plan.hands:
            everybody.append(Hands("hands", _chance(plan, REMOTES), server.url, heard))
        for person in everybody:
            person.thread.start()
        _loop(bot, heard, plan.seconds)
        for person in everybody:
            person.over.set()
        for person in everybody:
            person.thread.join(JOIN_S)
            if person.thread.is_alive():
                heard.failures.append(f"{person.name}: hangs since {JOIN_S:.0f} s")
        _settle(bot, heard, plan.folder / DATABASE, events)
        with httpx.Client(base_url=server.url, verify=False, timeout=30) as client:  # noqa: S501
            heard.report = client.get("/_rehearsal/report").raise_for_status().json()
        heard.now_ms = venue.now_ms
        heard.events = events()
        _read(heard, plan.folder / DATABASE)
    heard.log = log_text(plan.folder / LOG)
    (plan.folder / "report.json").write_text(json.dumps(heard.report, indent=2))
    with (plan.folder / "events.jsonl").open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in heard.events)
    return heard


def _chance(plan: Plan, number: int) -> random.Random:
    return random.Random(1000 * plan.seed + number)  # noqa: S311  no secrets


def _loop(bot: FreqtradeBot, heard: Heard, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _process(bot, heard)
        time.sleep(LOOP_S)


def _process(bot: FreqtradeBot, heard: Heard) -> None:
    heard.loops += 1
    try:
        bot.process()
    except Exception as error:
        heard.failed("loop", error)


def _settle(
    bot: FreqtradeBot, heard: Heard, database: Path, events: Callable[[], list[Event]]
) -> None:
    started = time.monotonic()
    while (passed := time.monotonic() - started) < SETTLE_MOST_S:
        _process(bot, heard)
        same = not differences(held(events()), trades(database))
        if same and passed >= SETTLE_LEAST_S:
            heard.settled_s = round(passed, 1)
            return
        time.sleep(LOOP_S)


def _read(heard: Heard, database: Path) -> None:
    heard.recorded, heard.books = order_ids(database), trade_books(database)
    heard.differences = differences(held(heard.events), trades(database))


@contextmanager
def _opened(plan: Plan) -> Iterator[tuple[Venue, RehearsalServer]]:
    start_ms = _now_ms()
    tape, feed = build_market(SCENARIOS[SCENARIO], plan.seed, start_ms)
    venue = Venue(tape, feed, _now_ms)
    limits = RateLimits(lambda: venue.now_ms, *(10**9,) * 3)
    script = parse_script(WITHDRAWN, "withdrawn", plan.seed, ENDPOINTS)
    with RehearsalServer(venue, 0, plan.latency_ms, script, limits) as server:
        yield venue, server


@contextmanager
def _bot(plan: Plan, port: int, heard: Heard) -> Iterator[FreqtradeBot]:
    """Start a bot as `freqtrade trade` does, and run its first loop."""
    bot = FreqtradeBot(_config(plan, port))
    ear = Ear(heard)
    logging.root.addHandler(ear)
    try:
        bot.state = State.RUNNING
        bot.startup()
        bot.process()
        yield bot
    finally:
        bot.cleanup()
        logging.root.removeHandler(ear)


def _config(plan: Plan, port: int) -> dict[str, Any]:
    overlay = plan.folder / "rehearsal.json"
    own = {
        "force_entry_enable": True,
        "max_open_trades": len(PAIRS),
        "stake_amount": 160,
        "qt": plan.settings,
    }
    config = config_overlay(port) | own
    config["exchange"]["pair_whitelist"] = list(PAIRS)
    overlay.write_text(json.dumps(config))
    arguments = {
        "config": [str(base_config()), str(overlay)],
        "strategy": "GuardedFuzz",
        "strategy_path": str(STRATEGIES),
        "user_data_dir": str(plan.folder),
        "db_url": f"sqlite:///{(plan.folder / DATABASE).resolve()}",
        "logfile": str(plan.folder / LOG),
    }
    with redirect_stderr(io.StringIO()):  # it logs to the console until told otherwise
        found: dict[str, Any] = Configuration(arguments, RunMode.LIVE).get_config()
    for handler in list(logging.root.handlers):
        if not isinstance(handler, logging.FileHandler):
            logging.root.removeHandler(handler)
    return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
