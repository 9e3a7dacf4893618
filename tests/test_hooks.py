"""The guard starts on the Freqtrade it knows, and on no other."""

import ast
import inspect
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

from qt_protections.errors import GuardNotInstalled
from qt_protections.hooks import KNOWN_HOOKS, exit_lock, verify_hooks

ROOM = Path(inspect.getfile(verify_hooks)).parent / "stops"
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
        for path in ROOM.glob("*.py")
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
        path.read_text() for path in ROOM.parent.rglob("*.py") if path.name != "hooks.py"
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
