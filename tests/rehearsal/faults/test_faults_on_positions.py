"""Faults that concern positions and what is told of them: auto-deleveraging, a mute stream."""

from decimal import Decimal
from typing import Any

import pytest

from qt_protections.rehearsal.engine.forced_closes import ADL_CLIENT_ID
from tests.rehearsal.ear import Ear
from tests.rehearsal.stage import BTC, ETH
from tests.rehearsal.struck import Struck, fault


def listening(text: str) -> tuple[Struck, Ear]:
    """Return an exchange, and a listener to its user data stream."""
    struck = Struck(text)
    return struck, Ear(struck.streams, struck.stage.venue.listen_keys.open())


def test_adl_after_a_position_opened() -> None:
    """A part of it is closed, once, by an order of the exchange's that the stream tells of."""
    struck, ear = listening(fault("adl", after_ms=3000, share=0.4))
    struck.stop(quantity="0.02")
    struck.entry()
    struck.entry()
    ear.take()
    struck.stage.wait(2999)
    assert (struck.stage.amount(), struck.faults()) == (Decimal("0.02"), [])
    struck.stage.wait(1)
    assert struck.stage.amount() == Decimal("0.012")
    told = ear.take()
    *_, order = [m["o"] for m in told if m["e"] == "ORDER_TRADE_UPDATE"]
    assert (order["c"], order["x"], order["X"]) == (ADL_CLIENT_ID, "CALCULATED", "FILLED")
    assert (order["S"], order["l"], order["n"]) == ("SELL", "0.008", "0.00000000")
    (account,) = [m["a"]["P"][0] for m in told if m["e"] == "ACCOUNT_UPDATE"]
    assert account["pa"] == "0.012"
    assert len(struck.stops) == 1
    (noted,) = struck.faults()
    assert (noted["symbol"], noted["order_id"], noted["client_id"]) == (
        BTC,
        order["i"],
        ADL_CLIENT_ID,
    )
    struck.stage.wait(60_000)
    assert struck.stage.amount() == Decimal("0.012")
    rows = struck.ask("GET", "/fapi/v1/forceOrders", autoCloseType="ADL").content
    assert [row["clientOrderId"] for row in rows] == [ADL_CLIENT_ID]
    assert struck.ask("GET", "/fapi/v1/forceOrders", autoCloseType="LIQUIDATION").content == []


def test_adl_leaves_another_position_alone() -> None:
    """It is the position that opened then: not the one that came after."""
    struck = Struck(fault("adl", after_ms=3000))
    struck.entry()
    struck.entry(side="SELL", reduceOnly="true")
    struck.stage.wait(1000)
    struck.entry()
    struck.stage.wait(2000)
    assert (struck.stage.amount(), struck.faults()) == (Decimal("0.01"), [])
    struck.stage.wait(1000)
    assert struck.stage.amount() == Decimal("0.005")


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({"share": 1.0}, ["0", "0"]),
        ({"share": 0.001}, ["0.009", "-0.099"]),
        ({"symbols": [ETH]}, ["0.010", "-0.050"]),
        ({"every_s": 10}, ["0.003", "-0.025"]),
        ({"every_s": 10, "times": 1}, ["0.005", "-0.050"]),
        ({"rate": 0.0}, ["0.010", "-0.100"]),
    ],
    ids=str,
)
def test_adl_at_a_moment(keys: dict[str, object], left: list[str]) -> None:
    """Every position loses its part, a step at least; in whole it ends, and its exit is told."""
    struck = Struck(fault("adl", at_s=5, **keys))
    struck.entry()
    struck.entry(symbol=ETH, side="SELL", quantity="0.1")
    struck.stage.wait(15_000)
    assert [struck.stage.amount(symbol) for symbol in (BTC, ETH)] == [Decimal(x) for x in left]
    exits = [position.exit for position in struck.stage.venue.report().positions]
    assert exits == (["adl"] * 2 if left[0] == "0" else [None] * 2)


def test_stream_mute() -> None:
    """Events are not told, the journal names them, and after its time they are."""
    struck, ear = listening(fault("stream_mute", at_s=5, for_s=10))
    struck.stop()
    assert [m["e"] for m in ear.take()] == ["ALGO_UPDATE"]
    struck.stage.wait(5000)
    algo_id = struck.stop().content["algoId"]
    struck.entry()
    struck.stage.wait(0)
    assert ear.take() == []
    told = struck.faults()
    assert [(e["reason"], e.get("algo_id")) for e in told[:2]] == [
        ("ALGO_UPDATE not told", algo_id),
        ("ORDER_TRADE_UPDATE not told", None),
    ]
    struck.stage.wait(10_000)
    struck.entry()
    assert len(ear.take()) > 0
    assert len(struck.faults()) == len(told)


@pytest.mark.parametrize(
    ("keys", "heard"),
    [
        ({"events": ["ALGO_UPDATE"]}, {"ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"}),
        ({"symbols": [ETH], "rate": 1.0}, {"ALGO_UPDATE", "ORDER_TRADE_UPDATE", "TRADE_LITE"}),
        ({"rate": 0.0}, {"ALGO_UPDATE", "ORDER_TRADE_UPDATE"}),
        ({"times": 1}, {"ORDER_TRADE_UPDATE"}),
    ],
    ids=["events", "symbols", "rate", "times"],
)
def test_stream_mute_is_bounded(keys: dict[str, object], heard: set[str]) -> None:
    """Names of events, symbols, rate and number of strikes."""
    struck, ear = listening(fault("stream_mute", **keys))
    struck.stop()
    struck.entry()
    names = {message["e"] for message in ear.take()}
    assert heard <= names
    assert ("ALGO_UPDATE" in heard) is ("ALGO_UPDATE" in names)


def test_a_mute_stream_still_says_that_its_key_ran_out() -> None:
    """And market streams are none of its business."""
    struck, ear = listening(fault("stream_mute"))
    market: Any = Ear(struck.streams, "btcusdt@aggTrade")
    struck.stage.tick(100_010)
    struck.stage.wait(3_700_000)
    assert [m["e"] for m in ear.take()] == ["listenKeyExpired"]
    assert market.take() != []
