"""The exchange on a loopback socket, over TLS, with every answer as late as a real one."""

import asyncio
import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from qt_protections.rehearsal.certificate import write_certificate
from qt_protections.rehearsal.faults import HANG_S, Fault, Faults
from qt_protections.rehearsal.gate import Gate
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.report import Report
from qt_protections.rehearsal.venue import Venue

HOST = "127.0.0.1"
PULSE_S = 0.1


class PortInUseError(OSError):
    """The port is taken."""


def build_app(venue: Venue, latency_ms: int = 0, faults: Faults | None = None) -> FastAPI:
    """Return the web application.

    Args:
        venue: The exchange; the application keeps its time moving.
        latency_ms: Added round trip of every exchange request, half before it is handled and
            half after, in milliseconds.
        faults: What goes wrong; nothing if None.
    """
    fate = Faults() if faults is None else faults
    gate = Gate(venue, RateLimits(lambda: venue.now_ms))
    app = FastAPI(lifespan=_pulse(venue), openapi_url=None)

    @app.get("/_rehearsal/health")
    async def health() -> JsonObject:
        return _health(venue)

    @app.get("/_rehearsal/report")
    async def report() -> Report:
        venue.advance()
        return venue.report()

    @app.get("/_rehearsal/events")
    async def events(since: int = 0) -> list[JsonObject]:
        venue.advance()
        return [event.as_json() for event in venue.journal.since(since)]

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def exchange(path: str, request: Request) -> JSONResponse:
        body = (await request.body()).decode()
        await asyncio.sleep(latency_ms / 2000)
        fault = fate.draw(request.method, path)
        answer = gate.answer(request, path, body, fault)
        await asyncio.sleep(latency_ms / 2000 + (HANG_S if fault is Fault.HANG else 0.0))
        return JSONResponse(answer.content, answer.status, answer.headers)

    return app


def _health(venue: Venue) -> JsonObject:
    facts = venue.replayed
    return {
        "ok": True,
        "now_ms": venue.now_ms,
        "symbols": list(venue.tape.symbols),
        "replay": None if facts is None else facts.model_dump(mode="json"),
    }


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


class _AbruptServer(uvicorn.Server):
    """Hangs up on its clients when it ends; a TLS farewell may take them half a minute."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await super().shutdown(sockets)


class RehearsalServer:
    """The exchange in a thread of its own; a context manager.

    Attributes:
        venue: The exchange.
        port: The port it listens on.
        certificate: File with the certificate of this run, for clients that check it.
    """

    def __init__(
        self, venue: Venue, port: int = 0, latency_ms: int = 0, faults: Faults | None = None
    ) -> None:
        """Take the port.

        Args:
            venue: The exchange to serve.
            port: Port on 127.0.0.1; 0 picks a free one.
            latency_ms: Added round trip, see `build_app`.
            faults: What goes wrong, see `build_app`.

        Raises:
            PortInUseError: If the port is taken.
        """
        self.venue = venue
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="rehearsal-")
        self.certificate, key = write_certificate(Path(self._folder.name), HOST)
        config = uvicorn.Config(
            build_app(venue, latency_ms, faults),
            # uvloop 0.22 sometimes never returns from loop.close() after TLS connections
            loop="asyncio",
            log_level="critical",
            access_log=False,
            ssl_certfile=self.certificate,
            ssl_keyfile=key,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            timeout_graceful_shutdown=1,
        )
        self._server = _AbruptServer(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="rehearsal", daemon=True
        )

    @property
    def url(self) -> str:
        """Base address of the server."""
        return f"https://{HOST}:{self.port}"

    def start(self) -> None:
        """Serve in the background; connections wait in the socket until it is ready."""
        self._thread.start()

    def stop(self) -> None:
        """End the server and wait until it has ended."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.stop()


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; left on, it adds
    # 40 ms to every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortInUseError(f"port {port} on {HOST} is in use") from error
    return listener
