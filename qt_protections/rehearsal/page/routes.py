"""What the exchange tells of the rehearsal itself, beside the endpoints Binance has."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, Response

from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.page.display import State, state
from qt_protections.rehearsal.venue import Venue
from qt_protections.rehearsal.verdict.report import Report
from qt_protections.rehearsal.verdict.traffic import Cost

PAGE = Path(__file__).with_name("static")
PAGE_FILES = {
    "/": ("index.html", "text/html"),
    "/_rehearsal/page.css": ("page.css", "text/css"),
    **{
        f"/_rehearsal/{name}": (name, "text/javascript")
        for name in ("page.js", "dom.js", "words.js", "timeline.js")
    },
}
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}


def observatory(venue: Venue, faults: Sequence[str]) -> APIRouter:
    """Return the page and the endpoints under `/_rehearsal`.

    Args:
        venue: The exchange.
        faults: What goes wrong, in words.
    """
    router = APIRouter()
    for path, (name, media_type) in PAGE_FILES.items():
        _serve(router, path, PAGE / name, media_type)

    @router.get("/_rehearsal/health")
    async def health() -> JsonObject:
        facts = venue.replayed
        return {
            "ok": True,
            "now_ms": venue.now_ms,
            "symbols": list(venue.tape.symbols),
            "replay": None if facts is None else facts.model_dump(mode="json"),
        }

    @router.get("/_rehearsal/report")
    async def report() -> Report:
        venue.advance()
        return venue.report()

    @router.get("/_rehearsal/requests")
    async def requests() -> list[Cost]:
        return venue.traffic.costs()

    @router.get("/_rehearsal/events")
    async def events(since: int = 0) -> list[JsonObject]:
        venue.advance()
        return [event.as_json() for event in venue.journal.since(since)]

    @router.get("/_rehearsal/state")
    async def now() -> State:
        venue.advance()
        return state(venue, faults)

    return router


def _serve(router: APIRouter, path: str, file: Path, media_type: str) -> None:
    @router.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(file.read_bytes(), media_type=media_type, headers=PAGE_HEADERS)
