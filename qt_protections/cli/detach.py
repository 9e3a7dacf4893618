"""`qt-guard detach`: leave on the exchange what plain Freqtrade knows, and nothing else."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qt_protections.cli.arguments import add_configuration, add_database
from qt_protections.reporting.status_file import Snapshot, Unreadable, read, status_path
from qt_protections.reporting.status_table import warning

if TYPE_CHECKING:
    from qt_protections.stops.detachment import Judged
    from qt_protections.stops.venue.protocol import Venue

_DESCRIPTION = """\
Take a bot off the guard. Run this when the guarded bot has ended, and before the plain one starts.

Plain Freqtrade knows the orders that its open trades have on record. It adopts their stops, and
they stay where they are. It does not know the exchange's own trailing stops: they are withdrawn,
and so is an entry or an exit that no open trade has on record. A stop that no trade has on record
is put on the record of the pair's open trade, unless stops that are there already cover that one;
it is withdrawn where there is no position at all. A stop that may protect a position without a
trade is left to you. The guard's own locks are released. Orders of other bots, and of yours, are
not touched.

Plain Freqtrade moves and watches the stops it adopts only with "stoploss_on_exchange": true in
order_types, and cancels them when their trade closes in any case.

Exit code: 0 what stands now is plain Freqtrade's, 1 something is left to you or failed, 2 nothing
was done: the bot runs, or the exchange does not answer."""

_EPILOG = """\
examples:
  qt-guard detach -c config.json --dry-run       show what would be done, and change nothing
  qt-guard detach -c config.json                 do it
  qt-guard detach -c config.json --json | jq '.orders[] | select(.verdict != "stays")'

the way out, whole:
  stop the bot; qt-guard detach -c config.json; freqtrade trade -c config.json -s MyStrategy"""

#: Milliseconds until a request counts as unanswered: no position waits for this command.
_PATIENT_MS = 10_000
_COLOURS = {
    "withdrawn": "yellow",
    "stays": "green",
    "stays, put on record": "green",
    "left to you": "bold red",
    "failed": "bold red",
}


class CannotDetach(Exception):  # noqa: N818  states the fact
    """Nothing was done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class _Bot:
    """A bot by its configuration, and what it wrote down last."""

    id: str
    config: dict[str, Any]
    last_words: Snapshot | None


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `qt-guard detach`."""
    parser = commands.add_parser(
        "detach",
        help="take a bot off the guard: withdraw what plain Freqtrade does not know",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_configuration(parser, files="as the bot was started with")
    add_database(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be done, and change nothing"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look, act, and show what became of each order.

    Raises:
        CannotDetach: If nothing was done.
    """
    from freqtrade.exceptions import FreqtradeException  # noqa: PLC0415  loads Freqtrade

    from qt_protections.errors import without_secrets  # noqa: PLC0415
    from qt_protections.stops.venue.protocol import RequestError  # noqa: PLC0415

    bot = _bot(arguments)
    try:
        with _venue(bot.config) as venue:
            judged, locks = _detach(bot, venue, only_look=arguments.dry_run)
    except (FreqtradeException, RequestError) as error:
        raise CannotDetach(
            f"the exchange does not answer, and nothing was changed since: "
            f"{without_secrets(str(error))}"
        ) from error
    if arguments.json:
        orders = [_as_dict(each) for each in judged]
        told = {"bot": bot.id, "dry_run": arguments.dry_run, "orders": orders, "locks": locks}
        print(json.dumps(told, indent=2))
    else:
        show(Console(), bot.id, judged, locks, only_look=arguments.dry_run)
    return 1 if any(each.verdict in ("left to you", "failed") for each in judged) else 0


def show(
    console: Console, bot_id: str, judged: "list[Judged]", locks: int, *, only_look: bool
) -> None:
    """Print each order and what became of it."""
    if only_look:
        console.print("A look only: nothing is changed.")
    if not judged:
        console.print(f"Nothing of the bot {bot_id} stands on the exchange.")
    else:
        console.print(_table(judged, only_look=only_look))
    if locks:
        verb = "would be released" if only_look else "released"
        console.print(f"Locks of the guard's {verb}: {locks}.")


def _table(judged: "list[Judged]", *, only_look: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("symbol", "order"):
        table.add_column(heading, no_wrap=True)
    for heading in ("amount", "price"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("would be" if only_look else "is")
    table.add_column("why", overflow="fold")
    for each in judged:
        table.add_row(
            Text(each.pair.split(":")[0].replace("/", ""), "bold"),
            each.kind,
            f"{each.amount:.8g}",
            "-" if each.price is None else f"{each.price:.8g}",
            Text(each.verdict.value, _COLOURS[each.verdict.value]),
            Text(each.why),
        )
    return table


def _as_dict(each: "Judged") -> dict[str, object]:
    names = ("kind", "pair", "order_id", "amount", "price", "verdict", "why", "trade_id")
    return {name: getattr(each, name) for name in names}


def _detach(bot: _Bot, venue: "Venue", *, only_look: bool) -> "tuple[list[Judged], int]":
    from freqtrade.persistence import PairLocks, Trade, init_db  # noqa: PLC0415

    from qt_protections.entry import locks  # noqa: PLC0415
    from qt_protections.stops.detachment import Known, act, judge, look  # noqa: PLC0415

    init_db(bot.config["db_url"])

    def looked() -> "list[Judged]":
        found = look(venue, [Known.of(trade) for trade in Trade.get_open_trades()])
        return judge(found, bot.id, may_arrive=_may_arrive(bot, venue.arrives_within_s))

    judged = looked()
    now = datetime.now(UTC)
    before = len(PairLocks.get_pair_locks(None, now))
    ours = locks.count(now)
    if only_look:
        return judged, ours
    done = act(venue, [each for each in judged if not each.is_conditional])
    if any(each.verdict == "withdrawn" for each in done):
        judged = looked()  # an entry may have filled before it was withdrawn
    done += act(venue, [each for each in judged if each.is_conditional])
    locks.release(now)
    return done, before - len(PairLocks.get_pair_locks(None, now))


def _may_arrive(bot: _Bot, within_s: float) -> bool:
    """Whether a request that the bot sent last can still be executed, for all that is known."""
    if bot.last_words is None:
        return True
    return (datetime.now(UTC) - bot.last_words.written_at).total_seconds() < within_s


def _bot(arguments: argparse.Namespace) -> _Bot:
    from qt_protections.cli import bot_config  # noqa: PLC0415  loads Freqtrade
    from qt_protections.stops.state.client_ids import identity  # noqa: PLC0415

    config = bot_config.load(arguments.config, arguments.user_data_dir)
    if config is None:
        raise CannotDetach(
            "there is neither user_data/config.json nor config.json here: run this in the bot's "
            "folder, or name its configuration with -c."
        )
    if config.get("dry_run", True):
        raise CannotDetach(
            "this configuration is of a dry run, whose stops are Freqtrade's own imitation: "
            "nothing of it stands on an exchange. Start the plain strategy."
        )
    url = bot_config.database(config, arguments.db_url)
    _require_database(url)
    bot_id = identity(config.get("bot_name", ""), url)
    folder = bot_config.user_data(config, arguments.user_data_dir)
    last_words = _last_words(status_path(folder, bot_id))
    config |= {"db_url": url, "user_data_dir": folder}
    return _Bot(bot_id, config, last_words)


def _last_words(path: Path) -> Snapshot | None:
    """Return what the bot wrote down last; None where it wrote nothing that can be read.

    Raises:
        CannotDetach: If the bot seems to run.
    """
    try:
        snapshot = read(path)
    except (FileNotFoundError, Unreadable):
        return None
    now = datetime.now(UTC)
    if warning(snapshot, now) is None:
        age_s = (now - snapshot.written_at).total_seconds()
        raise CannotDetach(
            f"the guarded bot {snapshot.bot.name} ({snapshot.bot.id}) runs: it wrote {path} "
            f"{age_s:.0f} s ago, and would place again what is withdrawn. Stop the bot first. If "
            "it was killed, wait until that is a minute ago."
        )
    return snapshot


def _require_database(url: str) -> None:
    """Raise if there is no database with the trades; Freqtrade would make an empty one."""
    path = Path(url.removeprefix("sqlite:///"))
    if url == "sqlite://" or (url.startswith("sqlite:///") and not path.is_file()):
        raise CannotDetach(
            f"there is no database {url}, so nobody knows which stops belong to open trades. Run "
            "this in the bot's folder, with the same -c, --user-data-dir and --db-url as "
            "`freqtrade trade`."
        )


@contextmanager
def _venue(config: dict[str, Any]) -> "Iterator[Venue]":
    """Connect as Freqtrade does, without a strategy, and with the guard's own connection.

    Raises:
        CannotDetach: If the guard places no orders of its own there.
    """
    from freqtrade.enums import RunMode  # noqa: PLC0415
    from freqtrade.resolvers import ExchangeResolver  # noqa: PLC0415

    from qt_protections.stops.registry import adapter_of  # noqa: PLC0415

    config["runmode"] = RunMode.UTIL_EXCHANGE
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    try:
        if (adapter := adapter_of(exchange)) is None:
            raise CannotDetach(
                f"on {exchange.name} {exchange.trading_mode.value} all that the guard places is on "
                "Freqtrade's own record: there is nothing to withdraw. Start the plain strategy."
            )
        exchange.reload_markets(True, load_leverage_tiers=False)
        yield adapter.connect(exchange, {}, _PATIENT_MS)
    finally:
        exchange.close()
