"""A request on its way in, and the faults that were drawn for that request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from qt_protections.rehearsal.faults.past_account import PastAccount
from qt_protections.rehearsal.faults.past_orders import PastOrders
from qt_protections.rehearsal.faults.source import Source


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way in.

    Attributes:
        method: HTTP method.
        path: With the leading slash.
        values: Decoded parameters.
        address: Where it comes from.
        payload: Query string followed by the body, as received.
        api_key: Value of the X-MBX-APIKEY header.
    """

    method: str
    path: str
    values: Mapping[str, str]
    address: str
    payload: str
    api_key: str | None

    @property
    def endpoint(self) -> str:
        """Method and path, such as `POST /fapi/v1/order`."""
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """The path behind `/fapi/`."""
        return self.path.removeprefix("/fapi/")


class Past(NamedTuple):
    """What the account held, and which orders lived, a moment ago."""

    account: PastAccount
    orders: PastOrders


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that was drawn for a request.

    Attributes:
        source: The entry it came from.
        left_s: What is left of the entry's time, seconds.
        delay_s: How long the request or its answer is held up, seconds.
    """

    source: Source
    left_s: float
    delay_s: float = 0.0
