"""What goes wrong between a bot and an exchange, thrown like dice. Off unless asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from qt_protections.rehearsal.errors import VenueError

TRADING_PATHS = frozenset({"fapi/v1/order", "fapi/v1/algoOrder"})


class Fault(StrEnum):
    """Ways a trading request (POST or DELETE of an order) goes wrong."""

    BUSY = "busy"
    """Refused with HTTP 503 and -1008; nothing was done."""
    LOST = "lost"
    """Done, but answered with -1007, outcome unknown."""
    HANG = "hang"
    """Done, but the answer comes after every client's patience."""
    VANISH = "vanish"
    """Done; an accepted conditional order is rejected a moment later."""


BASELINE: Mapping[Fault, float] = {
    Fault.BUSY: 0.05,
    Fault.LOST: 0.04,
    Fault.HANG: 0.01,
    Fault.VANISH: 0.10,
}
HANG_S = 12.0
VANISH_S = 1.0


@dataclass(slots=True)
class Faults:
    """Decides the fate of each trading request.

    Attributes:
        rng: Source of chance.
        rates: Probability of each fault, as a ratio; their sum is at most 1.
    """

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    rates: Mapping[Fault, float] = field(default_factory=dict)

    def described(self) -> list[str]:
        """Return each fault with its rate, for people."""
        return [f"{fault} {rate * 100:g} %" for fault, rate in self.rates.items()]

    def draw(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request, None if nothing does."""
        if not self.rates or method == "GET" or path not in TRADING_PATHS:
            return None
        chance = float(self.rng.random())
        for fault, rate in self.rates.items():
            chance -= rate
            if chance < 0:
                return fault
        return None


def busy() -> VenueError:
    """Return the refusal of an overloaded exchange."""
    return VenueError(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        503,
    )


def lost() -> VenueError:
    """Return the answer that leaves the outcome open."""
    return VenueError(
        -1007,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
        408,
    )
