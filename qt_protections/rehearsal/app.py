"""The web application: the exchange's endpoints, and those that tell of the rehearsal."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from qt_protections.rehearsal.faults import HANG_S, Fault, Faults
from qt_protections.rehearsal.gate import Gate
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.observatory import observatory
from qt_protections.rehearsal.stream_routes import stream_routes
from qt_protections.rehearsal.streams import Streams
from qt_protections.rehearsal.venue import Venue

PULSE_S = 0.1


def build_app(
    venue: Venue,
    latency_ms: int = 0,
    faults: Faults | None = None,
    limits: RateLimits | None = None,
    streams: Streams | None = None,
) -> FastAPI:
    """Return the web application.

    Args:
        venue: The exchange; the application keeps its time moving.
        latency_ms: Added round trip of every exchange request, half before it is handled and
            half after, in milliseconds.
        faults: What goes wrong; nothing if None.
        limits: Counts requests; Binance's limits if None.
        streams: Who listens on websockets; nobody yet if None.
    """
    gate = Gate(venue, RateLimits(lambda: venue.now_ms) if limits is None else limits)
    app = FastAPI(lifespan=_pulse(venue), openapi_url=None)
    fate = Faults() if faults is None else faults
    app.include_router(observatory(venue, fate))
    app.include_router(stream_routes(Streams(venue) if streams is None else streams))
    app.include_router(_exchange(gate, latency_ms, fate))
    return app


def _exchange(gate: Gate, latency_ms: int, faults: Faults) -> APIRouter:
    router = APIRouter()

    @router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def exchange(path: str, request: Request) -> Response:
        body = (await request.body()).decode()
        await asyncio.sleep(latency_ms / 2000)
        fault = faults.draw(request.method, path)
        answer = gate.answer(request, path, body, fault)
        await asyncio.sleep(latency_ms / 2000 + (HANG_S if fault is Fault.HANG else 0.0))
        return Response(
            orjson.dumps(answer.content), answer.status, answer.headers, "application/json"
        )

    return router


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
