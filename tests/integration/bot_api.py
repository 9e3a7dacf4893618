"""Telegram's Bot API on loopback: one bot, one chat, and the person in it.

It is as strict as Telegram's documentation: a message that cannot be parsed in its `parse_mode` is
answered with 400 and reaches nobody. Telegram's server itself lets a lone `&` or `>` through.
"""

import html
import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

from tests.patience import until

CHAT_ID = 4711
#: The longest message, in characters as the person sees them.
_LONGEST = 4096
_TAG = re.compile(r"<(/?)([a-z]+)(?:\s[^<>]*)?>")
_TAGS = {"a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "strike", "strong"}
_STRAY = re.compile(r"[<>]|&(?!(?:lt|gt|amp|quot|#\d+|#x[0-9a-f]+);)")
_MARKDOWN = re.compile(
    r"\\([_*`\[])|```(.*?)```|`([^`]*)`|_([^_]*)_|\*([^*]*)\*|\[([^\]]*)\]|([^_*`\[])", re.DOTALL
)


class BadRequestError(ValueError):
    """Answered with 400 and this text."""


def shown(text: str, parse_mode: str | None) -> str:
    """Return what a person sees of a message.

    Raises:
        BadRequestError: If it cannot be parsed, or is too long or empty.
    """
    parse: dict[str | None, Callable[[str], str]] = {
        None: str,
        "HTML": _from_html,
        "Markdown": _from_markdown,
    }
    if parse_mode not in parse:
        raise BadRequestError("unsupported parse_mode")
    plain = parse[parse_mode](text)
    if not plain.strip():
        raise BadRequestError("message text is empty")
    if len(plain) > _LONGEST:
        raise BadRequestError("message is too long")
    return plain


def _cannot_parse(why: str, text: str, at: int) -> BadRequestError:
    offset = len(text[:at].encode())
    return BadRequestError(f"can't parse entities: {why} at byte offset {offset}")


def _from_html(text: str) -> str:
    opened: list[tuple[str, int]] = []
    for tag in _TAG.finditer(text):
        closes, name = tag.groups()
        if name not in _TAGS:
            raise _cannot_parse(f'Unsupported start tag "{name}"', text, tag.start())
        if not closes:
            opened.append((name, tag.start()))
        elif not opened or opened.pop()[0] != name:
            raise _cannot_parse("Unexpected end tag", text, tag.start())
    if opened:
        raise _cannot_parse("Can't find end tag of the one that begins", text, opened[-1][1])
    plain = _TAG.sub("", text)
    if stray := _STRAY.search(plain):
        raise _cannot_parse(f"Unescaped {stray[0]}", text, text.index(stray[0]))
    return html.unescape(plain)


def _from_markdown(text: str) -> str:
    plain, at = "", 0
    while at < len(text):
        found = _MARKDOWN.match(text, at)
        if found is None:
            raise _cannot_parse("Can't find end of the entity starting", text, at)
        plain += found[found.lastindex or 0]
        at = found.end()
    return plain


class BotApi:
    """The server in a thread of its own; a context manager.

    Attributes:
        messages: What the person has seen, in order.
        refused: Why other messages never reached the chat, with their text.
        asked: Each method the bot has called.
    """

    def __init__(self) -> None:
        """Take a free port."""
        self.messages: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.asked: set[str] = set()
        self._typed: list[dict[str, Any]] = []
        self._ids = iter(range(1, 1_000_000))
        self._news = threading.Condition()
        self._is_open = True
        self._methods: dict[str, Callable[[dict[str, str]], Any]] = {
            "getMe": lambda _: {"id": 1, "is_bot": True, "first_name": "bot", "username": "a_bot"},
            "deleteWebhook": self._delete_webhook,
            "getUpdates": self._get_updates,
            "sendMessage": self._send_message,
        }
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        #: What the bot puts its token and the method behind.
        self.url = f"http://127.0.0.1:{self._server.server_port}/bot"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._news:
            self._is_open = False
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def types(self, text: str) -> None:
        """Have the person type something; what is typed before the bot listens it never hears."""
        until(lambda: "getUpdates" in self.asked)
        command = {"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}
        message = self._message(text) | {"entities": [command]}
        with self._news:
            self._typed.append({"update_id": next(self._ids), "message": message})
            self._news.notify_all()

    def answer(self, text: str, says: str) -> str:
        """Have the person type something; return the first message after it that says this."""
        seen = len(self.messages)
        self.types(text)
        answers: list[str] = []

        def has_answered() -> bool:
            answers.extend(m for m in self.messages[seen:] if says in m)
            return bool(answers or self.refused)

        until(has_answered)
        assert self.refused == []
        return answers[0]

    def call(self, method: str, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the answer to a request."""
        self.asked.add(method)
        if method not in self._methods:
            return 404, {"ok": False, "error_code": 404, "description": "Not Found"}
        try:
            result = self._methods[method](values)
        except BadRequestError as error:
            self.refused.append((str(error), values["text"]))
            return 400, {"ok": False, "error_code": 400, "description": f"Bad Request: {error}"}
        return 200, {"ok": True, "result": result}

    def _delete_webhook(self, values: dict[str, str]) -> bool:
        if values.get("drop_pending_updates") == "true":
            self._typed.clear()
        return True

    def _get_updates(self, values: dict[str, str]) -> list[dict[str, Any]]:
        """Answer at once with what is new, or wait for it; an offset confirms what is before it."""
        with self._news:
            offset = int(values.get("offset", "0"))
            self._typed = [update for update in self._typed if update["update_id"] >= offset]
            patience_s = int(values.get("timeout", "0"))
            self._news.wait_for(lambda: self._typed or not self._is_open, patience_s)
            return list(self._typed)

    def _send_message(self, values: dict[str, str]) -> dict[str, Any]:
        text = shown(values["text"], values.get("parse_mode"))
        assert int(values["chat_id"]) == CHAT_ID
        self.messages.append(text)
        return self._message(text)

    def _message(self, text: str) -> dict[str, Any]:
        person = {"id": CHAT_ID, "is_bot": False, "first_name": "Person"}
        return {
            "message_id": next(self._ids),
            "date": int(time.time()),
            "chat": {"id": CHAT_ID, "type": "private"},
            "from": person,
            "text": text,
        }


class _Handler(BaseHTTPRequestHandler):
    api: ClassVar[BotApi]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        method = self.path.rsplit("/", 1)[1]
        status, answer = self.api.call(method, dict(parse_qsl(body.decode())))
        text = json.dumps(answer).encode()
        with suppress(ConnectionError):  # a bot that ends hangs up on its long poll
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
