"""What the account stands to lose at its stops, for the rule that sizes one more entry."""

from collections.abc import Sequence
from datetime import datetime

from freqtrade.persistence import LocalTrade

from qt_protections.errors import EntryRefused
from qt_protections.market.trends import Market
from qt_protections.portfolio.account import Account
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.exposure import Exposure, risk_of
from qt_protections.rules.sizing import Risks


class OpenRisk:
    """Adds up what positions lose at their stops: all, those of one trade, those of one group."""

    def __init__(self, account: Account, market: Market, *, limits_groups: bool) -> None:
        """Take who knows of positions and groups.

        Args:
            account: What there is, and what a contract costs.
            market: Who knows which symbols move together.
            limits_groups: Whether a limit on groups is set: without one, nobody asks for groups.
        """
        self._account = account
        self._market = market
        self._limits_groups = limits_groups

    def before(
        self, wish: EntryRequest, trade: LocalTrade | None, held: Sequence[Exposure], now: datetime
    ) -> Risks:
        """Return what stands to be lost before an entry.

        Args:
            wish: The entry.
            trade: The trade that the entry adds to; None for a new one.
            held: The positions and entries under way that count toward the limits.
            now: UTC; the wall clock, in backtests the candle's open.

        Raises:
            EntryRefused: If there is no equity to take shares of.
        """
        equity, costs_of = self._account.equity(), self._account.costs
        if (denial := self._account.check_equity(equity)) is not None:
            raise EntryRefused(wish.pair, denial)
        own = [e for e in held if e.pair == wish.pair and not e.is_foreign]
        return Risks(
            equity=equity,
            open_risk=risk_of(held, costs_of),
            position_risk=risk_of(own, costs_of),
            average=None if trade is None else trade.open_rate,
            group_risk=self._of_group(wish, held, now) if self._limits_groups else None,
            benchmark=self._market.regime_pair,
        )

    def _of_group(
        self, wish: EntryRequest, held: Sequence[Exposure], now: datetime
    ) -> float | None:
        """Return what the positions of the entry's group lose; None if it is in no group."""
        group = self._market.group(wish.pair, now, is_short=wish.is_short)
        if group is None:
            return None
        same = [e for e in held if self._market.group(e.pair, now, is_short=e.is_short) == group]
        return risk_of(same, self._account.costs)
