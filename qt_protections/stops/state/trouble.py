"""What went wrong with the cover of a position, and since when."""

from dataclasses import dataclass
from math import inf


@dataclass(slots=True)
class Trouble:
    """What keeps a position from being covered or closed; moments are of the monotonic clock.

    Attributes:
        naked_since: When a stop of the uncovered position first failed; None while it is covered.
        quiet_until: Until when a close that fails is no news.
        passed_since: Since when the price is beyond a trigger that does not fire.
        priced: When a price was last compared with the trigger.
        denied: How often the exchange's engine refused to reduce the position because it saw none,
            since a list last showed one.
    """

    naked_since: float | None = None
    quiet_until: float = 0.0
    passed_since: float | None = None
    priced: float = -inf
    denied: int = 0
