"""Faults in the life of an order: dead on arrival, withdrawn, cancelled, or without a child."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from qt_protections.rehearsal.faults.entry import BySymbol, Milliseconds, OnRequests
from qt_protections.rehearsal.faults.kinds.endpoints import PLACING


class DeadOnArrival(OnRequests):
    """A conditional order is answered with HTTP 200, and is dead from the beginning.

    Attributes:
        outcome: What the answer says of its end.
        told: Whether the user data stream tells of the order.
        reason: Text of its end.
    """

    REACH = USUAL = PLACING["conditional"]
    kind: Literal["dead_on_arrival"]
    outcome: Literal["reject", "expire"] = "reject"
    told: bool = True
    reason: str = "Order was rejected on arrival"


class Withdraw(OnRequests):
    """An accepted conditional order is rejected, or expires, some time later.

    Attributes:
        after_ms: From its acceptance.
        outcome: How it ends.
        reason: Text of its end.
    """

    REACH = USUAL = PLACING["conditional"]
    kind: Literal["withdraw"]
    after_ms: Milliseconds = 1000
    outcome: Literal["reject", "expire"] = "reject"
    reason: str = "Order was rejected after acceptance"


class Cancel(OnRequests):
    """Someone else cancels orders: each some time after its acceptance, or all at a moment.

    Attributes:
        after_ms: From acceptance; without it, all that are live at `at_s`.
        orders: Which.
    """

    REACH: ClassVar[tuple[str, ...]] = PLACING["plain"] + PLACING["conditional"]
    kind: Literal["cancel"]
    after_ms: Milliseconds | None = None
    orders: Literal["conditional", "plain", "all"] = "conditional"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The requests whose orders it cancels."""
        return self.REACH if self.orders == "all" else PLACING[self.orders]

    @property
    def is_moment(self) -> bool:
        """Whether it cancels at a moment."""
        return self.after_ms is None

    @model_validator(mode="after")
    def _check_moment(self) -> Self:
        if self.is_moment and self.at_s is None:
            raise ValueError("needs after_ms (from acceptance) or at_s (a moment)")
        return self


class ChildUnknown(BySymbol):
    """The order that a trigger sent is executed, but not named, or not known.

    Attributes:
        hides: `name`: `actualOrderId` stays empty; `order`: lookups do not know it; or `both`.
        hidden_ms: Time from acceptance; to the end of the fault's time if absent.
    """

    kind: Literal["child_unknown"]
    hides: Literal["name", "order", "both"] = "name"
    hidden_ms: Milliseconds | None = None
