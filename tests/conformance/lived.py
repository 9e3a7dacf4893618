"""One strategy lived on the rehearsal exchange, plain or guarded with every rule off.

The market takes turns, so that what fills does not hang on milliseconds: see
`tests/integration/turns`. The clock stands still unless it is moved, and each strategy trades on
candles of a minute. The plain strategy has its stop on the exchange as well, as Freqtrade places
it: the guard has no other. `python -m tests.conformance.live` lives all and compares.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from math import inf, isclose
from pathlib import Path
from typing import Any

import pytest
import time_machine
from freqtrade.persistence import PairLocks, Trade

from qt_protections.configuration import all_off
from qt_protections.conformance.guarding import Found, write_guarded
from qt_protections.rules.stop_price import FARTHEST
from qt_protections.stops.venue.binance import user_socket
from tests.integration.rig import Rig
from tests.integration.turns import START, turns_market

#: Minutes of the market that are lived: the half hour in which prices move most.
MINUTES = 30
#: Seconds within a minute of which the bot's loops begin: one acts, the next one sees to what the
#: plain bot puts off, its stop among that. A price that moves has arrived by the 35th.
_MOVING, _STANDING = (46, 52), (1, 3)
#: A stop of Freqtrade's moves once in this many seconds; the guard's as soon as it is to.
_STOPS = {"stoploss": "market", "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 0}
_PACE = ("POSITIONS_S", "UNSETTLED_S", "UNHEARD_S", "STOPS_S", "PRICES_S", "SPREADS_S")

#: Prices closer than this ratio are the same: the coarsest tick of the market is 0.003 %.
_TICKS = 1e-4


@dataclass(frozen=True, slots=True)
class Lived:
    """A trade: what opened it, what closed it, and each order that filled in between.

    Attributes:
        opened: When, hours and minutes.
        pair: Freqtrade's pair.
        side: "long" or "short".
        tag: Of the entry.
        leverage: Notional over margin.
        stop: The last stop, quote currency; infinity for one that is as far as none.
        closed: When; None while open.
        reason: Of the exit; None while open.
        orders: Side, amount (base currency), price and tag of each that filled.
    """

    opened: str
    pair: str
    side: str
    tag: str | None
    leverage: float
    stop: float
    closed: str | None
    reason: str | None
    orders: tuple[tuple[object, ...], ...]


def lived(found: Found, *, guarded: bool, minutes: int = MINUTES, later: int = 0) -> list[Lived]:
    """Return the trades of a strategy over the same market, in order.

    Args:
        found: The strategy.
        guarded: Whether under the guard.
        minutes: How long the bot lives.
        later: How many minutes of the market pass before, an even number: others trade in them.
    """
    start = START + timedelta(minutes=later)
    with (
        tempfile.TemporaryDirectory() as name,
        _for_a_clock_that_jumps(),
        time_machine.travel(start + timedelta(seconds=1), tick=False) as clock,
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
                    clock.move_to(start + timedelta(minutes=minute, seconds=second))
                    rig.report()
                    bot.process()
            trades = sorted((_told(trade) for trade in Trade.get_trades_proxy()), key=str)
            PairLocks.reset_locks()
            return trades


def difference(plain: Sequence[Lived], guarded: Sequence[Lived]) -> str | None:
    """Return what differs in the first trade that does, in words; None if all are the same."""
    for one, other in zip(plain, guarded, strict=False):
        names = [field.name for field in fields(Lived)]
        told = [
            f"{name} {a!r} plain, {b!r} guarded"
            for name in names
            if not _is_same(a := getattr(one, name), b := getattr(other, name))
        ]
        if told:
            return f"{one.side} {one.pair} of {one.opened}: {'; '.join(told)}"
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
    return Lived(
        opened=f"{trade.open_date_utc:%H:%M}",
        pair=trade.pair,
        side="short" if trade.is_short else "long",
        tag=trade.enter_tag,
        leverage=trade.leverage,
        stop=_stop_of(trade),
        closed=f"{trade.close_date_utc:%H:%M}" if trade.close_date else None,
        reason=trade.exit_reason,
        orders=tuple(
            (order.ft_order_side, order.safe_filled, order.safe_price, order.ft_order_tag)
            for order in trade.orders
            if order.safe_filled
        ),
    )


def _stop_of(trade: Any) -> float:
    """Return a trade's stop; infinity where the strategy has none, and the guard the farthest."""
    distance = abs(trade.open_rate - trade.stop_loss) / trade.open_rate
    return inf if distance > FARTHEST * (1 - _TICKS) else trade.stop_loss


@contextmanager
def _for_a_clock_that_jumps() -> Iterator[None]:
    """Have the guard ask for all lists in each loop, and not take a jump of the clock for silence.

    The loops are a minute apart. ccxt measures by the wall clock how long the stream is silent.
    """

    def patient(api: Any, line: user_socket.UserSocket) -> dict[str, Any]:
        return user_socket.client_settings(api, replace(line, ping_s=3600.0))

    with pytest.MonkeyPatch.context() as patch:
        for pace in _PACE:
            patch.setattr(f"qt_protections.stops.reconciliation.schedule.{pace}", 0.0)
        patch.setattr("qt_protections.stops.venue.binance.user_stream.client_settings", patient)
        yield
