"""All orders of a pair since a moment, over as many answers as that takes."""

from qt_protections.stops.venue.binance.connection import Connection
from qt_protections.stops.venue.protocol import CcxtOrder, Road

#: `GET /fapi/v1/allOrders` looks back seven days at most, and three for what ended unfilled.
_LONGEST_SEARCH_MS = 6 * 86_400_000
#: Of one answer.
_MOST_ORDERS = 1000


def search_orders(connection: Connection, pair: str, since_ms: int) -> list[CcxtOrder]:
    """Return a pair's orders, oldest first; one request of weight 5 for up to 999 orders.

    Args:
        connection: Who asks.
        pair: Freqtrade's pair.
        since_ms: When the first of them was sent, epoch milliseconds; of more than six days, the
            last six are searched.

    Raises:
        RequestError: If the exchange does not answer.
    """
    horizon_ms = int(connection.api().nonce()) - _LONGEST_SEARCH_MS
    since_ms = max(since_ms, horizon_ms)
    found: dict[int, CcxtOrder] = {}

    def is_there_more(since_ms: int, **until: int) -> bool:
        rows = connection.ask(
            Road.ORDERS,
            lambda api: api.fetch_orders(pair, since_ms, _MOST_ORDERS, params=until),
        )
        known = len(found)
        found.update((int(row["id"]), row) for row in rows)
        return len(rows) >= _MOST_ORDERS and len(found) > known

    more = overflows = is_there_more(since_ms)
    while more:
        more = is_there_more(max(row["timestamp"] for row in found.values()))
    # The documents leave open whether a full answer holds the first or the latest orders.
    while overflows:
        oldest_ms = min(row["timestamp"] for row in found.values())
        overflows = is_there_more(since_ms, until=oldest_ms)
    return sorted(found.values(), key=lambda row: (row["timestamp"], int(row["id"])))
