"""How much one more entry may lose at its stop, and the amount that loses it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from qt_protections.rules.denial import Denial, DenyCode, deny

#: What an amount may lack to be whole, as a ratio of its steps.
_LAST_DIGIT = 1e-9


class Risks(NamedTuple):
    """What stands to be lost already, in quote currency.

    Attributes:
        equity: The account's balance, without unrealised profit.
        open_risk: What all positions lose at their stops.
        position_risk: The same of the position that is added to; 0 for a new one.
        average: Entry price of the position that is added to; None for a new one.
        group_risk: What the positions of the same group lose; None if the entry is in no group.
        benchmark: The pair the group moves with.
    """

    equity: float
    open_risk: float = 0.0
    position_risk: float = 0.0
    average: float | None = None
    group_risk: float | None = None
    benchmark: str = ""


class Headroom(NamedTuple):
    """What an entry may lose at its stop (quote currency, >= 0), and the limit that says so.

    A loss of infinity is no limit at all.
    """

    loss: float
    limit: DenyCode
    facts: tuple[tuple[str, object], ...]

    def too_small(self, stake: float, minimum: float) -> Denial:
        """Return the denial of a stake that the exchange's minimum would raise."""
        facts = {"stake": stake, "minimum": minimum, **dict(self.facts)}
        return deny(self.limit, _text(self.limit, facts), **facts)


def stake_too_small(stake: float, minimum: float, risk_ratio: float) -> Denial:
    """Return the denial of a stake below the exchange's minimum; both in quote currency.

    Args:
        stake: What the entry may be.
        minimum: What the exchange takes.
        risk_ratio: What one entry may lose at its stop, as a share of equity.
    """
    facts = (("risk_ratio", risk_ratio),)
    return Headroom(0.0, DenyCode.STAKE_TOO_SMALL, facts).too_small(stake, minimum)


#: Why a limit leaves less than the exchange's minimum, by the facts of its denial.
_TOO_SMALL = {
    DenyCode.STAKE_TOO_SMALL: (
        "stake {stake:.4g} is below the exchange's minimum {minimum:.4g}: raising it would exceed "
        "what {risk_ratio:.2%} of risk, or the strategy, allows"
    ),
    DenyCode.OPEN_RISK_FULL: (
        "all positions together already risk {open_risk:.4g} of the {limit:.4g} that they may lose "
        "at their stops: what is left makes a stake of {stake:.4g}, and the exchange's minimum is "
        "{minimum:.4g} (max_open_risk)"
    ),
    DenyCode.GROUP_RISK_FULL: (
        "positions that move with {benchmark} already risk {group_risk:.4g} of the {limit:.4g} "
        "that they may lose at their stops: what is left makes a stake of {stake:.4g}, and the "
        "exchange's minimum is {minimum:.4g} (max_group_risk)"
    ),
    DenyCode.AVERAGING_DOWN: (
        "adding at {rate:.8g} averages down from {average:.8g}, and the position already risks "
        "{position_risk:.4g} of the {limit:.4g} that one trade may lose at its stop: what is left "
        "makes a stake of {stake:.4g}, and the exchange's minimum is {minimum:.4g} (averaging_down)"
    ),
}
#: The same as of averaging down, where the risk of a trade is divided among its entries.
_SHARE_TOO_SMALL = (
    "the position already risks {position_risk:.4g} of the {limit:.4g} that all {entries} entries "
    "of one trade together may lose at its stop: what is left makes a stake of {stake:.4g}, and "
    "the exchange's minimum is {minimum:.4g} (averaging_down)"
)


def _text(limit: DenyCode, facts: Mapping[str, object]) -> str:
    is_share = limit is DenyCode.AVERAGING_DOWN and facts["entries"] is not None
    return (_SHARE_TOO_SMALL if is_share else _TOO_SMALL[limit]).format(**facts)


class Limits(NamedTuple):
    """What may be lost at the stops, in quote currency.

    Attributes:
        trade: By one trade; infinity without such a limit.
        open: By all positions together; infinity without such a limit.
        group: By the positions of one group; None without such a limit.
    """

    trade: float
    open: float
    group: float | None


@dataclass(frozen=True, slots=True)
class RiskBudget:
    """Shares risk out among entries.

    Attributes:
        risk_ratio: Share of equity that one entry may lose; None without such a limit.
        max_open_ratio: Share of equity that all positions together may lose; None without one.
        max_group_ratio: The same for positions of one group; None without such a limit.
        less_open_risk: Whether what the open positions may lose is taken off the equity first.
        least_share: What has to be left of an entry's share for the entry to be worth its place.
        entries: The entries among which the limit of one trade is divided; None if each entry has
            that limit for itself.
    """

    risk_ratio: float | None
    max_open_ratio: float | None
    max_group_ratio: float | None = None
    less_open_risk: bool = False
    least_share: float = 0.1
    entries: int | None = None

    @property
    def is_off(self) -> bool:
        """Whether nothing limits what an entry may lose: its size is nobody's business here."""
        return (self.risk_ratio, self.max_open_ratio, self.max_group_ratio) == (None, None, None)

    @property
    def largest_share(self) -> float | None:
        """The largest share of equity that one entry may lose; None without a limit."""
        given = [r for r in (self.risk_ratio, self.max_open_ratio) if r is not None]
        return min(given) if given else None

    def limits(self, equity: float, open_risk: float) -> Limits:
        """Return the limits.

        Args:
            equity: The account's balance, without unrealised profit.
            open_risk: What all positions lose at their stops.
        """
        shared = equity - (open_risk if self.less_open_risk else 0.0)
        return Limits(
            math.inf if self.risk_ratio is None else shared * self.risk_ratio,
            math.inf if self.max_open_ratio is None else shared * self.max_open_ratio,
            None if self.max_group_ratio is None else shared * self.max_group_ratio,
        )

    def room(self, risks: Risks, rate: float, *, averages_down: bool) -> Headroom:
        """Return what one more entry may lose.

        An entry into a gain has a share of its own. An entry that averages down takes no more
        than its position leaves of the share of one trade. Where entries divide that share, each
        further entry takes no more than that, whichever way the price went.

        Args:
            risks: What stands to be lost already.
            rate: Price of the entry, quote currency.
            averages_down: Whether the price is worse than the average of the entry's position.

        Raises:
            ValueError: If the equity is no number above 0, or a loss is not known (NaN).
        """
        losses = (risks.open_risk, risks.position_risk, risks.group_risk or 0.0)
        if not risks.equity > 0 or math.isnan(sum(losses)):
            raise ValueError(f"cannot size: equity {risks.equity}, losses at the stops {losses}")
        limits = self.limits(risks.equity, risks.open_risk)
        rooms = [self._of_entry(limits), _of_all_positions(limits, risks)]
        if averages_down or (self.entries is not None and risks.average is not None):
            rooms.append(self._of_trade(limits, risks, rate))
        if limits.group is not None and risks.group_risk is not None:
            rooms.append(_of_group(limits.group, risks, risks.group_risk))
        least = min(rooms, key=lambda room: room.loss)
        is_worthwhile = least.loss >= self.least_share * self._whole_share(limits)
        return least if is_worthwhile else least._replace(loss=0.0)

    def _of_entry(self, limits: Limits) -> Headroom:
        """Return what the limit of one trade leaves for each of its entries."""
        entries = self.entries or 1
        ratio = None if self.risk_ratio is None else self.risk_ratio / entries
        return Headroom(limits.trade / entries, DenyCode.STAKE_TOO_SMALL, (("risk_ratio", ratio),))

    def _of_trade(self, limits: Limits, risks: Risks, rate: float) -> Headroom:
        """Return what a position leaves of the limit of its trade."""
        facts: tuple[tuple[str, object], ...] = (
            ("rate", rate),
            ("average", risks.average),
            ("position_risk", risks.position_risk),
            ("limit", limits.trade),
            ("entries", self.entries),
        )
        return Headroom(limits.trade - risks.position_risk, DenyCode.AVERAGING_DOWN, facts)

    def _whole_share(self, limits: Limits) -> float:
        """Return the loss of a full-sized entry, by which the least share is measured."""
        share = min(limits.trade / (self.entries or 1), limits.open)
        if share < math.inf:
            return share
        return 0.0 if limits.group is None else limits.group  # the only limit that is set


def _of_all_positions(limits: Limits, risks: Risks) -> Headroom:
    """Return what all positions leave of the limit that they share."""
    facts = (("open_risk", risks.open_risk), ("limit", limits.open))
    return Headroom(limits.open - risks.open_risk, DenyCode.OPEN_RISK_FULL, facts)


def _of_group(limit: float, risks: Risks, group_risk: float) -> Headroom:
    """Return what the positions of one group leave of the group's limit."""
    facts = (("benchmark", risks.benchmark), ("group_risk", group_risk), ("limit", limit))
    return Headroom(limit - group_risk, DenyCode.GROUP_RISK_FULL, facts)


def amount_for(loss: float, loss_per_unit: float, step: float | None) -> float:
    """Return the amount (base currency) that loses no more than `loss`, in whole steps.

    Args:
        loss: Quote currency, >= 0.
        loss_per_unit: What one base unit loses at its stop, quote currency, > 0.
        step: The contract's amount step; None where it has none.

    Raises:
        ValueError: If an input lies outside its bounds; NaN always does.
    """
    if not (0 <= loss < math.inf and loss_per_unit > 0):
        raise ValueError(f"cannot size: loss {loss}, loss per unit {loss_per_unit}")
    return whole_steps(loss / loss_per_unit, step)


def whole_steps(amount: float, step: float | None) -> float:
    """Return an amount cut to whole steps; what lacks a last binary digit only is whole."""
    if not step:
        return amount
    steps = amount / step
    nearest = round(steps)
    if abs(steps - nearest) > _LAST_DIGIT * max(nearest, 1):
        nearest = math.floor(steps)
    return float(nearest * _exact(step))


@lru_cache(maxsize=512)
def _exact(step: float) -> Decimal:
    """Return a step as it is written: a product of its float is no number of whole steps."""
    return Decimal(str(step))  # not by its repr: that of numpy's numbers names their type
