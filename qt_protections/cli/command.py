"""`qt-guard`: what a person asks of the guard from a terminal."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table

from qt_protections import __version__
from qt_protections.cli import conform, demo, detach, status
from qt_protections.configuration import (
    CONFIG_BLOCK,
    Loaded,
    SettingsError,
    block_of,
    describe,
    load_settings,
)
from qt_protections.rehearsal import command as exchange_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 2 is a mistake of the caller's."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (
        SettingsError,
        status.NoStatus,
        demo.DemoFailed,
        conform.CannotConform,
        detach.CannotDetach,
    ) as error:
        print(f"qt-guard: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("qt-guard: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qt-guard",
        description="The guard of your Freqtrade bot: its settings, its state, its parts, and an "
        "exchange to rehearse on.",
        epilog="Trading itself runs under the plain freqtrade commands, with a strategy such as "
        "`class Mine(QTGuard, MyStrategy): pass`.",
    )
    parser.add_argument("--version", action="version", version=f"qt-protections {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_settings(commands)
    status.add_parser(commands)
    conform.add_parser(commands)
    detach.add_parser(commands)
    _add_list(commands)
    exchange_command.add_parser(commands)
    demo.add_parser(commands)
    return parser


def _add_settings(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "settings",
        help="print every setting, its value and where it came from",
        description="Print every setting with its value, unit, bounds and origin. The environment "
        f'(QT_...) wins over the "{CONFIG_BLOCK}" block of the configuration, and that over the '
        "default.",
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        metavar="FILE",
        help="Freqtrade configuration, as for freqtrade itself; may be given several times "
        "(default: user_data/config.json or config.json, where there is one)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_show_settings)


def _add_list(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "list",
        help="list the strategies and protections this package brings",
        description="List the strategies and protections this package brings, loaded the way "
        "Freqtrade loads them. Use the strategies with `--strategy-path` and the folder shown.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_show_parts)


def _show_settings(arguments: argparse.Namespace) -> int:
    loaded = load_settings(_config_block(arguments.config))
    if arguments.json:
        print(json.dumps([asdict(setting) for setting in describe(loaded)], indent=2))
    else:
        console = Console()
        console.print(_settings_table(loaded), _meanings(loaded))
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _config_block(files: list[str] | None) -> object:
    from qt_protections.cli import bot_config  # noqa: PLC0415  slow to load

    config = bot_config.load(files)
    return None if config is None else block_of(config)


def _settings_table(loaded: Loaded) -> Table:
    table = Table(
        title="qt_protections settings",
        box=box.SIMPLE_HEAD,
        caption="In the environment a setting is called QT_ and its name in capitals.",
    )
    for heading in ("setting", "value", "unit", "bounds", "from"):
        table.add_column(heading, overflow="fold")
    for setting in describe(loaded):
        table.add_row(
            f"[bold]{setting.name}",
            "-" if setting.value is None else str(setting.value),
            setting.unit,
            setting.bounds,
            setting.origin,
        )
    return table


def _meanings(loaded: Loaded) -> Table:
    table = Table.grid(padding=(0, 2))
    for setting in describe(loaded):
        table.add_row(f"[bold]{setting.name}", setting.meaning)
    return table


def _show_parts(arguments: argparse.Namespace) -> int:
    from qt_protections.cli.components import parts  # noqa: PLC0415  loads Freqtrade

    found = parts()
    if arguments.json:
        print(json.dumps([asdict(part) for part in found], indent=2))
        return 0
    table = Table(title="qt_protections brings")
    for heading in ("kind", "name", "folder"):
        table.add_column(heading, overflow="fold")
    for part in found:
        table.add_row(part.kind, part.name, part.folder)
    Console().print(table)
    return 0
