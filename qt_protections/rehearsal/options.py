"""The options of the `exchange` command."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.faults.script import shipped_scripts
from qt_protections.rehearsal.market.candles import MINUTE_MS
from qt_protections.rehearsal.market.instruments import INSTRUMENTS
from qt_protections.rehearsal.market.replay import MAX_SPEED, MIN_SPEED
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.venue import POSITION_LAG_MS, START_BALANCE

DEFAULT_PORT = 18443
DEFAULT_FAULTS = "mix"
MOST_PAIRS = 300


def add_market_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose prices: a scenario or a replay, its port and its seed."""
    market = parser.add_mutually_exclusive_group()
    market.add_argument(
        "--scenario",
        choices=sorted(SCENARIOS),
        default="calm",
        help="market: "
        + ", ".join(
            f"{name} ({item.summary.replace('%', '%%')})" for name, item in SCENARIOS.items()
        ),
    )
    market.add_argument(
        "--replay",
        type=Path,
        metavar="DIR",
        help="replay the 1m futures candles of a Freqtrade data folder instead",
    )
    parser.add_argument(
        "--start",
        type=_minute_ms,
        metavar="TIME",
        help="first live candle of the replay, UTC, such as 2025-02-02T20:00",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        help=f"candle minutes per minute of a replay, {MIN_SPEED:g} to {MAX_SPEED:g}; else 1",
    )
    parser.add_argument(
        "--pairs",
        type=_bounded(1, MOST_PAIRS),
        metavar="N",
        help=f"contracts of a scenario, made-up ones after {len(INSTRUMENTS)}, "
        f"with less history then; else {len(INSTRUMENTS)}",
    )
    parser.add_argument(
        "--port", type=_bounded(0, 65_535), default=DEFAULT_PORT, help="0 picks a free one"
    )
    parser.add_argument(
        "--seed", type=_bounded(0, 2**32), default=7, help="same seed and minute, same market"
    )


def add_exchange_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose how the exchange behaves."""
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
        "--position-lag-ms",
        type=_bounded(0, 60_000),
        default=POSITION_LAG_MS,
        metavar="MS",
        help="for so long after a position opens closePosition orders are refused (-4509)",
    )
    parser.add_argument(
        "--faults",
        nargs="?",
        const=DEFAULT_FAULTS,
        metavar="SCRIPT",
        help="let things go wrong as a script says: a TOML file, or one of "
        f"{', '.join(shipped_scripts())}; {DEFAULT_FAULTS} if none is named",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="write every event to FILE as JSON Lines, replacing what it held",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print the config to pass to freqtrade as the last -c, and exit",
    )


def _bounded(low: int, high: int) -> "type[int]":
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be between {low} and {high}, was {value}")
        return value

    return parse  # type: ignore[return-value]


def _minute_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2025-02-02T20:00, was {text}"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    ms = round(moment.timestamp() * 1000)
    if ms % MINUTE_MS:
        raise argparse.ArgumentTypeError(f"must be a whole minute, was {text}")
    return ms


def _speed(text: str) -> float:
    value = float(text)
    if not MIN_SPEED <= value <= MAX_SPEED:
        raise argparse.ArgumentTypeError(
            f"must be between {MIN_SPEED:g} and {MAX_SPEED:g}, was {text}"
        )
    return value
