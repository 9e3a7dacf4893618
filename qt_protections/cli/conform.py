"""`qt-guard conform`: whether the guard changes anything it was not asked to."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from qt_protections.cli.arguments import add_configuration

if TYPE_CHECKING:
    from qt_protections.conformance.guarding import Found
    from qt_protections.conformance.runs import Compared

_DESCRIPTION = """\
Backtest every strategy of a folder twice, plain and under the guard with every rule off, and
compare the trades. They have to be the same: pair, side, times, rates, amount, stake, leverage,
tags, exit reason, stops and number of orders. What differs is a fault of the guard; please
report it with the words printed here.

Both backtests are the real `freqtrade backtesting`, with your configuration, your candles and
protections switched on. The guarded strategy is `class GuardedX(QTGuard, X): pass` in a folder
of its own; your files stay as they are. Rules that are off: the short gate, the limits of
symbols, risk and open risk, the trailing stop, the bounds of stops, and the leverage that keeps
the liquidation beyond the stop. QT_... in the environment counts for neither. With FreqAI each
backtest trains models of its own, which are removed at the end.

Exit code: 0 all equal, 1 one or more differ, 2 something could not be compared."""

_EPILOG = """\
examples:
  qt-guard conform --strategy-path user_data/strategies -c config.json
  qt-guard conform --strategy-path user_data/strategies -c config.json \\
      --strategy MyStrategy --timerange 20240101-20240401
  qt-guard conform --strategy-path mine --json | jq '.[] | select(.verdict != "equal")'
  qt-guard conform --strategy-path mine -c config.json --keep out/conform   keeps the logs"""


class CannotConform(Exception):  # noqa: N818  states the fact
    """There is nothing to compare; the text says what to do."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `qt-guard conform`."""
    parser = commands.add_parser(
        "conform",
        help="backtest your strategies plain and guarded with every rule off, and compare",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--strategy-path",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of plain strategies",
    )
    parser.add_argument(
        "--strategy",
        nargs="+",
        metavar="NAME",
        help="only these (default: every one of the folder)",
    )
    add_configuration(parser, user_data="user_data")
    parser.add_argument(
        "-d", "--datadir", metavar="DIR", help="as for freqtrade: where the candles are"
    )
    parser.add_argument("--timerange", metavar="RANGE", help="as for freqtrade: 20240101-20240401")
    parser.add_argument(
        "-j", "--jobs", type=int, default=1, metavar="N", help="backtests at once (1)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="new folder that keeps the logs and the results"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare all, show it, and return the exit code."""
    from qt_protections.cli import bot_config  # noqa: PLC0415  slow to load
    from qt_protections.conformance.runs import Verdict, compare_all  # noqa: PLC0415  the same

    found = _chosen(arguments.strategy_path, arguments.strategy)
    files = bot_config.files_of(arguments.config, arguments.user_data_dir)
    config = bot_config.load(files, arguments.user_data_dir) or {}
    user_data = bot_config.user_data(config, arguments.user_data_dir)
    told = Console(stderr=True)
    results: list[Compared] = []
    with (
        _ends_in_order(),
        _folder(arguments.keep) as out,
        _models(user_data, is_freqai="freqai" in config) as models,
    ):
        options = _options(arguments, files)
        for result in compare_all(found, options, out, max(1, arguments.jobs), models):
            results.append(result)
            told.print(
                f"[{len(results)}/{len(found)}] {result.strategy}: {result.verdict}",
                markup=False,
                highlight=False,
            )
    results.sort(key=lambda each: each.strategy)
    if arguments.json:
        print(json.dumps([asdict(each) for each in results], indent=2))
    else:
        show(Console(), results)
    verdicts = {each.verdict for each in results}
    if Verdict.DIFFERENT in verdicts:
        return 1
    return 2 if Verdict.NOT_RUN in verdicts else 0


def show(console: Console, results: Sequence["Compared"]) -> None:
    """Print the table, and below it the words for what is not plainly equal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", overflow="fold")
    table.add_column("plain", justify="right")
    table.add_column("guarded", justify="right")
    table.add_column("trades are")
    colours = {"equal": "green", "different": "bold red"}
    for each in results:
        counts = ("-" if n is None else f"{n:,}" for n in (each.plain, each.guarded))
        colour = colours.get(each.verdict, "yellow")
        table.add_row(each.strategy, *counts, f"[{colour}]{each.verdict}")
    console.print(table)
    for each in results:
        if each.words:
            console.print(f"{each.strategy}: {each.words}", markup=False, highlight=False)


def _chosen(folder: Path, names: Sequence[str] | None) -> list["Found"]:
    from qt_protections.conformance.guarding import strategies  # noqa: PLC0415  slow to load

    if not folder.is_dir():
        raise CannotConform(f"{folder} is no folder. Give --strategy-path one with strategies.")
    found = strategies(folder)
    if names is not None:
        if missing := sorted(set(names) - {each.name for each in found}):
            known = ", ".join(each.name for each in found if not each.trouble) or "none"
            raise CannotConform(f"{folder} has no {', '.join(missing)}; there are: {known}")
        found = [each for each in found if each.name in names]
    if not found:
        raise CannotConform(f"{folder} has no plain strategy.")
    return found


def _options(arguments: argparse.Namespace, files: Sequence[str]) -> list[str]:
    options = [f"--config={file}" for file in files]
    for name in ("user_data_dir", "datadir", "timerange"):
        if (value := getattr(arguments, name)) is not None:
            options.append(f"--{name.replace('_', '-')}={value}")
    return options


@contextmanager
def _models(user_data: Path, *, is_freqai: bool) -> Iterator[str]:
    """Yield the folder of FreqAI's models of all these backtests, within its own; empty without.

    Freqtrade would take models that another run has trained for those of this one.
    """
    name = f"qt-guard-conform-{token_hex(4)}" if is_freqai else ""
    try:
        yield name
    finally:
        if name:
            shutil.rmtree(user_data / "models" / name, ignore_errors=True)


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Let SIGTERM end the command as an interrupt does: with its backtests, and what they wrote."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="qt-guard-conform-") as name:
            yield Path(name)
    elif keep.exists():
        raise CannotConform(f"{keep} is there already; give --keep a new folder.")
    else:
        keep.mkdir(parents=True)
        yield keep.resolve()
