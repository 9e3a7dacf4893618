"""A wire between a client and the exchange, which can go dead without a word."""

import asyncio
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Passes bytes on; once mute, it keeps every connection open and passes nothing.

    Attributes:
        port: Where clients connect.
    """

    def __init__(self, port: int) -> None:
        """Stand in front of `port` of this machine."""
        self.port = 0
        self._behind = port
        self._heard = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._stopping = asyncio.Event()

    def mute(self) -> None:
        """Pass nothing from now on; returns when it is so."""
        asyncio.run_coroutine_threadsafe(self._set(heard=False), self._loop).result()

    def unmute(self) -> None:
        """Pass on what was held back, and all that follows."""
        asyncio.run_coroutine_threadsafe(self._set(heard=True), self._loop).result()

    async def _set(self, *, heard: bool) -> None:
        (self._heard.set if heard else self._heard.clear)()

    async def _carry(self, client: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._behind)
        # asyncio complains of a connection's task that was cancelled, as at the end all are.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pump(client, to_server), self._pump(server, writer))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._heard.wait()
                sink.write(data)
        await self._heard.wait()
        sink.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        await self._stopping.wait()

    def __enter__(self) -> Self:
        """Open the port."""
        self._heard.set()
        self._thread.start()
        opening = asyncio.start_server(self._carry, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, and drop every connection."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
