"""The stake that loses a known share of equity at the stop."""

from dataclasses import dataclass

from qt_protections.rules.verdict import Denial, DenyCode


@dataclass(frozen=True, slots=True)
class RiskSizing:
    """Sizes entries from the distance to their stop.

    Attributes:
        risk_ratio: Share of equity lost if the stop is hit, fees of both fills included.
    """

    risk_ratio: float

    def stake(
        self, *, equity: float, stop_distance: float, leverage: float, fee_ratio: float
    ) -> float:
        """Return the stake (quote currency) whose loss at the stop is `risk_ratio` of equity.

        The loss on a notional N stopped at distance d is N * (d + fees of both fills), and the
        notional is stake * leverage.

        Args:
            equity: Account equity in quote currency, > 0.
            stop_distance: Entry to stop, as a ratio of the entry price, > 0.
            leverage: Notional over stake, >= 1.
            fee_ratio: Taker fee of one fill, as a ratio of notional, >= 0.

        Raises:
            ValueError: If an input lies outside its bounds; NaN always does.
        """
        sound = equity > 0 and stop_distance > 0 and leverage >= 1 and fee_ratio >= 0
        if not sound:
            raise ValueError(
                f"cannot size: equity {equity}, stop distance {stop_distance}, "
                f"leverage {leverage}, fee {fee_ratio}"
            )
        return equity * self.risk_ratio / ((stop_distance + 2 * fee_ratio) * leverage)

    def check(self, stake: float, min_stake: float | None) -> Denial | None:
        """Refuse a stake below the exchange's minimum; Freqtrade would raise it, and the risk."""
        if min_stake is None or stake >= min_stake:
            return None
        return Denial(
            DenyCode.STAKE_TOO_SMALL,
            f"stake {stake:.4g} is below the exchange's minimum {min_stake:.4g}: "
            f"raising it would exceed the risk of {self.risk_ratio:.2%}",
        )
