"""The `exchange` command."""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from decimal import Decimal

import numpy as np

from qt_protections.rehearsal.conditional import FlatStops
from qt_protections.rehearsal.faults import BASELINE, Faults
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.scenarios import SCENARIOS
from qt_protections.rehearsal.server import HOST, PortInUseError, RehearsalServer
from qt_protections.rehearsal.tape import build_market
from qt_protections.rehearsal.venue import START_BALANCE, Venue

DEFAULT_PORT = 18443
PROGRAM = "qt-guard"

BANNER = """\
Rehearsal exchange is open. Nothing leaves this machine, and no real key is accepted.

  address    https://{host}:{port}
  market     {scenario}, seed {seed}, {latency_ms} ms round trips, {balance} USDT{faults}

  Use it from another terminal:
    {program} exchange --port {port} --print-config > rehearsal.json
    freqtrade trade -c config.json -c rehearsal.json --strategy QTStrategy

  What it saw:  curl -k https://{host}:{port}/_rehearsal/report
  Ctrl-C closes it. Start each rehearsal with a fresh database: rm -f rehearsal.sqlite*
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
    _add_market_options(parser)
    _add_exchange_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the exchange until it is interrupted.

    Args:
        args: The options of `add_parser`.

    Returns:
        0 when ended by Ctrl-C or SIGTERM, 2 if the port is in use.
    """
    if args.print_config:
        sys.stdout.write(json.dumps(config_overlay(args.port), indent=2) + "\n")
        return 0
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        server = RehearsalServer(
            open_venue(args.scenario, args.seed, args.balance, args.flat_stops),
            args.port,
            args.latency_ms,
            Faults(np.random.default_rng([args.seed, 99]), BASELINE) if args.faults else None,
        )
    except PortInUseError:
        sys.stderr.write(
            f"Port {args.port} on {HOST} is in use: end the program that has it, "
            f"or choose another with --port {args.port + 1}.\n"
        )
        return 2
    return _serve(server, args)


def open_venue(
    scenario: str,
    seed: int,
    balance: int = int(START_BALANCE),
    flat_stops: str = FlatStops.ACCEPT,
) -> Venue:
    """Return an exchange that runs on the wall clock.

    Args:
        scenario: Key of `SCENARIOS`.
        seed: Seed of the market.
        balance: USDT in the wallet.
        flat_stops: `accept` or `reject`.
    """
    tape, feed = build_market(SCENARIOS[scenario], seed, wall_clock_ms())
    return Venue(
        tape,
        feed,
        wall_clock_ms,
        balance=Decimal(balance),
        flat_stops=FlatStops(flat_stops),
        depth_ratio=SCENARIOS[scenario].depth_ratio,
    )


def wall_clock_ms() -> int:
    """Return the time of day, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _serve(server: RehearsalServer, args: argparse.Namespace) -> int:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with server:
        sys.stdout.write(
            BANNER.format(
                host=HOST,
                port=server.port,
                scenario=args.scenario,
                seed=args.seed,
                latency_ms=args.latency_ms,
                balance=args.balance,
                faults=", with faults" if args.faults else "",
                program=PROGRAM,
            )
        )
        sys.stdout.flush()
        done.wait()
    sys.stdout.write("Rehearsal exchange is closed.\n")
    return 0


def _bounded(low: int, high: int) -> "type[int]":
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be between {low} and {high}, was {value}")
        return value

    return parse  # type: ignore[return-value]


def _add_market_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        default="calm",
        help="market: "
        + ", ".join(
            f"{name} ({item.summary.replace('%', '%%')})" for name, item in SCENARIOS.items()
        ),
    )
    parser.add_argument(
        "--port", type=_bounded(0, 65_535), default=DEFAULT_PORT, help="0 picks a free one"
    )
    parser.add_argument(
        "--seed", type=_bounded(0, 2**32), default=7, help="same seed and minute, same market"
    )


def _add_exchange_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--latency-ms",
        type=_bounded(0, 60_000),
        default=50,
        metavar="MS",
        help="round trip added to every request",
    )
    parser.add_argument(
        "--balance",
        type=_bounded(1, 10**9),
        default=int(START_BALANCE),
        metavar="USDT",
        help="wallet at the start",
    )
    parser.add_argument(
        "--flat-stops",
        choices=[*FlatStops],
        default=FlatStops.ACCEPT,
        help="answer to a reduce-only stop sent before there is a position",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="let trading requests go wrong: 5%% refused as busy, 4%% done but answered as timed "
        "out, 1%% hanging, 10%% of conditional orders rejected after acceptance",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the config to pass to freqtrade as the last -c, and exit",
    )
