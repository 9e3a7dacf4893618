"""The leverage and the size with which a position is liquidated beyond its stop, not before."""

from collections.abc import Callable

from qt_protections.entry.initial_stop import InitialStop
from qt_protections.portfolio.account import Account
from qt_protections.rules.denial import Denial
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.liquidation import LiquidationRule
from qt_protections.rules.stop_price import stop_at


class LiquidationCheck:
    """Applies the rule of liquidation to the account and its brackets."""

    def __init__(
        self,
        account: Account,
        stop: InitialStop,
        buffer_pct: float | None,
        largest_share: float | None,
        lowered: Callable[[str, float, float], None],
    ) -> None:
        """Take the bot's own objects.

        Args:
            account: What there is, and the brackets of each pair.
            stop: Where the stop of an entry stands.
            buffer_pct: The setting `liquidation_buffer`, %; None switches the rule off.
            largest_share: The largest share of equity that one entry may lose; None without a
                limit.
            lowered: Hears of a pair whose leverage is lowered: from what, and to what.
        """
        self._account = account
        self._stop = stop
        self._rule = None if buffer_pct is None else LiquidationRule(buffer_pct / 100)
        self._largest_share = largest_share
        self._lowered = lowered

    def highest_leverage(self, pair: str, wanted: float, *, is_short: bool) -> float:
        """Return the leverage of a new position: the wanted one, or the highest that is safe.

        Under cross margin the whole balance carries a position, whatever its leverage. There
        `check` judges the size instead.
        """
        if self._rule is None or not self._account.is_isolated or wanted <= 1:
            return wanted
        distance_at, equity = self._stop.distance_by_leverage(pair), self._account.equity()
        if not equity > 0:
            return wanted  # the entry is refused when it is sized
        costs, share = self._account.costs(pair), self._largest_share

        def entry_at(leverage: float) -> tuple[float, float]:
            distance = distance_at(leverage)
            if share is None:
                return distance, equity * leverage
            stop = stop_at(1.0, distance, is_short=is_short)
            per_unit = costs.loss_per_unit(1.0, stop, is_short=is_short)
            return distance, equity * (share / per_unit)

        highest = self._rule.highest_leverage(
            wanted, entry_at, self._account.brackets(pair), is_short=is_short
        )
        if highest < wanted:
            self._lowered(pair, wanted, highest)
        return highest

    def check(self, allowance: ApprovedEntry, amount: float) -> Denial | None:
        """Refuse an amount (base currency) whose position would be liquidated before its stop."""
        wish, account = allowance.wish, self._account
        if self._rule is None or not account.has_futures:
            return None
        position = allowance.position(amount)
        if account.is_isolated:
            return self._rule.check_isolated(position, wish.leverage, account.brackets(wish.pair))
        own = allowance.own
        others = [other for other in allowance.beside if other is not own]
        return self._rule.check_cross(
            position, others, account.balance, account.brackets, wish.leverage
        )
