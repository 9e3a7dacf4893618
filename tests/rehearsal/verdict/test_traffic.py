"""Requests by the minute, in bounded memory."""

from qt_protections.rehearsal.verdict.traffic import KEPT_ENDPOINTS, KEPT_MINUTES, Traffic

MINUTE_MS = 60_000


def test_counts() -> None:
    """Minutes are those of the clock; refusals are counted by status."""
    traffic = Traffic()
    for ms, status in [(59_999, 200), (60_000, 400), (61_000, 200), (119_999, 429)]:
        traffic.count("GET", "fapi/v1/depth", status, ms)
    traffic.count("POST", "fapi/v1/order", 200, 240_000)
    report = traffic.report()
    assert [(m.minute_ms, m.requests, m.refused) for m in report.minutes] == [
        (0, 1, 0),
        (60_000, 3, 2),
        (240_000, 1, 0),
    ]
    assert report.endpoints == {"GET /fapi/v1/depth": 4, "POST /fapi/v1/order": 1}
    assert (report.requests, report.refused, report.most_in_a_minute) == (5, 2, 3)
    assert report.refusals == {"400": 1, "429": 1}


def test_costs_are_by_endpoint_and_weight() -> None:
    """The same endpoint costs 1 for a symbol and 40 for all; what was stopped cost nothing."""
    traffic = Traffic()
    for status, weight in [(200, 40), (200, 1), (400, 1), (418, 0)]:
        traffic.count("GET", "/fapi/v1/openAlgoOrders", status, 0, weight)
    traffic.count("GET", "/fapi/v9/nothing", 404, 0, 1)
    assert {(c.endpoint, c.each): c.requests for c in traffic.costs()} == {
        ("GET /fapi/v1/openAlgoOrders", 40): 1,
        ("GET /fapi/v1/openAlgoOrders", 1): 2,
        ("GET /fapi/v1/openAlgoOrders", 0): 1,
        ("other", 1): 1,
    }


def test_what_strangers_send_takes_no_memory() -> None:
    """Unknown paths, and too many of them, are one endpoint; old minutes go."""
    traffic = Traffic()
    for number in range(1_000):
        traffic.count("GET", f"nothing/{number}", 404, number * MINUTE_MS)
        traffic.count("GET", f"refused/{number}", 429, number * MINUTE_MS)
    report = traffic.report()
    assert len(report.endpoints) <= KEPT_ENDPOINTS + 1
    assert report.endpoints["other"] >= 2_000 - KEPT_ENDPOINTS
    assert sum(report.endpoints.values()) == 2_000
    assert len(report.minutes) == KEPT_MINUTES
    assert report.minutes[-1].minute_ms == 999 * MINUTE_MS
    assert (report.requests, report.most_in_a_minute) == (2_000, 2)
