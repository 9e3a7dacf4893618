"""What the guard can do with a stop, by exchange and mode."""

from dataclasses import dataclass
from typing import Literal

from freqtrade.constants import Config
from freqtrade.enums import TradingMode
from freqtrade.exchange import Exchange

from qt_protections.errors import GuardNotInstalled

Placement = Literal["before_entry", "on_fill"]


#: One exchange, by ccxt's two names of it: "binanceusdm" knows its futures alone.
_BINANCE = frozenset({"binance", "binanceusdm"})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What there is to work with.

    Attributes:
        placement_supported: When a stop may be placed, the preferred moment first.
        trailing: Whether the exchange has a native trailing stop the guard can place.
        watches: Whether the live stops can be listed, see `Venue.WATCHES`, and the exchange pushes
            what happens to orders.
        blocks: Whether a live stop keeps the asset from being sold otherwise, as on spot.
        text: All of it, for the start-up log.
    """

    placement_supported: tuple[Placement, ...]
    trailing: bool
    watches: bool
    blocks: bool
    text: str


def capabilities(exchange: Exchange, config: Config) -> Capabilities:
    """Return what the exchange allows in this mode.

    Args:
        exchange: The bot's exchange.
        config: Freqtrade's; `dry_run` and the exchange's trading mode decide.

    Raises:
        GuardNotInstalled: If the exchange takes no stops at all: the stop has no switch.
    """
    is_futures = exchange.trading_mode is TradingMode.FUTURES
    is_dry = bool(config["dry_run"])
    name = f"{exchange.id} {exchange.trading_mode.value}" + (", dry run" if is_dry else "")
    if not exchange.get_option("stoploss_on_exchange"):
        raise GuardNotInstalled(
            f"{name}: Freqtrade can place no stop on this exchange, and QTGuard trades nowhere "
            "without one. Trade on an exchange that takes stops (docs: stoploss on exchange), or "
            "take QTGuard off the strategy."
        )
    if exchange.id in _BINANCE and is_futures:
        return _simulated(name) if is_dry else _everything(name)
    return _on_fill(name, blocks=bool(exchange.get_option("stoploss_blocks_assets")))


def _everything(name: str) -> Capabilities:
    return Capabilities(
        placement_supported=("before_entry", "on_fill"),
        trailing=True,
        watches=True,
        blocks=False,
        text=f"{name}: stop before the entry (falls back to on_fill per pair), native trailing "
        "stop, watched by user data stream and by polling",
    )


def _simulated(name: str) -> Capabilities:
    return Capabilities(
        placement_supported=("before_entry", "on_fill"),
        trailing=False,
        watches=False,
        blocks=False,
        text=f"{name}: stop before the entry, trailing by custom_stoploss, both simulated by "
        "Freqtrade, watched by its loop",
    )


def _on_fill(name: str, *, blocks: bool) -> Capabilities:
    why = " (stop orders block the asset)" if blocks else ""
    return Capabilities(
        placement_supported=("on_fill",),
        trailing=False,
        watches=False,
        blocks=blocks,
        text=f"{name}: stop on_fill, no native trailing stop{why}, watched by Freqtrade's loop",
    )
