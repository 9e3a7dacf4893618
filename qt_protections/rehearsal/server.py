"""The exchange on a loopback socket, over TLS, with every answer as late as a real one."""

import asyncio
import gc
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import uvicorn

from qt_protections.rehearsal.app import build_app
from qt_protections.rehearsal.certificate import write_certificate
from qt_protections.rehearsal.faults.at_work import Address, Faults
from qt_protections.rehearsal.faults.script import FaultScript
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.venue import Venue

HOST = "127.0.0.1"


class PortInUseError(OSError):
    """The port is taken."""


class BriefFarewellLoop(asyncio.SelectorEventLoop):
    """Waits a second for a client's TLS farewell, not asyncio's half a minute."""

    async def create_server(self, *args: Any, **kwargs: Any) -> asyncio.Server:
        """Serve as asyncio does, and give a client that does not hang up a second."""
        return await super().create_server(*args, **kwargs | {"ssl_shutdown_timeout": 1.0})


class _AbruptServer(uvicorn.Server):
    """Hangs up on its clients when it ends; a TLS farewell may take them half a minute."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn 0.54 raises where it says goodbye to a websocket that is closing already, so wait
        # until each connection is known to be lost.
        while self.server_state.connections:
            self.cut(None)
            await asyncio.sleep(0)
        await super().shutdown(sockets)

    def cut(self, client: Address | None) -> None:
        """Cut the connection of a client's address, every connection if None."""
        for connection in list(self.server_state.connections):
            is_meant = client is None or getattr(connection, "client", None) == client
            if is_meant and connection.transport is not None:
                connection.transport.abort()


class RehearsalServer:
    """The exchange in a thread of its own; a context manager.

    Attributes:
        venue: The exchange.
        port: The port it listens on.
        certificate: File with the certificate of this run, for clients that check it.
    """

    def __init__(
        self,
        venue: Venue,
        port: int = 0,
        latency_ms: int = 0,
        script: FaultScript | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        """Take the port.

        Args:
            venue: The exchange to serve.
            port: Port on 127.0.0.1; 0 picks a free one.
            latency_ms: Added round trip, see `build_app`.
            script: What goes wrong, see `build_app`.
            limits: Counts requests, see `build_app`.

        Raises:
            PortInUseError: If the port is taken.
        """
        self.venue = venue
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="rehearsal-")
        self.certificate, key = write_certificate(Path(self._folder.name), HOST)
        app = build_app(venue, latency_ms, script, limits, cut=self._cut)
        self.faults: Faults = app.state.faults
        config = uvicorn.Config(
            app,
            # uvloop 0.22 sometimes never returns from loop.close() after TLS connections
            loop=f"{__name__}:{BriefFarewellLoop.__name__}",
            log_level="critical",
            access_log=False,
            ssl_certfile=self.certificate,
            ssl_keyfile=key,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            timeout_graceful_shutdown=1,
            # As on Binance: a ping every 3 minutes, 10 minutes for its pong.
            ws_ping_interval=180,
            ws_ping_timeout=600,
            ws_per_message_deflate=False,
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

    def _cut(self, client: Address | None) -> None:
        self._server.cut(client)

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.stop()


def spare_the_market() -> None:
    """Exempt what stands now from garbage collection; for a process that serves to its end.

    A full pass over the loaded modules stops every answer for a tenth of a second.
    """
    gc.collect()
    gc.freeze()


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
