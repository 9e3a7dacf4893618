"""A server that answers each path as a test says, and tells the time of its own clock."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import ccxt

TIME = "/fapi/v1/time"


@dataclass
class Answer:
    """What comes back: HTTP status, body, headers."""

    status: int = 200
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


class Answers:
    """An exchange as far as a connection is concerned.

    Attributes:
        by_path: What is answered; `{}` for other paths, and the time for `TIME`.
        asked: How often each path was asked.
        ahead_s: Seconds its clock is ahead of this machine's as that stood at the start; nobody
            sets it.
    """

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.by_path: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        self.ahead_s = ahead_s
        self._epoch = time.time() - time.monotonic()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def now_s(self) -> float:
        """Return its time, epoch seconds."""
        return self._epoch + time.monotonic() + self.ahead_s

    def exchange(self, **options: Any) -> ccxt.binance:
        """Return a client of it."""
        address = f"http://127.0.0.1:{self._server.server_port}/fapi"
        api = ccxt.binance({"apiKey": "key", "secret": "secret", "options": options})
        for name in ("fapiPublic", "fapiPrivate"):
            api.urls["api"][name] = f"{address}/v1"
        return api

    def _answer(self, path: str) -> Answer:
        self.asked[path] += 1
        told = f'{{"serverTime": {round(self.now_s() * 1000)}}}'
        return self.by_path.get(path, Answer(body=told if path == TIME else "{}"))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer: Callable[[str], Answer] = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = answer(self.path.split("?")[0])
                self.send_response(given.status)
                for name, value in given.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(given.body)))
                self.end_headers()
                self.wfile.write(given.body.encode())

            do_POST = do_DELETE = do_GET  # noqa: N815  the server's names

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
