"""Where a trailing stop stands, and from where on it trails.

It follows Binance's TRAILING_STOP_MARKET (New Algo Order, USD-M futures): a selling one triggers
when the highest price since its placement has reached the activation price, and the latest price is
at or below that highest price x (1 - callback rate); a buying one is its mirror image.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrailingRule:
    """A stop that follows the best price at a fixed ratio, once the trade has gained enough.

    Attributes:
        callback_pct: The exchange's `callbackRate`, in per cent of price: 1.5 is 1.5 %. In
            (0, 100).
        activation_r: Gain from which it trails, in R: multiples of the initial risk, the distance
            from entry to initial stop. At least 0; 0 trails from the fill.
    """

    callback_pct: float
    activation_r: float

    def __post_init__(self) -> None:
        if not (0 < self.callback_pct < 100 and 0 <= self.activation_r < float("inf")):
            raise ValueError(f"no trailing stop can follow {self}")

    @classmethod
    def of(cls, callback_pct: float | None, activation_r: float | None) -> "TrailingRule | None":
        """Return the rule of two settings; None if either of them switches trailing off."""
        if callback_pct is None or activation_r is None:
            return None
        return cls(callback_pct, activation_r)

    @property
    def callback_ratio(self) -> float:
        """The distance from the best price to the stop, as a ratio of the best price."""
        return self.callback_pct / 100

    @property
    def trails_from_fill(self) -> bool:
        """Whether no gain is asked for; the exchange's order then has no activation price."""
        return self.activation_r == 0

    def activation_price(self, entry: float, initial_stop: float, *, is_short: bool) -> float:
        """Return the price at which it starts to trail, on the gaining side of the entry.

        A short's can lie at or below zero, where no market gets: it then never trails, and such a
        price is none to send to an exchange.

        Args:
            entry: Entry price, > 0.
            initial_stop: The stop the trade began with, > 0.
            is_short: Whether the position gains when the price falls.
        """
        gain = self.activation_r * abs(entry - initial_stop)
        return entry - gain if is_short else entry + gain

    def is_active(
        self, best_price: float, entry: float, initial_stop: float, *, is_short: bool
    ) -> bool:
        """Whether the best price since the fill has reached the activation price.

        Args:
            best_price: The highest price since the fill of a long, the lowest of a short.
            entry: Entry price, > 0.
            initial_stop: The stop the trade began with, > 0.
            is_short: Whether the position gains when the price falls.
        """
        if self.trails_from_fill:
            return True
        activation = self.activation_price(entry, initial_stop, is_short=is_short)
        return best_price <= activation if is_short else best_price >= activation

    def trail_stop(self, best_price: float, *, is_short: bool) -> float:
        """Return the trigger price that belongs to the best price since the fill."""
        ratio = self.callback_ratio
        return best_price * (1 + ratio if is_short else 1 - ratio)
