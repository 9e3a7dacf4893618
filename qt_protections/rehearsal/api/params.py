"""Request parameters to typed requests; malformed ones are refused as Binance does."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.orders import (
    AlgoRequest,
    AlgoType,
    AmendRequest,
    Cause,
    OrderRequest,
    OrderType,
    TimeInForce,
    WorkingType,
)
from qt_protections.rehearsal.errors import VenueError, missing
from qt_protections.rehearsal.journal import Facts
from qt_protections.rehearsal.market.book import Side

# Taken by conditional orders, though the documents list it only among the statuses
# (binance-connector-python issue 446).
UNTIL_FLAT = "GTE_GTC"
CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]*")
MAX_CLIENT_ID = 36
# Python reads more as a number than an exchange does: underscores, blanks, other scripts' digits.
INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
INTEGERS = range(-(2**63), 2**63)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
# Powers of ten and digits within which decimal arithmetic on products stays exact enough.
MAX_MAGNITUDE, MAX_DIGITS = 20, 28
MAX_NOTED = 64

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class Params:
    """The parameters of one request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """Hold the decoded names and values."""
        self._values = values

    def has(self, name: str) -> bool:
        """Say whether `name` was sent with a value."""
        return bool(self._values.get(name))

    def text(self, name: str) -> str:
        """Return a mandatory text; refuse (-1102) if absent."""
        if not self.has(name):
            raise missing(name)
        return self._values[name]

    def maybe_text(self, name: str) -> str | None:
        """Return a text, or None if absent."""
        return self._values.get(name) or None

    def integer(self, name: str) -> int:
        """Return a mandatory integer; refuse (-1102) if absent or malformed."""
        text = self.text(name)
        if not INTEGER.fullmatch(text) or int(text) not in INTEGERS:
            raise missing(name)
        return int(text)

    def maybe_integer(self, name: str) -> int | None:
        """Return an integer, or None if absent; refuse (-1102) if malformed."""
        return self.integer(name) if self.has(name) else None

    def decimal(self, name: str) -> Decimal:
        """Return a mandatory number; refuse (-1102, -1111) if absent, malformed or too long."""
        text = self.text(name)
        if not NUMBER.fullmatch(text):
            raise missing(name)
        value = Decimal(text)
        if abs(value.adjusted()) > MAX_MAGNITUDE:
            raise missing(name)
        if len(value.as_tuple().digits) > MAX_DIGITS:
            raise VenueError(-1111)
        return value

    def maybe_decimal(self, name: str) -> Decimal | None:
        """Return a number, or None if absent; refuse (-1102) if malformed."""
        return self.decimal(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        """Return a boolean, false if absent; refuse (-1102) if malformed."""
        value = self._values.get(name, "false").lower()
        if value not in {"true", "false"}:
            raise missing(name)
        return value == "true"

    def choice(self, name: str, kind: type[E], default: E | None, code: int) -> E:
        """Return one of an enumeration's values; refuse with `code` if it is none of them."""
        if default is not None and not self.has(name):
            return default
        try:
            return kind(self.text(name).upper())
        except ValueError:
            raise VenueError(code) from None


def order_request(params: Params) -> OrderRequest:
    """Read a plain order.

    Raises:
        VenueError: -1102, -1115, -1116, -1117, -1106, -4015, -4061 or -4120.
    """
    symbol = params.text("symbol")
    side = params.choice("side", Side, None, -1117)
    if params.text("type").upper() in set(AlgoType):
        raise VenueError(-4120)
    type_ = params.choice("type", OrderType, None, -1116)
    _check_position_side(params)
    is_limit = type_ is OrderType.LIMIT
    if is_limit and not params.has("timeInForce"):
        raise missing("timeInForce")
    if params.has("closePosition"):
        raise _superfluous("closePosition")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=type_,
        quantity=params.decimal("quantity"),
        client_id=_client_id(params, "newClientOrderId"),
        price=params.decimal("price") if is_limit else ZERO,
        tif=_time_in_force(params) if is_limit else TimeInForce.GTC,
        reduce_only=params.flag("reduceOnly"),
        cause=Cause.LIMIT if is_limit else Cause.MARKET,
    )


def algo_request(params: Params) -> AlgoRequest:
    """Read a conditional order.

    Raises:
        VenueError: -1102, -1106, -1115, -1116, -1117, -4015, -4061 or -4137.
    """
    if params.text("algoType") != "CONDITIONAL":
        raise missing("algoType")
    type_ = params.choice("type", AlgoType, None, -1116)
    _check_position_side(params)
    closes = params.flag("closePosition")
    if closes and params.has("quantity"):
        raise VenueError(-4137)
    if closes and params.has("reduceOnly"):
        raise _superfluous("reduceOnly")
    until_flat = params.maybe_text("timeInForce") == UNTIL_FLAT
    return AlgoRequest(
        symbol=params.text("symbol"),
        side=params.choice("side", Side, None, -1117),
        type=type_,
        quantity=None if closes else params.decimal("quantity"),
        client_id=_client_id(params, "clientAlgoId"),
        trigger_price=None if type_.is_trailing else params.decimal("triggerPrice"),
        price=params.decimal("price") if type_.is_limit else None,
        tif=_time_in_force(params) if type_.is_limit and not until_flat else TimeInForce.GTC,
        until_flat=until_flat,
        working_type=params.choice("workingType", WorkingType, WorkingType.CONTRACT_PRICE, -1130),
        price_protect=params.flag("priceProtect"),
        reduce_only=params.flag("reduceOnly"),
        close_position=closes,
        callback_ratio=params.decimal("callbackRate") / 100 if type_.is_trailing else None,
        activate_price=params.maybe_decimal("activatePrice") if type_.is_trailing else None,
    )


def amend_request(params: Params) -> AmendRequest:
    """Read the amendment of a plain order.

    Raises:
        VenueError: -1102, -1111 or -1117.
    """
    order_id, client_id = params.maybe_integer("orderId"), params.maybe_text("origClientOrderId")
    if order_id is None and client_id is None:
        raise missing("orderId")
    return AmendRequest(
        symbol=params.text("symbol"),
        side=params.choice("side", Side, None, -1117),
        order_id=order_id,
        client_id=client_id,
        price=params.decimal("price"),
        quantity=params.decimal("quantity"),
        reduce_only=params.flag("reduceOnly"),
    )


def told_facts(params: Params) -> tuple[str, Facts]:
    """Return the symbol and what else can be read of an order, however malformed it is."""
    facts: Facts = {
        "type": _noted(params, "type").upper(),
        "client_id": _noted(params, "newClientOrderId") or _noted(params, "clientAlgoId"),
        "quantity": _if_readable(lambda: params.maybe_decimal("quantity")),
        "price": _if_readable(lambda: params.maybe_decimal("triggerPrice")),
        "reduce_only": any(
            _if_readable(lambda name=name: params.flag(name)) is True  # type: ignore[misc]
            for name in ("reduceOnly", "closePosition")
        ),
    }
    side = _if_readable(lambda: params.choice("side", Side, None, -1117))
    if side is not None:
        facts["side"] = side
    return _noted(params, "symbol"), facts


def _if_readable(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except VenueError:
        return None


def _noted(params: Params, name: str) -> str:
    # JSON may smuggle in half a surrogate pair, which no answer could carry.
    text = params.maybe_text(name) or ""
    return text[:MAX_NOTED].encode("utf-8", "replace").decode()


def _time_in_force(params: Params) -> TimeInForce:
    return params.choice("timeInForce", TimeInForce, TimeInForce.GTC, -1115)


def _client_id(params: Params, name: str) -> str:
    given = params.maybe_text(name)
    if given is None:
        return ""
    if len(given) > MAX_CLIENT_ID:
        raise VenueError(-4015, "Client order id length should not be more than 36 chars")
    if not CLIENT_ID.fullmatch(given):
        raise VenueError(-4015)
    return given


def _check_position_side(params: Params) -> None:
    if params.maybe_text("positionSide") not in {None, "BOTH"}:
        raise VenueError(-4061)


def _superfluous(name: str) -> VenueError:
    return VenueError(-1106, f"Parameter '{name}' sent when not required.")
