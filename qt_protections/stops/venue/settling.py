"""What became of a request whose answer was lost: asked for until the exchange tells."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qt_protections.errors import withhold_secrets
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError

logger = withhold_secrets(logging.getLogger(__name__))


@dataclass(frozen=True, slots=True)
class Settled:
    """What the exchange told of an order.

    Attributes:
        is_told: Whether the exchange answered.
        order: The order, if the exchange has it. Right after a request that does not prove that the
            order will never arrive: a request may have been delayed.
    """

    is_told: bool
    order: CcxtOrder | None = None


def settle(
    find: Callable[[], CcxtOrder | None],
    what: str,
    pauses_s: Sequence[float],
    pause: Callable[[float], None],
) -> Settled:
    """Ask for an order by its name until the exchange has it, or the pauses are over.

    Args:
        find: Asks for the order; None if the exchange does not know the order.
        what: For the log.
        pauses_s: Seconds before each question.
        pause: Waits for some seconds.
    """
    is_told = False
    for pause_s in pauses_s:
        if pause_s:
            pause(pause_s)
        try:
            found = find()
        except RequestError as error:
            logger.warning("Could not ask for %s: %s", what, error)
            continue
        if found is not None:
            return Settled(True, found)
        is_told = True
    return Settled(is_told)
