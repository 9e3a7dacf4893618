"""Faults that strike what happens on the exchange: they listen to its journal."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Unpack

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import actions
from qt_protections.rehearsal.faults.entry import Entry
from qt_protections.rehearsal.faults.kinds.exchange import Adl, StreamMute
from qt_protections.rehearsal.faults.kinds.order_life import ChildUnknown
from qt_protections.rehearsal.faults.source import ScriptTime, Source, drawn, of_kind
from qt_protections.rehearsal.journal import Event, EventKind, Facts, JsonObject
from qt_protections.rehearsal.venue import Venue

LOOKUPS = ("GET /fapi/v1/order", "GET /fapi/v1/openOrder")
LISTS = ("GET /fapi/v1/openOrders", "GET /fapi/v1/allOrders")
# What answers and events say of a child order before there is one.
NO_CHILD = {"actualOrderId": "", "actualPrice": "0", "actualQty": "0", "actualType": ""}
NO_CHILD_TOLD = {"ai": "", "ap": "0", "aq": "0", "act": "0"}


class Watcher:
    """Hides children of stops, keeps events to itself, and takes parts of positions away."""

    def __init__(self, venue: Venue, sources: Iterable[Source], now_s: ScriptTime) -> None:
        """Begin to listen.

        Args:
            venue: The exchange.
            sources: Entries of the script, of whatever kind.
            now_s: Returns the script's seconds.
        """
        sources = list(sources)
        self._venue = venue
        self._now_s = now_s
        self._hiding = of_kind(sources, ChildUnknown)
        self._mutes = of_kind(sources, StreamMute)
        self._adls = [(s, entry) for s, entry in of_kind(sources, Adl) if not entry.is_moment]
        # Until when, epoch milliseconds: stops whose child is not named, orders that are not known.
        self._unnamed: dict[int, float] = {}
        self._unknown: dict[int, float] = {}
        if self._hiding or self._adls:
            venue.journal.subscribe(self._hear)

    def answered(self, endpoint: str, content: object) -> object:
        """Return an answer without the children that are not named or not known.

        Raises:
            VenueError: -2013.
        """
        if not self._hiding:
            return content
        if endpoint in LOOKUPS and self._is_unknown(content):
            raise VenueError(-2013)
        if isinstance(content, list):
            if endpoint in LISTS:
                content = [row for row in content if not self._is_unknown(row)]
            return [self._unnaming(row) for row in content]
        return self._unnaming(content)

    def retold(self, event: Event, message: JsonObject) -> JsonObject | None:
        """Return a message of the user data stream as it is told, None if it is not."""
        name = message["e"]
        mutes = [(s, mute) for s, mute in self._mutes if name in (mute.events or (name,))]
        for _, mute in drawn(mutes, event.symbol, self._now_s()):
            self._note(mute, f"{name} not told", event)
            return None
        about = message.get("o")
        if isinstance(about, dict) and self._lasts(self._unnamed, about.get("aid")):
            return message | {"o": about | NO_CHILD_TOLD}
        return message

    def _hear(self, event: Event) -> None:
        # A child is accepted before its stop is told to be TRIGGERED.
        if event.kind is EventKind.ORDER_ACCEPTED and event.algo_id is not None:
            for _, entry in drawn(self._hiding, event.symbol, self._now_s()):
                self._hide(entry, event)
        if event.kind is EventKind.ORDER_FILLED and self._has_opened(event):
            for _, adl in drawn(self._adls, event.symbol, self._now_s()):
                opened_ms = self._venue.desk.opened_ms[event.symbol]
                close = partial(self._close_part, adl, event.symbol, opened_ms)
                self._venue.agenda.add(event.ms + (adl.after_ms or 0), close)

    def _hide(self, entry: ChildUnknown, event: Event) -> None:
        left_ms = entry.left_s(self._now_s()) * 1000
        until_ms = event.ms + (left_ms if entry.hidden_ms is None else entry.hidden_ms)
        if entry.hides != "order" and event.algo_id is not None:
            self._unnamed[event.algo_id] = until_ms
        if entry.hides != "name" and event.order_id is not None:
            self._unknown[event.order_id] = until_ms
        said = {"name": "not named", "order": "not known", "both": "neither named nor known"}
        self._note(entry, f"the child of a stop is {said[entry.hides]}", event)

    def _close_part(self, entry: Adl, symbol: str, opened_ms: int) -> None:
        desk = self._venue.desk
        if desk.account.position(symbol).amount and desk.opened_ms[symbol] == opened_ms:
            actions.deleverage(self._venue, entry, symbol)

    def _has_opened(self, event: Event) -> bool:
        """Say whether a fill opened a position from flat."""
        amount = self._venue.account.position(event.symbol).amount
        return event.side is not None and amount * event.side.sign == event.quantity

    def _is_unknown(self, row: object) -> bool:
        return isinstance(row, Mapping) and self._lasts(self._unknown, row.get("orderId"))

    def _unnaming(self, row: object) -> object:
        if isinstance(row, dict) and "actualOrderId" in row:
            return row | NO_CHILD if self._lasts(self._unnamed, row["algoId"]) else row
        return row

    def _lasts(self, hidden: Mapping[int, float], number: object) -> bool:
        return isinstance(number, int) and self._venue.now_ms < hidden.get(number, 0.0)

    def _note(self, entry: Entry, what: str, event: Event) -> None:
        """Write a strike down once the event it struck has been heard by all.

        An event added while another is being told would reach some listeners before that one.
        """
        facts: Facts = {}
        if event.algo_id is not None:
            facts["algo_id"] = event.algo_id
        if event.order_id is not None:
            facts["order_id"] = event.order_id
        note = partial(self._write, entry, what, event.symbol, **facts)
        self._venue.agenda.add(event.ms, note)

    def _write(self, entry: Entry, what: str, symbol: str, **facts: Unpack[Facts]) -> None:
        actions.note(self._venue, entry, what, symbol, **facts)
