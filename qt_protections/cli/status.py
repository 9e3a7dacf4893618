"""`qt-guard status`: what the guard of a running bot knows and has refused."""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from qt_protections.cli.arguments import add_configuration, add_database
from qt_protections.reporting.status_file import Snapshot, Unreadable, as_json, read, status_path
from qt_protections.reporting.status_table import as_page, warning

_DESCRIPTION = """\
Show what the guard of a running bot knows and has refused: the market's regime, equity, the
open risk and its limit, each position with its stop, and each refused entry with its reason.

The bot writes it down in each of its loops, in live mode and in dry runs, in
user_data/qt_guard/status-XXXX.json. XXXX is the bot's identity, made of bot_name and the
database of its trades, so run this in the bot's folder, with the same -c, --user-data-dir,
--db-url and --dry-run as `freqtrade trade`. Nothing is asked of the exchange or of the bot.
All times are UTC."""

_EPILOG = """\
examples:
  qt-guard status                                    of the bot of ./config.json
  qt-guard status -c config.json -c rehearsal.json   of the bot that runs with both
  qt-guard status --watch                            refreshed each second, until Ctrl-C
  qt-guard status --json | jq .totals                refused so far, by rule"""


class NoStatus(Exception):  # noqa: N818  states the fact
    """There is nothing to show; the text says what to do."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `qt-guard status`."""
    parser = commands.add_parser(
        "status",
        help="show what the guard of a running bot knows and has refused",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_configuration(parser)
    add_database(parser)
    parser.add_argument("--dry-run", action="store_true", help="if the bot was started with it")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.add_argument("--watch", action="store_true", help="refresh in place until Ctrl-C")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the status; 0 also for an old one, which says so."""
    path = _path(arguments)
    snapshot = _read(path)
    now = datetime.now(UTC)
    if arguments.json:
        print(as_json(snapshot).decode())
        if (wrong := warning(snapshot, now)) is not None:
            print(f"warning: {wrong}", file=sys.stderr)
    elif arguments.watch:
        watch(Console(), lambda: page(path), lambda: time.sleep(1))
    else:
        Console().print(as_page(snapshot, now))
    return 0


def watch(console: Console, page: Callable[[], RenderableType], wait: Callable[[], object]) -> None:
    """Show what `page` returns, anew after each `wait`, until Ctrl-C."""
    try:
        with Live(page(), console=console, auto_refresh=False) as live:
            while True:
                wait()
                live.update(page(), refresh=True)
    except KeyboardInterrupt:
        return


def page(path: Path) -> RenderableType:
    """Return what a file shows now; a bot that starts anew may leave it unreadable meanwhile."""
    try:
        return as_page(_read(path), datetime.now(UTC))
    except NoStatus as error:
        return Text(str(error), "bold red")


def _path(arguments: argparse.Namespace) -> Path:
    from qt_protections.cli import bot_config  # noqa: PLC0415  loads Freqtrade
    from qt_protections.stops.state.client_ids import identity  # noqa: PLC0415

    config = bot_config.load(arguments.config, arguments.user_data_dir)
    if config is None:
        raise NoStatus(
            "there is neither user_data/config.json nor config.json here: run this in the bot's "
            "folder, or name its configuration with -c."
        )
    url = bot_config.database(config, arguments.db_url, dry_run=arguments.dry_run)
    folder = bot_config.user_data(config, arguments.user_data_dir)
    return status_path(folder, identity(config.get("bot_name", ""), url))


def _read(path: Path) -> Snapshot:
    try:
        return read(path)
    except FileNotFoundError:
        raise NoStatus(
            f"there is no {path}: no guarded bot of this configuration has run a loop here. Run "
            "this in the bot's folder, with the same -c, --user-data-dir, --db-url and --dry-run "
            f"as `freqtrade trade`.{_others(path)}"
        ) from None
    except Unreadable as error:
        raise NoStatus(
            f"{path} is broken ({error}). A running bot replaces it in its next loop; if this "
            "stays, the bot runs another version of qt-protections than this command: restart it."
        ) from error


def _others(path: Path) -> str:
    """Name the bots that did write here."""
    found = []
    for other in sorted(path.parent.glob("status-*.json")):
        try:
            bot = read(other).bot
        except (FileNotFoundError, Unreadable):
            continue
        found.append(f"{other.name} ({bot.name}, {bot.strategy}, {bot.mode})")
    return f" There are those of other bots: {', '.join(found)}." if found else ""
