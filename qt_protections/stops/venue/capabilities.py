"""What the guard can do with a stop.

`stops/registry.py` says which exchange gets what.
"""

from dataclasses import dataclass
from typing import Literal

Placement = Literal["before_entry", "on_fill"]


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


def everything(name: str) -> Capabilities:
    """Return what there is where the guard has orders and a stream of its own."""
    return Capabilities(
        placement_supported=("before_entry", "on_fill"),
        trailing=True,
        watches=True,
        blocks=False,
        text=f"{name}: stop before the entry (falls back to on_fill per pair), native trailing "
        "stop, watched by user data stream and by polling",
    )


def simulated(name: str) -> Capabilities:
    """Return what there is where Freqtrade imitates such an exchange."""
    return Capabilities(
        placement_supported=("before_entry", "on_fill"),
        trailing=False,
        watches=False,
        blocks=False,
        text=f"{name}: stop before the entry, trailing by custom_stoploss, both simulated by "
        "Freqtrade, watched by its loop",
    )


def on_fill(name: str, *, blocks: bool) -> Capabilities:
    """Return what there is through Freqtrade's own functions.

    Args:
        name: Of the exchange and the mode.
        blocks: Whether a live stop keeps the asset from being sold otherwise.
    """
    why = " (stop orders block the asset)" if blocks else ""
    return Capabilities(
        placement_supported=("on_fill",),
        trailing=False,
        watches=False,
        blocks=blocks,
        text=f"{name}: stop on_fill, no native trailing stop{why}, watched by Freqtrade's loop",
    )
