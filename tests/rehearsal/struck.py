"""A client of the whole application under a fault script, on a hand-moved clock."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.app import build_app, without_sockets
from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.engine.orders import AlgoOrder
from qt_protections.rehearsal.faults.at_work import Address
from qt_protections.rehearsal.faults.script import FaultScript, parse_script
from qt_protections.rehearsal.streams.hub import Streams
from tests.rehearsal.stage import BTC, Stage

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "99500",
    "reduceOnly": "true",
}
ENTRY = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = ENTRY | {"type": "LIMIT", "price": "90000", "timeInForce": "GTC"}


def script(text: str, seed: int = 1) -> FaultScript:
    """Return the script of a text."""
    return parse_script(text, "test.toml", seed, ENDPOINTS)


def fault(kind: str, **keys: object) -> str:
    """Return a script of one entry."""
    values = [f"{key} = {_toml(value)}" for key, value in ({"kind": kind} | keys).items()]
    return "\n".join(["[[fault]]", *values])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@dataclass(frozen=True)
class Told:
    """What the client got.

    Attributes:
        status: HTTP status, 0 if there was no answer.
        content: JSON, or text.
        headers: Of the answer.
        took_ms: Milliseconds on the exchange's clock.
    """

    status: int
    content: Any
    headers: dict[str, str]
    took_ms: int

    @property
    def code(self) -> int:
        """The code of a refusal, 0 if there is none."""
        return int(self.content["code"]) if self.status >= 400 else 0


class Struck:
    """The stage behind its application; requests move its clock only as far as they are held up."""

    def __init__(
        self, text: str = "", seed: int = 1, latency_ms: int = 0, stage: Stage | None = None
    ) -> None:
        """Open the exchange with the script of `text`, on a stage of its own if none is given."""
        self.stage = Stage() if stage is None else stage
        self.streams = Streams(self.stage.venue)
        self.cut_all = 0
        self.app = build_app(
            self.stage.venue,
            latency_ms,
            script(text, seed) if text else None,
            streams=self.streams,
            cut=self._cut,
            sleep=self._sleep,
        )

    def ask(self, method: str, path: str, late_ms: int = 0, **values: object) -> Told:
        """Send a signed request, stamped with the true time less `late_ms`."""
        return asyncio.run(self._ask(method, path, late_ms, values))

    def entry(self, **changes: object) -> Told:
        """Place the market order."""
        return self.ask("POST", "/fapi/v1/order", **(ENTRY | changes))

    def stop(self, late_ms: int = 0, **changes: object) -> Told:
        """Place the stop."""
        return self.ask("POST", "/fapi/v1/algoOrder", late_ms, **(STOP | changes))

    def faults(self) -> list[dict[str, Any]]:
        """Return what the journal says of faults."""
        events = [event.as_json() for event in self.stage.venue.journal.events]
        return [event for event in events if event["kind"] == "fault"]

    @property
    def orders(self) -> int:
        """How many plain orders the exchange knows."""
        return len(self.stage.venue.desk.orders)

    @property
    def stops(self) -> list[AlgoOrder]:
        """The conditional orders that wait for their trigger."""
        return self.stage.venue.conditional.live()

    async def _ask(self, method: str, path: str, late_ms: int, values: dict[str, object]) -> Told:
        sent_ms = self.stage.now_ms
        query = urlencode(values | {"timestamp": sent_ms - late_ms})
        signature = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"http://exchange{path}?{query}&signature={signature}"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as client:
            try:
                answer = await client.request(method, url, headers={"X-MBX-APIKEY": API_KEY})
            except ConnectionAbortedError:
                return Told(0, None, {}, self.stage.now_ms - sent_ms)
        is_json = answer.headers["content-type"] == "application/json"
        content = answer.json() if is_json else answer.text
        took_ms = self.stage.now_ms - sent_ms
        return Told(answer.status_code, content, dict(answer.headers), took_ms)

    async def _sleep(self, seconds: float) -> None:
        self.stage.wait(round(seconds * 1000))

    def _cut(self, address: Address | None) -> None:
        self.cut_all += address is None
        without_sockets(address)
