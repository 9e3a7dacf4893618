"""The web application: the exchange's endpoints, and those that tell of the rehearsal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from qt_protections.rehearsal.api.gate import Answer, Gate, call_of
from qt_protections.rehearsal.api.websocket_api import Ask, websocket_api
from qt_protections.rehearsal.faults.answers import NoAnswerError
from qt_protections.rehearsal.faults.at_work import Address, Cut, Faults
from qt_protections.rehearsal.faults.script import FaultScript
from qt_protections.rehearsal.faults.strikes import Call
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.page.routes import observatory
from qt_protections.rehearsal.streams.hub import Streams
from qt_protections.rehearsal.streams.routes import stream_routes
from qt_protections.rehearsal.venue import Venue

#: Seconds between two looks at the clock. What a tick brings is stamped with the tick's own time,
#: so a client is told of it later by up to this much.
PULSE_S = 0.01
Sleep = Callable[[float], Awaitable[None]]


class CutOff(Response):
    """No answer: the connection is cut."""

    def __init__(self, cut: Cut) -> None:
        """Cut with `cut` when it is this answer's turn."""
        super().__init__()
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cut, and wait until the server has seen it; else it would send an answer of its own."""
        self._cut(scope["client"])
        while (await receive())["type"] != "http.disconnect":
            pass


def without_sockets(address: Address | None) -> None:
    """Stand in for a server that can cut connections: raise what a client would see."""
    if address is not None:
        raise ConnectionAbortedError(f"the connection of {address} was cut")


def build_app(
    venue: Venue,
    latency_ms: int = 0,
    script: FaultScript | None = None,
    limits: RateLimits | None = None,
    streams: Streams | None = None,
    *,
    cut: Cut = without_sockets,
    sleep: Sleep = asyncio.sleep,
) -> FastAPI:
    """Return the web application.

    Args:
        venue: The exchange; the application keeps its time moving.
        latency_ms: Added round trip of every exchange request, half before it is handled and
            half after, in milliseconds.
        script: What goes wrong, from now on; nothing if None.
        limits: Counts requests; Binance's limits if None.
        streams: Who listens on websockets; nobody yet if None.
        cut: Cuts the connection of a client's address, every connection if None.
        sleep: Lets seconds pass.
    """
    script = FaultScript() if script is None else script
    streams = Streams(venue) if streams is None else streams
    faults = Faults(venue, script, cut, streams.hang_up)
    streams.retold = faults.retold
    limits = RateLimits(lambda: venue.now_ms) if limits is None else limits
    app = FastAPI(lifespan=_pulse(venue), openapi_url=None)
    app.state.faults = faults
    app.include_router(observatory(venue, script.described()))
    app.include_router(stream_routes(streams, faults.is_down, cut))
    ask = _asking(Gate(venue, limits, faults), latency_ms / 1000, sleep)
    app.include_router(websocket_api(ask, faults.is_down, cut))
    app.include_router(_exchange(ask, cut))
    return app


def _asking(gate: Gate, latency_s: float, sleep: Sleep) -> Ask:
    """Return what lets a request arrive, be answered and its answer travel back."""

    async def ask(call: Call) -> Answer:
        await sleep(latency_s / 2)
        fate = gate.meet(call)
        await sleep(fate.delay_s("before"))
        try:
            answer = gate.answer(fate)
        except NoAnswerError as silence:
            await sleep(silence.hold_s)
            raise
        await sleep(latency_s / 2 + fate.delay_s("after"))
        return answer

    return ask


def _exchange(ask: Ask, cut: Cut) -> APIRouter:
    router = APIRouter()

    async def exchange(request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        try:
            return _response(await ask(call_of(request, body)))
        except NoAnswerError:
            return CutOff(cut)

    # A plain route: nothing here wants FastAPI's parsing, which costs a tenth of a request.
    router.add_route("/{path:path}", exchange, methods=["GET", "POST", "PUT", "DELETE"])
    return router


def _response(answer: Answer) -> Response:
    if answer.is_page:
        return HTMLResponse(answer.content, answer.status, answer.headers)
    body = orjson.dumps(answer.content)
    return Response(body, answer.status, answer.headers, "application/json")


def _pulse(venue: Venue) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    async def beat() -> None:
        while True:
            venue.advance()
            await asyncio.sleep(PULSE_S)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(beat())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return lifespan
