"""From a request to its answer: limits, fate, signature, endpoint."""

import asyncio
import logging
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from fastapi import Request

from qt_protections.rehearsal.auth import check_key, check_signature, check_timestamp
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import VANISH_S, Fault, busy, lost
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.params import Params
from qt_protections.rehearsal.routes_account import ACCOUNT_ROUTES
from qt_protections.rehearsal.routes_market import MARKET_ROUTES, Route
from qt_protections.rehearsal.routes_trade import TRADE_ROUTES
from qt_protections.rehearsal.venue import Venue
from qt_protections.rehearsal.weights import is_order, request_weight

logger = logging.getLogger(__name__)

ROUTES: dict[tuple[str, str], Route] = MARKET_ROUTES | TRADE_ROUTES | ACCOUNT_ROUTES


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client.

    Attributes:
        status: HTTP status.
        content: JSON.
        headers: Headers beyond the usual.
    """

    status: int
    content: object
    headers: dict[str, str] = field(default_factory=dict)


class Gate:
    """Where requests come in."""

    def __init__(self, venue: Venue, limits: RateLimits) -> None:
        """Open the gate.

        Args:
            venue: The exchange behind it.
            limits: Counts what comes in.
        """
        self._venue = venue
        self._limits = limits

    def answer(self, request: Request, path: str, body: str, fault: Fault | None = None) -> Answer:
        """Return the answer to one exchange request, which may be struck by a fault.

        Args:
            request: The request.
            path: Its path without the leading slash.
            body: Its body.
            fault: What goes wrong with it.
        """
        self._venue.advance()
        address = "unknown" if request.client is None else request.client.host
        headers: dict[str, str] = {}
        try:
            content = self._handle(request, address, path, body, fault, headers)
        except VenueError as refusal:
            logger.info("%s /%s refused: %s", request.method, path, refusal)
            if refusal.retry_after_s is not None:
                headers["Retry-After"] = str(refusal.retry_after_s)
            refused = {"code": refusal.code, "msg": refusal.msg}
            headers |= self._limits.headers(address)
            self._venue.traffic.count(request.method, path, refusal.http_status, self._venue.now_ms)
            return Answer(refusal.http_status, refused, headers)
        if fault is Fault.VANISH:
            self._withdraw_later(content)
        self._venue.traffic.count(request.method, path, 200, self._venue.now_ms)
        return Answer(200, content, headers | self._limits.headers(address))

    def _handle(
        self,
        request: Request,
        address: str,
        path: str,
        body: str,
        fault: Fault | None,
        headers: dict[str, str],
    ) -> object:
        values = dict(parse_qsl(request.url.query) + parse_qsl(body))
        name = path.removeprefix("fapi/")
        self._limits.admit(address, request_weight(request.method, name, values))
        if fault is Fault.BUSY:
            raise busy()
        places_order = is_order(request.method, name)
        if places_order:
            self._limits.admit_order()
        content = self._dispatch(request, path, body, values)
        if places_order:
            headers |= self._limits.count_order()
        if fault is Fault.LOST:
            raise lost()
        return content

    def _dispatch(self, request: Request, path: str, body: str, values: dict[str, str]) -> object:
        route = ROUTES.get((request.method, path.removeprefix("fapi/")))
        if route is None or not path.startswith("fapi/"):
            logger.warning("no such endpoint: %s /%s", request.method, path)
            raise VenueError(-5000, f"Path /{path}, Method {request.method} is invalid", 404)
        api_key = request.headers.get("X-MBX-APIKEY")
        if route.signed:
            check_signature(request.url.query + body, api_key)
            check_timestamp(values, self._venue.now_ms)
        elif route.keyed:
            check_key(api_key)
        return route.handler(self._venue, Params(values))

    def _withdraw_later(self, content: object) -> None:
        if isinstance(content, dict) and "algoStatus" in content:
            loop = asyncio.get_running_loop()
            loop.call_later(VANISH_S, self._venue.conditional.withdraw, content["algoId"])
