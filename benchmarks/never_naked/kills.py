"""Kill -9 at random moments, a restart at once, and what stood naked until it took over."""

import argparse
import itertools
import random
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from benchmarks.live_bot import Bot, Exchange, log_text, opened
from benchmarks.never_naked import tables
from benchmarks.never_naked.campaigns import exchange, guarded
from benchmarks.never_naked.figures import Figures, figures
from benchmarks.never_naked.naked import Gap, gaps
from benchmarks.never_naked.orphans import loops
from benchmarks.never_naked.rig import Watch, tell
from benchmarks.never_naked.walk import Event

KILLS = 50
#: Events of the journal that the bot's own doing brings about, or that it has to answer.
ORDER_PATH = frozenset(
    {
        "order_accepted",
        "order_filled",
        "order_canceled",
        "stop_accepted",
        "stop_canceled",
        "stop_triggered",
    }
)
MOST_EVENTS, MOST_AFTER_S = 12, 0.3
#: A start costs hundreds of request weights of the 2400 a minute, so a life has to be long enough.
LEAST_S, RANDOM_S, PATIENCE_S = 8.0, 30.0, 60.0
FEWER_PAIRS = [{"method": "StaticPairList"}, {"method": "OffsetFilter", "number_assets": 5}]


@dataclass(frozen=True)
class Life:
    """The bot from one start to its end, epoch milliseconds.

    Attributes:
        started_ms: When its process was started.
        looped_ms: When the work of its first loop was done, None if it never was.
        ended_ms: When it was killed; of the last one, when the campaign was over.
        moment: How the moment of its end was chosen.
    """

    started_ms: int
    looped_ms: int | None
    ended_ms: int
    moment: str


@dataclass(frozen=True)
class Restart:
    """What one restart found and did.

    Attributes:
        moment: How the moment of the kill before it was chosen.
        naked_at_kill: Symbols that stood naked when the bot was killed.
        naked_after_loop: Those that stood naked when the work of its first loop was done.
        naked_s: Naked seconds of all symbols from the kill until then.
        took_s: From the start of its process until then.
        entered_first: Symbols in which it sent an entry while a position that was naked at its
            start, of any symbol, still was.
    """

    moment: str
    naked_at_kill: list[str]
    naked_after_loop: list[str]
    naked_s: float
    took_s: float
    entered_first: list[str]


def judge(lives: Sequence[Life], found: Sequence[Gap], events: Iterable[Event]) -> list[Restart]:
    """Return what each restart did that came to the end of its first loop.

    A restart that was killed before that leaves its work to the next, whose naked time then
    counts from its own kill. Everything is covered within the first loop if no gap is open at
    the moment its work was done, whether it began before the kill or in the loop itself.

    Args:
        lives: The bot's, the first start included, oldest first.
        found: All naked gaps, those included that last.
        events: The journal.
    """
    entries = [e for e in events if e["kind"] == "order_accepted" and not e.get("reduce_only")]
    restarts = []
    for before, life in itertools.pairwise(lives):
        if life.looped_ms is None:
            continue
        looped_ms = life.looped_ms
        inherited = [gap for gap in found if _stands(gap, life.started_ms)]
        restarts.append(
            Restart(
                moment=before.moment,
                naked_at_kill=_naked(found, before.ended_ms),
                naked_after_loop=_naked(found, looped_ms),
                naked_s=sum(_overlap_ms(gap, before.ended_ms, looped_ms) for gap in found) / 1000,
                took_s=(looped_ms - life.started_ms) / 1000,
                entered_first=sorted(
                    {
                        entry["symbol"]
                        for entry in entries
                        if life.started_ms <= entry["ms"] <= looped_ms
                        and any(_stands(gap, entry["ms"]) for gap in inherited)
                    }
                ),
            )
        )
    return restarts


def kills(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Kill the guarded bot again and again, and start it anew at once on the same database."""
    rng = random.Random(arguments.seed)  # noqa: S311  moments, not secrets
    venue = exchange(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    lives: list[Life] = []
    with opened(venue, folder) as place:
        watch = Watch(place)
        fewer = {"pairlists": FEWER_PAIRS}
        bot = replace(guarded(arguments, arguments.placement[0], verbose=True), config=fewer)
        for number in range(arguments.kills):
            lives.append(_one_life(watch, replace(bot, log=_log(number)), rng))
            tell(f"{number + 1}/{arguments.kills} killed {lives[-1].moment}")
        last = replace(bot, log=_log(arguments.kills))
        started_ms = _now_ms()
        with place.traded_by(last) as process:
            _await_loop(watch, last, process)
            settled_s = watch.settle(bot.throttle_s)
            logs = [log_text(folder / _log(number)) for number in range(arguments.kills + 1)]
            ended = process.poll() is not None
            run = watch.conclude("".join(logs), settled_s, ended=ended)
    lives.append(Life(started_ms, _looped_ms(place, last), run.now_ms, "the end"))
    restarts = judge(lives, gaps(run.seen.report), run.seen.events)
    result = {"kills": _summed(restarts, lives)} | figures(run, venue.latency_ms)
    name = f"{arguments.kills} kills"
    rows = tables.KILLS + tables.TRADED + tables.NAKED + tables.REFUSED + tables.ORDERS
    return {name: result}, tables.side_by_side("Killed and restarted", rows, {name: result})


def _one_life(watch: Watch, bot: Bot, rng: random.Random) -> Life:
    started_ms = _now_ms()
    by_event = rng.random() < 0.5
    with watch.exchange.traded_by(bot) as process:
        if by_event:
            _await_loop(watch, bot, process)
            _wait(watch, process, LEAST_S)
            moment = _await_event(watch, process, rng)
        else:
            after_s = rng.uniform(0, RANDOM_S)
            moment = f"{after_s:.1f} s after its start"
            _wait(watch, process, after_s)
        if process.poll() is not None:
            raise RuntimeError(f"the bot ended by itself; see {bot.log}")
        process.kill()
        process.wait()
        ended_ms = _now_ms()
    return Life(started_ms, _looped_ms(watch.exchange, bot), ended_ms, moment)


def _await_loop(watch: Watch, bot: Bot, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if _looped_ms(watch.exchange, bot) is not None:
            return
        watch.look()
        time.sleep(0.05)


def _await_event(watch: Watch, process: "subprocess.Popen[bytes]", rng: random.Random) -> str:
    """Wait for one of the next events of the order path and a moment more; say which it was."""
    left, after_s = rng.randint(1, MOST_EVENTS), rng.uniform(0, MOST_AFTER_S)
    deadline = time.monotonic() + PATIENCE_S
    watch.read()
    while process.poll() is None and time.monotonic() < deadline:
        for event in watch.read():
            left -= event["kind"] in ORDER_PATH
            if not left:
                time.sleep(after_s)
                return f"{after_s * 1000:.0f} ms after {event['kind']} of {event['symbol']}"
        time.sleep(0.005)
    return f"after {PATIENCE_S:.0f} s without so many events"


def _wait(watch: Watch, process: "subprocess.Popen[bytes]", seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and (left := deadline - time.monotonic()) > 0:
        watch.look()
        time.sleep(min(left, 0.25))


def _looped_ms(place: Exchange, bot: Bot) -> int | None:
    found = loops(log_text(place.folder / bot.log))
    return found[0].end_ms if found else None


def _summed(restarts: list[Restart], lives: list[Life]) -> Figures:
    late = [restart for restart in restarts if restart.naked_after_loop]
    return {
        "kills": len(lives) - 1,
        "judged": len(restarts),
        "killed_before_their_loop": sum(life.looped_ms is None for life in lives[1:-1]),
        "found_naked": sum(bool(restart.naked_at_kill) for restart in restarts),
        "covered_in_first_loop": len(restarts) - len(late),
        "entered_before_covered": sum(bool(restart.entered_first) for restart in restarts),
        "naked_s": round(sum(restart.naked_s for restart in restarts), 3),
        "took_s": round(max((restart.took_s for restart in restarts), default=0.0), 1),
        "late": [vars(restart) for restart in late],
        "moments": [life.moment for life in lives[:-1]],
    }


def _log(number: int) -> str:
    return f"freqtrade-{number}.log"


def _naked(found: Iterable[Gap], ms: int) -> list[str]:
    return sorted({gap.symbol for gap in found if _stands(gap, ms)})


def _stands(gap: Gap, ms: int) -> bool:
    return gap.start_ms <= ms < gap.end_ms


def _overlap_ms(gap: Gap, start_ms: int, end_ms: int) -> int:
    return max(0, min(gap.end_ms, end_ms) - max(gap.start_ms, start_ms))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
