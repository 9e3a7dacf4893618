"""The exchanges the guard knows: what each can do with a stop, and how the guard reaches it.

To add an exchange, add one entry to `_ADAPTERS` and the modules that the entry names. Every other
exchange is reached through Freqtrade's own functions, and its stops are placed on_fill.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from freqtrade.constants import Config
from freqtrade.enums import TradingMode
from freqtrade.exchange import Exchange

from qt_protections.errors import GuardNotInstalled
from qt_protections.stops.monitor.event_stream import EventStream, MakeStream
from qt_protections.stops.monitor.stream_proof import ProvenVenue, StreamProof
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.binance.user_stream import UserStream
from qt_protections.stops.venue.capabilities import Capabilities, everything, on_fill, simulated
from qt_protections.stops.venue.freqtrade import FreqtradeVenue
from qt_protections.stops.venue.pacing import pace
from qt_protections.stops.venue.protocol import Venue


class _Listen(Protocol):
    def __call__(
        self,
        exchange: Exchange,
        on_event: Callable[[OrderEvent], None],
        on_state: Callable[[bool], None],
    ) -> EventStream: ...


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the guard has of its own for one exchange in one trading mode.

    Attributes:
        exchange_ids: ccxt's names of the exchange.
        trading_mode: Freqtrade's.
        live: What the guard can do with real money; takes the name for the start-up log.
        dry_run: The same in a dry run, where Freqtrade imitates the exchange.
        connect: Makes the venue of a command, of the exchange, `order_types` and the milliseconds
            until a request counts as unanswered.
        attach: Makes the venue of a running bot, of the exchange, `order_types` and who expects the
            events of what is sent.
        listen: Makes the user data stream.
    """

    exchange_ids: frozenset[str]
    trading_mode: TradingMode
    live: Callable[[str], Capabilities]
    dry_run: Callable[[str], Capabilities]
    connect: Callable[[Exchange, dict[str, Any], int], Venue]
    attach: Callable[[Exchange, dict[str, Any], StreamProof], Venue]
    listen: _Listen


def _attach_binance(exchange: Exchange, order_types: dict[str, Any], proof: StreamProof) -> Venue:
    venue = ProvenVenue(exchange, order_types, proof)
    pace(exchange, venue.budget)
    return venue


_ADAPTERS = (
    Adapter(
        # One exchange by ccxt's two names of it: "binanceusdm" knows its futures alone.
        exchange_ids=frozenset({"binance", "binanceusdm"}),
        trading_mode=TradingMode.FUTURES,
        live=everything,
        dry_run=simulated,
        connect=BinanceVenue,
        attach=_attach_binance,
        listen=UserStream,
    ),
)


def adapter_of(exchange: Exchange) -> Adapter | None:
    """Return the entry of an exchange in its trading mode; None where there is none."""
    return next(
        (
            adapter
            for adapter in _ADAPTERS
            if exchange.id in adapter.exchange_ids and exchange.trading_mode is adapter.trading_mode
        ),
        None,
    )


def capabilities(exchange: Exchange, config: Config) -> Capabilities:
    """Return what the exchange allows in this mode.

    Args:
        exchange: The bot's exchange.
        config: Freqtrade's; `dry_run` and the exchange's trading mode decide.

    Raises:
        GuardNotInstalled: If the exchange takes no stops at all: the stop has no switch.
    """
    is_dry = bool(config["dry_run"])
    name = f"{exchange.id} {exchange.trading_mode.value}" + (", dry run" if is_dry else "")
    if not exchange.get_option("stoploss_on_exchange"):
        raise GuardNotInstalled(
            f"{name}: Freqtrade can place no stop on this exchange, and QTGuard trades nowhere "
            "without one. Trade on an exchange that takes stops (docs: stoploss on exchange), or "
            "take QTGuard off the strategy."
        )
    if (adapter := adapter_of(exchange)) is not None:
        return adapter.dry_run(name) if is_dry else adapter.live(name)
    return on_fill(name, blocks=bool(exchange.get_option("stoploss_blocks_assets")))


def make_venue(
    exchange: Exchange, order_types: dict[str, Any], can: Capabilities, proof: StreamProof
) -> Venue:
    """Return the venue of a running bot.

    Args:
        exchange: The bot's exchange, its markets loaded.
        order_types: The strategy's.
        can: What the exchange allows.
        proof: Who expects the events of what is sent, where the exchange pushes any.
    """
    adapter = adapter_of(exchange)
    if adapter is None or not can.watches:
        return FreqtradeVenue(exchange, order_types)
    return adapter.attach(exchange, order_types, proof)


def listen_to(exchange: Exchange) -> MakeStream:
    """Return what makes the user data stream of an exchange.

    Raises:
        TypeError: If the guard knows none of that exchange; `Capabilities.watches` tells before.
    """
    adapter = adapter_of(exchange)
    if adapter is None:
        raise TypeError(f"{exchange.name} has no user data stream that is known here")
    return partial(adapter.listen, exchange)
