"""Strategies lived on the rehearsal exchange, plain and guarded with every rule off, and compared.

    python -m tests.conformance.live              every strategy of futures
    python -m tests.conformance.live Pyramid ...  these

The market takes turns, so that what fills does not hang on milliseconds: see
`tests/integration/turns`. The clock stands still unless it is moved, and each strategy trades on
candles of a minute. The plain strategy has its stop on the exchange as well, as Freqtrade places
it: the guard has no other. Strategies of spot are left out, for the exchange trades futures alone.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from math import isclose
from pathlib import Path
from typing import Any

import pytest
import time_machine
from freqtrade.persistence import PairLocks, Trade

from qt_protections.conformance.guarding import Found, strategies, write_guarded
from qt_protections.settings import all_off
from tests.integration.rig import Rig
from tests.integration.turns import START, turns_market

FOLDER = Path(__file__).parent / "strategies" / "futures"
#: Minutes of the market that are lived.
MINUTES = 60
#: Seconds within a minute of which the bot's loops begin: one acts, the next one sees to what the
#: plain bot puts off, its stop among that. A price that moves has arrived by the 35th.
_MOVING, _STANDING = (46, 52), (1, 3)
#: A stop of Freqtrade's moves once in this many seconds; the guard's as soon as it is to.
_STOPS = {"stoploss": "market", "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 0}
_PACE = ("POSITIONS_S", "UNSETTLED_S", "UNHEARD_S", "STOPS_S", "PRICES_S", "SPREADS_S")

#: Prices closer than this ratio are the same: the coarsest tick of the market is 0.003 %.
_TICKS = 1e-4
#: A trade: what opened it, what closed it, and each order that filled in between.
Lived = tuple[object, ...]


def lived(found: Found, *, guarded: bool, minutes: int = MINUTES) -> list[Lived]:
    """Return the trades of a strategy over the same market, in order."""
    with (
        tempfile.TemporaryDirectory() as name,
        _each_loop_compares(),
        time_machine.travel(START + timedelta(seconds=1), tick=False) as clock,
    ):
        folder = Path(name)
        tape, feed = turns_market()
        with Rig(folder, (tape, feed), unlimited=True) as rig:
            feed.triggers = lambda symbol: [
                float(stop.request.trigger_price or 0) for stop in rig.live_stops(symbol)
            ]
            strategy = _placed(rig, found, guarded=guarded)
            bot = rig.bot(strategy, qt=all_off(), timeframe="1m", stake_amount=500)
            bot.strategy.order_types = {**bot.strategy.order_types, **_STOPS}
            for minute in range(minutes):
                for second in _MOVING if minute % 2 == 0 else _STANDING:
                    clock.move_to(START + timedelta(minutes=minute, seconds=second))
                    rig.report()
                    bot.process()
            trades = sorted((_told(trade) for trade in Trade.get_trades_proxy()), key=str)
            PairLocks.reset_locks()
            return trades


def difference(plain: Sequence[Lived], guarded: Sequence[Lived]) -> str | None:
    """Return the first trade that differs, in words; None if all are the same."""
    for one, other in zip(plain, guarded, strict=False):
        if not _is_same(one, other):
            return f"plain {one}, guarded {other}"
    if len(plain) != len(guarded):
        return f"{len(plain)} trades plain, {len(guarded)} guarded"
    return None


def _is_same(one: object, other: object) -> bool:
    """Compare; prices may be a tick or two apart.

    Freqtrade takes the first stop from what an entry asked for or filled at, whichever is tighter.
    The guard's stands before the fill.
    """
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=_TICKS)
    return one == other


def _placed(rig: Rig, found: Found, *, guarded: bool) -> str:
    if not guarded:
        rig.strategies = found.file.parent
        return found.name
    rig.strategies = rig.folder / "guarded"
    rig.strategies.mkdir()
    return write_guarded(found, rig.strategies)


def _told(trade: Any) -> Lived:
    closed = f"{trade.close_date_utc:%H:%M}" if trade.close_date else None
    orders = [
        (order.ft_order_side, order.safe_filled, order.safe_price, order.ft_order_tag)
        for order in trade.orders
        if order.safe_filled
    ]
    return (
        f"{trade.open_date_utc:%H:%M}",
        trade.pair,
        "short" if trade.is_short else "long",
        trade.enter_tag,
        trade.leverage,
        trade.stop_loss,
        f"closed {closed}",
        trade.exit_reason,
        orders,
    )


@contextmanager
def _each_loop_compares() -> Iterator[None]:
    """Have the guard ask for all lists in each loop, as the loops are a minute apart."""
    with pytest.MonkeyPatch.context() as patch:
        for pace in _PACE:
            patch.setattr(f"qt_protections.stops.bookkeeping.{pace}", 0.0)
        yield


def main(names: Sequence[str]) -> int:
    """Live what is named, or all; print one line each, and return how many differ."""
    different = 0
    for found in strategies(FOLDER):
        if names and found.name not in names:
            continue
        plain, guarded = lived(found, guarded=False), lived(found, guarded=True)
        told = difference(plain, guarded)
        different += told is not None
        print(f"{found.name}: {len(plain)} trades, {told or 'equal'}", flush=True)
    return different


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
