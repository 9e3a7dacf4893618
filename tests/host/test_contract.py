"""The guard starts on the Freqtrade it knows, and on no other."""

import ast
import inspect
import re
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.exchange import Exchange
from freqtrade.exchange.common import retrier
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import Order, Trade
from freqtrade.rpc.rpc import RPC
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from qt_protections.cli.command import _parser
from qt_protections.errors import GuardNotInstalled
from qt_protections.host.contract import (
    KNOWN_ATTRIBUTES,
    KNOWN_HOOKS,
    verify_attributes,
    verify_hooks,
)
from qt_protections.host.trade_lock import exit_lock
from qt_protections.host.versions import TESTED, say_untested, untested

ROOM = Path(inspect.getfile(verify_hooks)).parents[1] / "stops"
#: How the room of the stops calls the objects of Freqtrade that it works with.
NAMES = {"exchange": Exchange, "_exchange": Exchange, "trade": Trade, "Trade": Trade}
NAMES |= {"row": Order, "Order": Order}
#: Functions and properties that Freqtrade's own code leads to the guard's, by these names.
RELIED_ON = {
    "RPC", "RPCManager", "_update_trade_after_fill", "build_search_paths",
    "cancel_stoploss_on_exchange", "cancel_stoploss_order_with_result",
    "handle_onexchange_order", "handle_stoploss_on_exchange", "update_trade_state",
}  # fmt: skip


def test_a_backtest_loads_no_bot() -> None:
    """What only a bot has is asked for where one runs; the rest always."""
    of_the_bot = {"freqtrade.rpc.gone:X": "", "freqtrade.freqtradebot:Gone": ""}
    verify_hooks(of_the_bot, trades=False)
    with pytest.raises(GuardNotInstalled, match="X is gone; Gone is gone"):
        verify_hooks(of_the_bot)
    with pytest.raises(GuardNotInstalled, match=r"IStrategy\.gone is gone"):
        verify_hooks({"freqtrade.strategy.interface:IStrategy.gone": ""}, trades=False)


def test_the_installed_freqtrade_is_known() -> None:
    """Every hook exists with the parameters the guard was written for."""
    verify_hooks()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("freqtrade.strategy.interface:IStrategy.analyze", r"analyze takes \(self pairs\)"),
        ("freqtrade.strategy.interface:IStrategy.gone", "IStrategy.gone is gone"),
        ("freqtrade.gone:IStrategy.analyze", "analyze is gone"),
    ],
    ids=["changed", "attribute-gone", "module-gone"],
)
def test_a_changed_hook_is_named(path: str, said: str) -> None:
    """The start stops with the name of what changed."""
    with pytest.raises(GuardNotInstalled, match=said):
        verify_hooks({path: "self something else"})


@pytest.mark.parametrize("rpc", [None, SimpleNamespace(_rpc=SimpleNamespace(_freqtrade=None))])
def test_a_bot_without_its_lock_does_not_start(rpc: Any) -> None:
    """The guard and remote control would write one row at once."""
    with pytest.raises(GuardNotInstalled, match=r"there is no .*\._freqtrade\._exit_lock"):
        exit_lock(DataProvider({}, None, rpc=rpc))


def test_the_lock_is_the_bots_own() -> None:
    """The one that Freqtrade itself takes, and takes in every command that changes a trade."""
    bot = SimpleNamespace(_exit_lock=Lock())
    rpc: Any = SimpleNamespace(_rpc=SimpleNamespace(_freqtrade=bot))
    assert exit_lock(DataProvider({}, None, rpc=rpc)) is bot._exit_lock
    assert "with self._freqtrade._exit_lock" in inspect.getsource(RPC._rpc_force_entry)
    assert "with self._exit_lock" in inspect.getsource(FreqtradeBot.process)
    reload = inspect.getsource(RPC._rpc_reload_trade_from_exchange)
    assert "self._freqtrade.handle_onexchange_order(trade)" in reload
    assert "_exit_lock" not in reload
    places = order_of(
        FreqtradeBot.__init__, "self.rpc: ", "rpc=self.rpc", "_exit_lock", "bot_start"
    )
    assert places == sorted(places)


def test_every_hook_of_the_stops_is_known() -> None:
    """What the code calls, replaces or reads of the exchange and the trades is looked at."""
    known = {path.rpartition(":")[2] for path in KNOWN_HOOKS}
    assert {
        f"{owner.__name__}.{name}"
        for path in ROOM.rglob("*.py")
        for owner, name in uses(path.read_text())
        if is_hook(inspect.getattr_static(owner, name, None))
    } <= known


def uses(source: str) -> set[tuple[type, str]]:
    """Return the attributes that source code takes of Freqtrade's objects."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            of = node.value
            name = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")
            if name in NAMES:
                found.add((NAMES[name], node.attr))
    return found


def is_hook(attribute: object) -> bool:
    """Whether an attribute of a class is a function or a property, and no column."""
    return inspect.isroutine(attribute) or isinstance(attribute, property)


def test_no_hook_is_known_that_nobody_needs() -> None:
    """A change of one would stop the start for nothing."""
    sources = "".join(
        path.read_text() for path in ROOM.parent.rglob("*.py") if path.name != "contract.py"
    )
    names = {path.replace(":", ".").rpartition(".")[2] for path in KNOWN_HOOKS}
    assert {name for name in names if name not in sources} <= RELIED_ON


def order_of(function: object, *texts: str) -> list[int]:
    """Return where the texts first stand in a function's source."""
    source = inspect.getsource(function)  # type: ignore[arg-type]
    return [source.index(text) for text in texts]


def test_after_a_fill_stops_are_cancelled_before_the_adoption() -> None:
    """The trade may take its stop over only after Freqtrade cancelled the stops it knew."""
    places = order_of(
        FreqtradeBot._update_trade_after_fill,
        "cancel_stoploss_on_exchange(trade)",
        "if self.strategy.use_custom_stoploss and trade.is_open",
        "after_fill=True",
    )
    assert places == sorted(places)


def test_bot_start_comes_before_the_protections() -> None:
    """So the guard is at its post when its protections are loaded."""
    places = order_of(FreqtradeBot.__init__, "ft_bot_start()", "ProtectionManager(")
    assert places == sorted(places)


def test_the_analysis_comes_between_the_sweep_and_the_entries() -> None:
    """The protections are asked after it, on the newest candle."""
    places = order_of(FreqtradeBot.process, "bot_loop_start", "strategy.analyze", "enter_positions")
    assert places == sorted(places)


def test_a_query_can_be_asked_once() -> None:
    """Freqtrade's retrier takes the number of repeats along with the call."""
    assert 'kwargs.pop("count"' in inspect.getsource(retrier)


def test_freqtrade_takes_an_error_in_the_confirmation_for_a_yes() -> None:
    """Why the gate catches its own errors."""

    def failing() -> bool:
        raise RuntimeError

    assert strategy_safe_wrapper(failing, default_retval=True)() is True
    assert "default_retval=True" in inspect.getsource(FreqtradeBot.execute_entry)


def test_backtests_scan_every_lock_at_every_entry() -> None:
    """Why the protections add none there."""
    assert "PairLocks.is_pair_locked" in inspect.getsource(Backtesting.backtest_loop)


def used_attributes(names: dict[str, str]) -> set[str]:
    """Return the private attributes that the package takes of some objects, by owner."""
    found = set()
    for path in ROOM.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                of = node.value
                name = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")
                if name in names:
                    found.add(f"{names[name]}.{node.attr}")
    return found


def test_every_private_attribute_is_known() -> None:
    """Those of Freqtrade's objects, which no class shows: neither too few nor too many."""
    used = used_attributes({"exchange": "Exchange", "_exchange": "Exchange", "dp": "DataProvider"})
    functions = {path.rpartition(":")[2] for path in KNOWN_HOOKS}
    known = {f"{owner}.{name}" for owner, names in KNOWN_ATTRIBUTES.items() for name in names}
    assert used - functions == {each for each in known if "._" in each}


@pytest.mark.parametrize("owner", KNOWN_ATTRIBUTES)
def test_a_bot_whose_objects_lack_an_attribute_does_not_start(owner: str) -> None:
    """The start stops with the name of each."""
    exchange: Any = SimpleNamespace(**dict.fromkeys(KNOWN_ATTRIBUTES["Exchange"]))
    dp: Any = SimpleNamespace(**dict.fromkeys(KNOWN_ATTRIBUTES["DataProvider"]))
    dp._exchange = exchange
    verify_attributes(dp)
    for name in KNOWN_ATTRIBUTES[owner]:
        delattr(dp if owner == "DataProvider" else exchange, name)
        with pytest.raises(GuardNotInstalled, match=f"{owner}.{name} is gone"):
            verify_attributes(dp)
        if name == "_exchange":
            return


def test_without_an_exchange_there_is_none_to_look_at() -> None:
    """Plots and charts have none."""
    verify_attributes(DataProvider({}, None))


def test_the_tested_versions_are_those_of_the_constraints() -> None:
    """With which `make test` runs."""
    pinned = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    assert {f"{name}=={version}" for name, version in TESTED.items()} <= set(pinned)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"freqtrade": "2026.10"}, "with freqtrade 2026.9, and not with freqtrade 2026.10."),
        ({"ccxt": "4.6.0"}, "with ccxt 4.5.90, and not with ccxt 4.6.0."),
        (
            {"freqtrade": "2026.10", "ccxt": "4.6.0"},
            "with freqtrade 2026.9 and ccxt 4.5.90, and not with freqtrade 2026.10 and ccxt 4.6.0.",
        ),
    ],
    ids=["tested", "another freqtrade", "another ccxt", "both"],
)
def test_an_untested_version_is_named_with_what_proves_it(
    changed: dict[str, str], said: str | None
) -> None:
    """The commands that are named exist."""
    text = untested({**TESTED, **changed})
    if said is None:
        assert text is None
        return
    assert text is not None
    assert said in text
    (command,) = re.findall(r"`(qt-guard [^`]*)`", text)
    parsed = _parser().parse_args(command.split()[1:])
    assert parsed.strategy_path == Path("DIR")
    assert re.search(r"^test:", (Path(__file__).parents[2] / "Makefile").read_text(), re.MULTILINE)


def test_it_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """However many strategies one process starts."""
    monkeypatch.setitem(TESTED, "ccxt", "1.0")
    say_untested.cache_clear()
    for _ in range(2):
        say_untested()
    say_untested.cache_clear()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "was tested with ccxt 1.0" in caplog.text
