"""Faults through the whole application: they strike when they should, and tell the truth."""

import asyncio
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from qt_protections.rehearsal.faults.kinds.requests import Latency
from qt_protections.rehearsal.streams.hub import Listener
from tests.rehearsal.stage import ETH
from tests.rehearsal.struck import ORDER, Struck, Told, fault


def test_nothing_goes_wrong_without_a_script() -> None:
    """Orders are taken at once, and no fault is written down."""
    struck = Struck()
    assert (struck.stop().status, struck.entry().status, struck.faults()) == (200, 200, [])


# What the client gets, and whether the order was executed.
ANSWERS = [
    (fault("busy"), (503, -1008), 0),
    (fault("lost"), (503, -1000), 1),
    (fault("lost", status=408), (408, -1007), 1),
    (fault("refuse", code=-2019, endpoints=[f"POST {ORDER}"]), (400, -2019), 0),
    (fault("refuse", code=-9, msg="No.", status=403, endpoints=["POST *"]), (403, -9), 0),
    (fault("ban", for_s=20), (418, -1003), 0),
    (fault("ban", status=429, to_s=20), (429, -1003), 0),
    (fault("drop"), (0, None), 1),
    (fault("drop", executed=False), (0, None), 0),
    (fault("hang"), (0, None), 1),
    (fault("hang", executed=False), (0, None), 0),
    (fault("down", for_s=20), (0, None), 0),
]


@pytest.mark.parametrize(("text", "told", "executed"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(text: str, told: tuple[int, int | None], executed: int) -> None:
    """What the fault says of the execution is true, and the journal names it."""
    struck = Struck(text)
    answer = struck.entry()
    assert (answer.status, answer.content and answer.code) == told
    assert struck.orders == executed
    *_, written = struck.faults()
    assert written["cause"] in text
    assert written["reason"].startswith(f"POST {ORDER} {'' if executed else 'not '}executed: ")
    assert written.get("code") == told[1]
    known = [order.order_id for order in struck.stage.venue.desk.orders]
    assert [written["order_id"]] == known if executed else "order_id" not in written


PAGES = [("busy", 502), ("busy", 504), *(("firewall", code) for code in (403, 418, 429, 503))]


@pytest.mark.parametrize(("kind", "status"), PAGES)
def test_gateway(kind: str, status: int) -> None:
    """A gateway or a firewall answers with a page, not with Binance's JSON."""
    struck = Struck(fault(kind, status=status))
    answer = struck.entry()
    assert (answer.status, struck.orders) == (status, 0)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.content.startswith("<html>")
    assert "retry-after" not in answer.headers
    assert struck.faults()[0]["cause"] == kind


LATE = [("lost", (503, -1000)), ("hang", (0, None)), ("drop", (0, None))]


@pytest.mark.parametrize(("kind", "told"), LATE, ids=[row[0] for row in LATE])
def test_late_arrival(kind: str, told: tuple[int, int | None]) -> None:
    """The answer comes first, and the order exists so much later."""
    struck = Struck(fault(kind, executed_after_ms=1500, times=1, **_cut_at_once(kind)))
    answer = struck.entry(newClientOrderId="mine")
    assert (answer.status, answer.content and answer.code) == told
    lookup = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert struck.ask("GET", ORDER, **lookup).code == -2013
    struck.stage.wait(1500 - answer.took_ms - 1)
    assert (struck.orders, len(struck.faults())) == (0, 1)
    struck.stage.wait(1)
    assert struck.ask("GET", ORDER, **lookup).content["status"] == "FILLED"
    first, second = struck.faults()
    assert first["reason"].startswith(f"POST {ORDER} not executed for 1500 ms: ")
    assert second["reason"] == f"POST {ORDER} executed on its late arrival"
    assert second["order_id"] == struck.ask("GET", ORDER, **lookup).content["orderId"]
    assert (struck.entry().status, struck.orders) == (200, 2)


def _cut_at_once(kind: str) -> dict[str, object]:
    return {"hang_s": 0.1} if kind == "hang" else {}


def test_what_arrives_too_late_is_refused() -> None:
    """The window of a request counts when it arrives, and the exchange's rules do."""
    struck = Struck(fault("lost", executed_after_ms=5001))
    assert (struck.stop().code, struck.entry(recvWindow=9000).code) == (-1000, -1000)
    struck.stage.tick(99_400)
    struck.stage.wait(5000)
    assert [event.get("code") for event in struck.faults()] == [-1000, -1000, -1021, None]
    assert (struck.stops, struck.orders) == ([], 1)
    struck = Struck(fault("lost", executed_after_ms=2000))
    struck.stop()
    struck.stage.tick(99_400)
    struck.stage.wait(2000)
    assert struck.faults()[-1]["reason"].startswith("POST /fapi/v1/algoOrder refused on its late")
    assert struck.stage.venue.report().summary.stops.rejections == {"-2021": 1}


def test_a_late_cancel() -> None:
    """A cancel whose answer was lost may still come."""
    keys = {"endpoints": ["DELETE /fapi/v1/algoOrder"], "executed_after_ms": 900}
    struck = Struck(fault("lost", status=408, **keys))
    algo_id = struck.stop().content["algoId"]
    assert struck.ask("DELETE", "/fapi/v1/algoOrder", algoId=algo_id).code == -1007
    assert len(struck.stops) == 1
    struck.stage.wait(900)
    assert struck.stops == []


def test_one_service_alone() -> None:
    """Outages, bans and refusals of conditional orders leave plain orders alone."""
    algo = ["* /fapi/v1/algoOrder"]
    for text, told in [
        (fault("busy", endpoints=algo), (503, -1008)),
        (fault("ban", for_s=9, endpoints=algo), (418, -1003)),
        (fault("ban", status=429, for_s=9, endpoints=algo), (429, -1003)),
        (fault("refuse", code=-1015, msg="Too many.", status=429), (429, -1015)),
        (fault("refuse", code=-1003, status=429), (429, -1003)),
        (fault("refuse", code=-1021), (400, -1021)),
    ]:
        struck = Struck(text)
        answer = struck.stop()
        assert (answer.status, answer.code) == told
        assert ("retry-after" in answer.headers) is ("ban" in text)
        assert (struck.entry().status, struck.stops) == (200, [])


@pytest.mark.parametrize("kind", ["lost", "drop", "hang"])
def test_a_refused_order_is_not_lost(kind: str) -> None:
    """A fault that says an order was executed leaves refusals alone."""
    struck = Struck(fault(kind))
    assert struck.entry(quantity="50").code == -2019
    assert struck.faults() == []


@pytest.mark.parametrize(
    ("executed", "took_ms", "hang_s"), [(True, 9_000, 9), (False, 30_000, None)]
)
def test_a_hanging_connection_is_cut_in_the_end(
    executed: bool, took_ms: int, hang_s: int | None
) -> None:
    """The client waits as long as the script says, half a minute by default."""
    keys = {} if hang_s is None else {"hang_s": hang_s}
    assert Struck(fault("hang", executed=executed, **keys)).entry().took_ms == took_ms


# Filters of the entry, and whether four requests are struck: entry, stop, ETH stop, lookup.
MATCHES = [
    ({}, [True, True, True, False]),
    ({"rate": 0.0}, [False, False, False, False]),
    ({"endpoints": [f"POST {ORDER}"]}, [True, False, False, False]),
    ({"endpoints": ["GET *", "* */algoOrder"]}, [False, True, True, True]),
    ({"symbols": [ETH]}, [False, False, True, False]),
    ({"reduce_only": True}, [False, True, True, False]),
    ({"reduce_only": False}, [True, False, False, False]),
    ({"times": 2}, [True, True, False, False]),
    ({"from_s": 1.5}, [False, False, True, False]),
    ({"to_s": 2}, [True, True, False, False]),
    ({"at_s": 1, "for_s": 1}, [False, True, False, False]),
    ({"for_s": 0.5, "every_s": 2}, [True, False, True, False]),
]


@pytest.mark.parametrize(("keys", "expected"), MATCHES, ids=[str(row[0]) for row in MATCHES])
def test_only_what_matches_is_struck(keys: dict[str, object], expected: list[bool]) -> None:
    """Endpoint, symbol, reduce-only flag, time and number of strikes all bound a fault."""
    struck = Struck(fault("busy", **keys))
    requests: list[Callable[[], Told]] = [
        struck.entry,
        struck.stop,
        lambda: struck.stop(symbol=ETH, triggerPrice="2990", quantity="0.1"),
        lambda: struck.ask("GET", "/fapi/v1/openAlgoOrders"),
    ]
    seen = []
    for request in requests:
        seen.append(request().status == 503)
        struck.stage.wait(1000)
    assert seen == expected
    assert len(struck.faults()) == sum(expected)


@pytest.mark.parametrize(
    ("when", "at_execution_ms"), [("before", 350), ("after", 50)], ids=["before", "after"]
)
def test_latency(when: str, at_execution_ms: int) -> None:
    """The request or its answer takes longer, on top of the usual round trip."""
    struck = Struck(fault("latency", fixed_ms=300, when=when), latency_ms=100)
    begun_ms = struck.stage.now_ms
    answer = struck.entry(newOrderRespType="RESULT")
    assert (answer.status, answer.took_ms) == (200, 400)
    assert answer.content["time"] - begun_ms == at_execution_ms


@pytest.mark.parametrize(
    ("keys", "quantiles"),
    [
        ({"min_ms": 100, "max_ms": 300}, {0.01: 102, 0.5: 200, 0.99: 298}),
        ({"median_ms": 80, "p99_ms": 2000}, {0.5: 80, 0.99: 2000}),
    ],
    ids=["uniform", "lognormal"],
)
def test_latency_is_distributed(keys: dict[str, int], quantiles: dict[float, float]) -> None:
    """Delays have the quantiles the script names."""
    rng = np.random.default_rng(3)
    latency = Latency(kind="latency", **keys)
    delays = [latency.sample_s(rng) * 1000 for _ in range(40_000)]
    found = {ratio: np.quantile(delays, ratio) for ratio in quantiles}
    assert found == pytest.approx(quantiles, rel=0.1)


def test_rate() -> None:
    """A fault strikes as often as its rate says."""
    struck = Struck(fault("busy", rate=0.3, endpoints=["GET /fapi/v1/ping"]))
    for _ in range(600):
        struck.ask("GET", "/fapi/v1/ping")
    assert len(struck.faults()) == pytest.approx(180, abs=35)


@pytest.mark.parametrize(
    ("ahead_ms", "codes"),
    [(6000, [0, 0, -1021, 0]), (-1500, [0, 0, -1021, 0]), (-900, [0, 0, 0, 0])],
    ids=["ahead", "behind", "a-little"],
)
def test_clock_skew(ahead_ms: int, codes: list[int]) -> None:
    """While the clock is wrong it says so itself, and refuses those who trust their own."""
    struck = Struck(fault("clock_skew", ahead_ms=ahead_ms, from_s=10, to_s=20))
    told, skews = [], []
    for _ in range(4):
        skews.append(struck.ask("GET", "/fapi/v1/time").content["serverTime"] - struck.stage.now_ms)
        told.append(struck.stop().code)
        struck.stage.wait(7000)
    assert (told, skews) == (codes, [0, 0, ahead_ms, 0])
    begun, *refused = struck.faults()
    assert begun["reason"] == f"the clock runs {ahead_ms:+d} ms"
    assert [event["code"] for event in refused] == [code for code in codes if code]


def test_the_clock_steps_and_stays() -> None:
    """A skew without an end is a step: windows of ten seconds pass, of five do not."""
    struck = Struck(fault("clock_skew", ahead_ms=7000, at_s=10))
    assert struck.stop().status == 200
    struck.stage.wait(10_000)
    for _ in range(3):
        struck.stage.wait(60_000)
        now_ms = struck.ask("GET", "/fapi/v1/time").content["serverTime"]
        assert now_ms - struck.stage.now_ms == 7000
        assert struck.stop().code == -1021
        assert struck.stop(late_ms=-7000).status == 200
        assert struck.stop(recvWindow=10_000).status == 200


def test_ban_ends() -> None:
    """A ban tells when it ends, and ends then."""
    struck = Struck(fault("ban", at_s=3, for_s=10.5))
    assert struck.entry().status == 200
    struck.stage.wait(4000)
    answer = struck.ask("GET", "/fapi/v1/time")
    assert (answer.status, answer.headers["retry-after"]) == (418, "10")
    assert f"banned until {struck.stage.now_ms + 9500}" in answer.content["msg"]
    struck.stage.wait(9500)
    assert struck.entry().status == 200


def test_down() -> None:
    """Connections are cut, nothing answers, and stops trigger all the same."""
    struck = Struck(fault("down", at_s=2, for_s=10))
    struck.stop()
    struck.entry()
    assert struck.cut_all == 0
    struck.stage.wait(2000)
    assert struck.cut_all == 1
    assert struck.ask("GET", "/fapi/v1/time").status == 0
    struck.stage.tick(99_400)
    assert struck.stage.amount() == 0
    assert asyncio.run(_health(struck)) == 200
    struck.stage.wait(9000)
    assert struck.ask("GET", "/fapi/v1/time").status == 200


async def _health(struck: Struck) -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(struck.app)) as client:
        return (await client.get("http://exchange/_rehearsal/health")).status_code


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"at_s": 30}, [0, 1, 1]),
        ({"at_s": 30, "every_s": 20}, [0, 2, 5]),
        ({"per_minute": 6, "from_s": 30, "to_s": 60}, [0, 2, 2]),
        ({"per_minute": 6, "times": 2, "from_s": 29}, [0, 2, 2]),
    ],
    ids=["moment", "again", "by-chance", "bounded"],
)
def test_stream_drop(keys: dict[str, object], expected: list[int]) -> None:
    """Websockets are hung up at their moments."""
    struck = Struck(fault("stream_drop", **keys))
    listener = Listener()
    struck.streams.join(listener)
    seen = []
    for wait_ms in (29_000, 31_000, 60_000):
        struck.stage.wait(wait_ms)
        seen.append(len(struck.faults()))
        assert listener.ended.is_set() is (seen[-1] > 0)
    assert seen == expected


def test_the_first_entry_wins() -> None:
    """Of several faults that would stop a request, the first of the script does."""
    struck = Struck(fault("busy") + "\n" + fault("drop", executed=False) + "\n" + fault("lost"))
    assert struck.entry().code == -1008
    assert [event["cause"] for event in struck.faults()] == ["busy"]


def test_an_added_entry_changes_no_other() -> None:
    """Each entry has a chance of its own."""
    one = fault("busy", rate=0.5, endpoints=["GET /fapi/v1/ping"])
    other = fault("latency", fixed_ms=1, rate=0.5)

    def refused(text: str, seed: int) -> list[int]:
        struck = Struck(text, seed)
        return [struck.ask("GET", "/fapi/v1/ping").status for _ in range(60)]

    assert refused(one, 4) == refused(f"{one}\n{other}", 4)
    assert refused(one, 4) != refused(one, 5)
