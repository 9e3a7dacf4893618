"""What the exchange tells of the rehearsal itself, beside the endpoints Binance has."""

from fastapi import APIRouter

from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.report import Report
from qt_protections.rehearsal.venue import Venue


def observatory(venue: Venue) -> APIRouter:
    """Return the endpoints under `/_rehearsal`."""
    router = APIRouter(prefix="/_rehearsal")

    @router.get("/health")
    async def health() -> JsonObject:
        facts = venue.replayed
        return {
            "ok": True,
            "now_ms": venue.now_ms,
            "symbols": list(venue.tape.symbols),
            "replay": None if facts is None else facts.model_dump(mode="json"),
        }

    @router.get("/report")
    async def report() -> Report:
        venue.advance()
        return venue.report()

    @router.get("/events")
    async def events(since: int = 0) -> list[JsonObject]:
        venue.advance()
        return [event.as_json() for event in venue.journal.since(since)]

    return router
