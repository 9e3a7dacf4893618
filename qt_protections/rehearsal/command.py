"""The `exchange` command."""

import argparse
import json
import logging
import shlex
import signal
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.event_log import EventLog
from qt_protections.rehearsal.faults.script import FaultScript, FaultScriptError, load_script
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.candles import MINUTE_MS
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, offered
from qt_protections.rehearsal.market.recordings import (
    ReplayError,
    ReplayFacts,
    recorded_files,
    utc_text,
)
from qt_protections.rehearsal.market.replay import open_replay
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import HISTORY_DAYS, MANY_HISTORY_DAYS, build_market
from qt_protections.rehearsal.options import add_exchange_options, add_market_options
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import HOST, PortInUseError, RehearsalServer, spare_the_market
from qt_protections.rehearsal.venue import POSITION_LAG_MS, START_BALANCE, Venue

PROGRAM = "qt-guard"

BANNER = """\
Rehearsal exchange is open. Nothing leaves this machine, and no real key is accepted.

  address    https://{host}:{port}
  market     {market}, seed {seed}, {latency_ms} ms round trips, {balance} USDT{faults}
{replay}
  Use it from another terminal:
    {program} exchange --port {port}{folder} --print-config > rehearsal.json
    freqtrade trade -c config.json -c rehearsal.json --strategy QTStrategy

  Watch it:     open https://{host}:{port}/ in a browser; it warns of the certificate, which
                is made at each start and signed by nobody
  What it saw:  curl -k https://{host}:{port}/_rehearsal/report
  Ctrl-C closes it. Start each rehearsal with a fresh database: rm -f rehearsal.sqlite*
"""


REPLAY_LINES = """\
  time       recorded candles are moved by {shift} minutes, so that --start is now; speed {speed:g}
             prices hold still from {end} UTC on, when the files end
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the `exchange` command on a command line's subparsers."""
    parser = subparsers.add_parser(
        "exchange",
        help="run the rehearsal exchange: a local Binance USD-M futures exchange",
        description="A local Binance USD-M futures exchange for the real Freqtrade in live mode. "
        "It listens on 127.0.0.1 only and trades in play money.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_market_options(parser)
    add_exchange_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the exchange until it is interrupted.

    Args:
        args: The options of `add_parser`.

    Returns:
        0 when ended by Ctrl-C or SIGTERM, 2 if the port is in use, or the replay or the fault
        script impossible.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        if args.print_config:
            sys.stdout.write(json.dumps(_overlay(args), indent=2) + "\n")
            return 0
        script = _script(args)
        venue = _venue(args)
    except (ReplayError, FaultScriptError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    try:
        server = RehearsalServer(venue, args.port, args.latency_ms, script)
    except PortInUseError:
        sys.stderr.write(
            f"Port {args.port} on {HOST} is in use: end the program that has it, "
            f"or choose another with --port {args.port + 1}.\n"
        )
        return 2
    if args.events is None:
        return _serve(server, args)
    try:
        log = EventLog(args.events)
    except OSError as error:
        sys.stderr.write(f"--events {args.events} cannot be written: {error.strerror}.\n")
        return 2
    venue.journal.subscribe(log.take)
    with log:
        code = _serve(server, args)
    if log.lost:
        sys.stderr.write(
            f"{log.lost} events are missing in {args.events}: the disk was too slow.\n"
        )
    return code


def open_venue(
    scenario: str,
    seed: int,
    balance: int = int(START_BALANCE),
    flat_stops: str = FlatStops.ACCEPT,
    position_lag_ms: int = POSITION_LAG_MS,
    pairs: int = len(INSTRUMENTS),
) -> Venue:
    """Return an exchange that runs on the wall clock.

    Args:
        scenario: Key of `SCENARIOS`.
        seed: Seed of the market.
        balance: USDT in the wallet.
        flat_stops: `accept` or `reject`.
        position_lag_ms: Time for which `closePosition` orders do not see a new position.
        pairs: How many contracts are on offer.
    """
    days = HISTORY_DAYS if pairs <= len(INSTRUMENTS) else MANY_HISTORY_DAYS
    tape, feed = build_market(SCENARIOS[scenario], seed, wall_clock_ms(), offered(pairs), days)
    return Venue(
        tape,
        feed,
        wall_clock_ms,
        balance=Decimal(balance),
        flat_stops=FlatStops(flat_stops),
        position_lag_ms=position_lag_ms,
        depth_ratio=SCENARIOS[scenario].depth_ratio,
        funding_seed=seed,
        market=scenario,
    )


def open_replay_venue(
    folder: Path,
    start_ms: int,
    speed: float,
    seed: int,
    balance: int = int(START_BALANCE),
    flat_stops: str = FlatStops.ACCEPT,
    position_lag_ms: int = POSITION_LAG_MS,
) -> Venue:
    """Return an exchange that replays recorded candles on the wall clock.

    Args:
        folder: Freqtrade data folder.
        start_ms: First live candle, file time, epoch milliseconds.
        speed: Candle minutes per minute.
        seed: Seed of the ticks inside each candle.
        balance: USDT in the wallet.
        flat_stops: `accept` or `reject`.
        position_lag_ms: Time for which `closePosition` orders do not see a new position.

    Raises:
        ReplayError: If the folder does not hold that market.
    """
    tape, feed, facts = open_replay(folder, start_ms, speed, seed, wall_clock_ms())
    return Venue(
        tape,
        feed,
        wall_clock_ms,
        balance=Decimal(balance),
        flat_stops=FlatStops(flat_stops),
        position_lag_ms=position_lag_ms,
        market=f"replay from {facts.start:%Y-%m-%dT%H:%M}",
        replayed=facts,
        funding_seed=seed,
    )


def wall_clock_ms() -> int:
    """Return the time of day, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _overlay(args: argparse.Namespace) -> JsonObject:
    if args.replay is None:
        return config_overlay(args.port, offered(_pairs(args)))
    return config_overlay(args.port, [item for item, _ in recorded_files(args.replay)])


def _script(args: argparse.Namespace) -> FaultScript | None:
    return None if args.faults is None else load_script(args.faults, args.seed, ENDPOINTS)


def _venue(args: argparse.Namespace) -> Venue:
    behaviour = {
        "balance": args.balance,
        "flat_stops": args.flat_stops,
        "position_lag_ms": args.position_lag_ms,
    }
    if args.replay is None:
        if args.start is not None or args.speed is not None:
            raise ReplayError("--start and --speed need --replay DIR.")
        return open_venue(args.scenario, args.seed, **behaviour, pairs=_pairs(args))
    if args.pairs is not None:
        raise ReplayError("--pairs needs a scenario: a replay has the pairs it finds.")
    if args.start is None:
        raise ReplayError("--replay needs --start, such as --start 2025-02-02T20:00 (UTC).")
    speed = 1.0 if args.speed is None else args.speed
    return open_replay_venue(args.replay, args.start, speed, args.seed, **behaviour)


def _pairs(args: argparse.Namespace) -> int:
    return len(INSTRUMENTS) if args.pairs is None else args.pairs


def _replay_text(facts: ReplayFacts | None) -> str:
    if facts is None:
        return ""
    return REPLAY_LINES.format(
        shift=f"{facts.shift_ms // MINUTE_MS:+,}",
        end=utc_text(facts.ends_ms),
        speed=facts.speed,
    )


def _serve(server: RehearsalServer, args: argparse.Namespace) -> int:
    facts = server.venue.replayed
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    spare_the_market()
    with server:
        sys.stdout.write(
            BANNER.format(
                host=HOST,
                port=server.port,
                market=server.venue.market,
                replay=_replay_text(facts),
                folder="" if facts is None else f" --replay {shlex.quote(str(args.replay))}",
                seed=args.seed,
                latency_ms=args.latency_ms,
                balance=args.balance,
                faults="" if args.faults is None else f", faults {args.faults}",
                program=PROGRAM,
            )
        )
        sys.stdout.flush()
        done.wait()
    sys.stdout.write("Rehearsal exchange is closed.\n")
    return 0
