"""A campaign's run: an exchange, the bot on it, and one that watches both."""

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.live_bot import DATABASE, Bot, Exchange, Seen, Venue, held, log_text, opened
from benchmarks.never_naked.walk import Event, Ledger
from benchmarks.records import differences, order_ids, trades

#: In the bot's folder of user data; the campaign's strategy looks for it.
QUIET = "quiet"
SETTLE_LOOPS, SETTLE_S = 3, 60
TELL_EVERY_S, PING_EVERY_S = 15, 3
BALANCE, STAKE = 100_000, 160


@dataclass(frozen=True)
class Goal:
    """When a run is over: with so many entry orders filled, at the latest after so many seconds."""

    entries: int
    seconds: int


@dataclass(frozen=True)
class Run:
    """What a run left behind.

    Attributes:
        seen: Report, journal, log and trades.
        recorded: Ids of the orders on the bot's records, in order.
        settled_s: After the last signal, until trades and positions were equal; None if never.
        round_trip_ms: Median round trip of a bare request, as measured.
        now_ms: When it was over, epoch milliseconds.
        seconds: How long it was.
    """

    seen: Seen
    recorded: list[str]
    settled_s: float | None
    round_trip_ms: float
    now_ms: int
    seconds: float


@dataclass
class Watch:
    """Follows a run by the exchange's journal, which is a file, so that it costs no request.

    Attributes:
        events: The journal so far.
        entries: Orders so far whose fills opened or increased a position.
    """

    exchange: Exchange
    events: list[Event] = field(default_factory=list)
    entries: set[int] = field(default_factory=set)
    pings_ms: list[float] = field(default_factory=list)
    _ledger: Ledger = field(default_factory=Ledger)
    _offset: int = 0
    _told: float = 0.0
    _pinged: float = 0.0

    def read(self) -> list[Event]:
        """Take in, and return, what the journal has further."""
        with self.exchange.journal.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        new = [json.loads(line) for line in whole.splitlines()]
        for event in new:
            fill = self._ledger.take(event)
            if fill is not None and fill.enters:
                self.entries.add(event["order_id"])
        self.events += new
        return new

    def look(self) -> None:
        """Read on, time a request and tell of the progress, each when its time has come."""
        self.read()
        now = time.monotonic()
        if now - self._pinged >= PING_EVERY_S:
            self._pinged = now
            ping_ms = self.exchange.round_trip_ms()
            self.pings_ms += [] if ping_ms is None else [ping_ms]
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            passed = now - self.exchange.opened
            tell(f"  {passed:4.0f} s, {len(self.entries)} entries, {len(self.events)} events")

    def until(self, goal: Goal, process: "subprocess.Popen[bytes]") -> None:
        """Watch until the goal is reached, or the bot has ended by itself."""
        while (
            process.poll() is None
            and len(self.entries) < goal.entries
            and time.monotonic() < self.exchange.opened + goal.seconds
        ):
            self.look()
            time.sleep(0.25)

    def settle(self, throttle_s: int) -> float | None:
        """Have the strategy hold still, and wait until trades and positions are the same.

        Returns:
            Seconds until they were, at the least `SETTLE_LOOPS` loops; None if never.
        """
        (self.exchange.folder / "user_data" / QUIET).touch()
        started = time.monotonic()
        while (passed := time.monotonic() - started) < SETTLE_S + SETTLE_LOOPS * throttle_s:
            self.look()
            known = trades(self.exchange.folder / DATABASE)
            same = not differences(held(self.events), known)
            if same and passed >= SETTLE_LOOPS * throttle_s:
                return round(passed, 1)
            time.sleep(0.5)
        return None

    def conclude(self, log: str, settled_s: float | None, *, ended: bool) -> Run:
        """Return what the run left behind, as it is now."""
        report = self.exchange.ask("report")
        now_ms = time.time_ns() // 1_000_000
        database = self.exchange.folder / DATABASE
        known, recorded = trades(database), order_ids(database)
        self.read()
        (self.exchange.folder / "report.json").write_text(json.dumps(report, indent=2))
        return Run(
            Seen(report, self.events, log, known, ended),
            recorded,
            settled_s,
            round(statistics.median(self.pings_ms), 1) if self.pings_ms else 0.0,
            now_ms,
            round(time.monotonic() - self.exchange.opened, 1),
        )


def tell(line: str) -> None:
    """Say how far a campaign is."""
    print(line, file=sys.stderr, flush=True)


def run(folder: Path, bot: Bot, venue: Venue, goal: Goal) -> Run:
    """Let a bot trade on an exchange of its own until the goal is reached and all is settled."""
    folder.mkdir(parents=True, exist_ok=True)
    with opened(venue, folder) as exchange:
        watch = Watch(exchange)
        with exchange.traded_by(bot) as process:
            watch.until(goal, process)
            ended = process.poll() is not None
            settled_s = None if ended else watch.settle(bot.throttle_s)
            return watch.conclude(log_text(folder / bot.log), settled_s, ended=ended)
