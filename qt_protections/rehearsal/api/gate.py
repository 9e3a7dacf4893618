"""From a request to its answer: fate, limits, signature, endpoint."""

import logging
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl

from fastapi import Request

from qt_protections.rehearsal.api import intake
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_account import ACCOUNT_ROUTES
from qt_protections.rehearsal.api.routes_market import MARKET_ROUTES, Route
from qt_protections.rehearsal.api.routes_trade import TRADE_ROUTES
from qt_protections.rehearsal.api.weights import is_order, request_weight
from qt_protections.rehearsal.auth import check_key, check_signature
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults.answers import GatewayError
from qt_protections.rehearsal.faults.at_work import Faults
from qt_protections.rehearsal.faults.fate import Fate
from qt_protections.rehearsal.faults.kinds.requests import Refuse
from qt_protections.rehearsal.faults.kinds.stale_data import Stale
from qt_protections.rehearsal.faults.strikes import Call
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.venue import Venue

logger = logging.getLogger(__name__)

ROUTES: dict[tuple[str, str], Route] = MARKET_ROUTES | TRADE_ROUTES | ACCOUNT_ROUTES


PREFIX = "/fapi/"
NO_ANSWER = 0
ENDPOINTS = frozenset(f"{method} {PREFIX}{name}" for method, name in ROUTES)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client.

    Attributes:
        status: HTTP status.
        content: JSON, or the HTML of a gateway.
        headers: Headers beyond the usual.
        is_page: Whether `content` is HTML.
    """

    status: int
    content: object
    headers: dict[str, str] = field(default_factory=dict)
    is_page: bool = False


def call_of(request: Request, body: str) -> Call:
    """Read a request."""
    query = request.url.query
    return Call(
        method=request.method,
        path=request.url.path,
        values=dict(parse_qsl(query) + parse_qsl(body)),
        address="unknown" if request.client is None else request.client.host,
        payload=query + body,
        api_key=request.headers.get("X-MBX-APIKEY"),
    )


class Gate:
    """Where requests come in."""

    def __init__(self, venue: Venue, limits: RateLimits, faults: Faults) -> None:
        """Open the gate.

        Args:
            venue: The exchange behind it.
            limits: Counts what comes in.
            faults: What goes wrong.
        """
        self._venue = venue
        self._limits = limits
        self._faults = faults

    def meet(self, call: Call) -> Fate:
        """Take in a request, and return what becomes of it."""
        self._venue.advance()
        return self._faults.meet(call)

    def answer(self, fate: Fate) -> Answer:
        """Return the answer to one exchange request, given what becomes of it.

        Raises:
            NoAnswerError: If the client gets none.
        """
        self._venue.advance()
        call, status = fate.call, NO_ANSWER
        try:
            answer = self._answer(fate)
            status = answer.status
        finally:
            now_ms, weight = self._venue.now_ms, fate.weight
            self._venue.traffic.count(call.method, call.path, status, now_ms, weight)
        return answer

    def _answer(self, fate: Fate) -> Answer:
        call, headers = fate.call, dict[str, str]()
        try:
            content = self._handle(fate, headers)
        except VenueError as refusal:
            logger.info("%s refused: %s", call.endpoint, refusal)
            if refusal.retry_after_s is not None:
                headers["Retry-After"] = str(refusal.retry_after_s)
            refused = {"code": refusal.code, "msg": refusal.msg}
            headers |= self._limits.headers(call.address)
            return Answer(refusal.http_status, refused, headers)
        except GatewayError as error:
            return Answer(error.status, error.page, is_page=True)
        return Answer(200, content, headers | self._limits.headers(call.address))

    def _handle(self, fate: Fate, headers: dict[str, str]) -> object:
        call = fate.call
        fate.intercept()
        weight = request_weight(call.method, call.name, call.values)
        self._limits.admit(call.address, weight)
        fate.weight = weight
        places_order = is_order(call.method, call.name)
        if places_order:
            self._limits.admit_order()
        fate.postpone(partial(self._dispatch, fate))
        content = self._dispatch(fate)
        if places_order:
            headers |= self._limits.count_order()
        fate.conclude(content)
        return content

    def _dispatch(self, fate: Fate) -> object:
        call = fate.call
        route = ROUTES.get((call.method, call.name))
        if route is None or not call.path.startswith(PREFIX):
            logger.warning("no such endpoint: %s", call.endpoint)
            raise VenueError(-5000, f"Path {call.path}, Method {call.method} is invalid", 404)
        if route.signed:
            check_signature(call.payload, call.api_key)
            self._faults.check_time(call)
        elif route.keyed:
            check_key(call.api_key)
        if fate.has(Refuse):
            intake.refuse(self._venue, call.method, call.name, Params(call.values), fate.refusal)
        with fate.setting():
            content = self._look(route, fate)
        return fate.shortened(self._faults.answered(call, content))

    def _look(self, route: Route, fate: Fate) -> object:
        """Run an endpoint, for which young orders may not exist yet."""
        call, params = fate.call, Params(fate.call.values)
        if not fate.has(Stale):
            return route.handler(self._venue, params)
        if call.method == "DELETE" and self._is_unseen(fate):
            raise VenueError(-2011)
        content = route.handler(self._venue, params)
        if isinstance(content, list):
            return fate.known(content)
        if call.method == "GET" and not fate.known([content]):
            raise VenueError(-2013)
        return content

    def _is_unseen(self, fate: Fate) -> bool:
        """Say whether the order a request would cancel is too young to be known."""
        lookup = ROUTES["GET", fate.call.name]
        try:
            order = lookup.handler(self._venue, Params(fate.call.values))
        except VenueError:
            return False  # the cancel itself is refused for the same reason, in its own words
        return not fate.known([order])
