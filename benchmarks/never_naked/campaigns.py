"""The campaigns: which bots run on which exchanges, and what is shown of them."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from benchmarks.live_bot import Bot, Venue
from benchmarks.never_naked import tables
from benchmarks.never_naked.figures import Figures, figures
from benchmarks.never_naked.rig import BALANCE, STAKE, Goal, run, tell

SCENARIO = "violent"
#: A trailing stop that is reached within half a minute; and room for one entry more than the
#: strategy wants, since a symbol at its limit is locked to the end of the candle.
SETTINGS = {
    "QT_TRAIL_CALLBACK": "0.3",
    "QT_TRAIL_ACTIVATION": "0.5",
    "QT_MAX_POSITIONS_PER_SYMBOL": "3",
}
PLACEMENTS = ("before_entry", "on_fill")


def guarded(arguments: argparse.Namespace, placement: str, *, verbose: bool = False) -> Bot:
    """Return the guarded bot of a campaign."""
    return Bot(
        "GuardedCampaign",
        stake=STAKE,
        throttle_s=arguments.throttle,
        environment=SETTINGS | {"QT_STOP_PLACEMENT": placement} | dict(arguments.set),
        verbose=verbose,
    )


def exchange(
    arguments: argparse.Namespace, latency_ms: int | None = None, faults: str | None = None
) -> Venue:
    """Return the exchange of a campaign; at the first of the asked latencies if none is given."""
    latency_ms = arguments.latency_ms[0] if latency_ms is None else latency_ms
    return Venue(SCENARIO, arguments.seed, faults, latency_ms, BALANCE)


def violent(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Run the guarded bot in each placement at each latency, one after the other."""
    goal = Goal(arguments.entries or 100, arguments.seconds or 900)
    result: dict[str, Figures] = {}
    for placement in arguments.placement:
        for latency_ms in arguments.latency_ms:
            name = f"{placement} {latency_ms} ms"
            tell(name)
            bot, venue = guarded(arguments, placement), exchange(arguments, latency_ms)
            left = run(folder / name.replace(" ", "-"), bot, venue, goal)
            result[name] = figures(left, latency_ms)
    rows = tables.TRADED + tables.NAKED + tables.REFUSED + tables.ORDERS
    return result, tables.side_by_side("Guarded in a violent market", rows, result)


def storm(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Run the guarded bot under a fault script."""
    goal = Goal(arguments.entries or 300, arguments.seconds or 2400)
    venue = exchange(arguments, faults=arguments.faults)
    result: dict[str, Figures] = {}
    for placement in arguments.placement:
        tell(placement)
        left = run(folder / placement, guarded(arguments, placement, verbose=True), venue, goal)
        result[placement] = figures(left, venue.latency_ms)
    rows = tables.FAULTS + tables.TRADED + tables.NAKED + tables.REFUSED + tables.ORDERS
    return result, tables.side_by_side(f"Guarded under {arguments.faults}", rows, result)


def side_by_side(arguments: argparse.Namespace, folder: Path) -> tuple[Figures, Table]:
    """Run the same signals plain and guarded at once, on two exchanges with the same market."""
    goal = Goal(arguments.entries or 10**9, arguments.seconds or 300)
    watched = guarded(arguments, arguments.placement[0])
    bots = {"vanilla": replace(watched, strategy="PlainCampaign"), "guarded": watched}
    venue = exchange(arguments)

    def one(name: str) -> Figures:
        return figures(run(folder / name, bots[name], venue, goal), venue.latency_ms)

    with ThreadPoolExecutor(len(bots)) as pool:
        result = dict(zip(bots, pool.map(one, bots), strict=True))
    rows = tables.TRADED + tables.NAKED + tables.REFUSED + tables.ORDERS
    return result, tables.side_by_side("The same signals side by side", rows, result)
