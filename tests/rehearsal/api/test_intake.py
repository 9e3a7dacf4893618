"""Orders as they arrive: what is malformed is refused, and every refusal is in the journal."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.api.intake import place_algo, place_order
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.market.book import Side
from tests.rehearsal.stage import BTC, Stage, code_of

SOUND = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "quantity": "0.01",
    "price": "101000",
    "timeInForce": "GTC",
    "algoType": "CONDITIONAL",
    "triggerPrice": "99500",
    "callbackRate": "1",
    "activatePrice": "101000",
}
NAMES = [*SOUND, "reduceOnly", "closePosition", "workingType", "priceProtect", "positionSide"]
NAMES += ["newClientOrderId", "clientAlgoId"]
ODD = "BUY,MARKET,STOP,STOP_MARKET,TRAILING_STOP_MARKET,GTX,,0,-1,1e9,1e-9,0e99,1e20,1_0,٣,nan,true"
PIECES = st.sampled_from([*ODD.split(","), "0." + "1" * 40, "\ud800"])
VALUES = st.dictionaries(st.sampled_from(NAMES), PIECES | st.text(max_size=40), max_size=4)


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"side": None}, -1102),
        ({"quantity": "much"}, -1102),
        ({"quantity": "1_0"}, -1102),
        ({"quantity": "٣"}, -1102),
        ({"quantity": "0.0105"}, -1111),
        ({"type": "ICEBERG"}, -1116),
        ({"side": "HOLD"}, -1117),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"newClientOrderId": "no blanks"}, -4015),
        ({"newClientOrderId": "line\n"}, -4015),
        ({"newClientOrderId": "x" * 37}, -4015),
    ],
    ids=str,
)
def test_refused_orders_are_noted(given_: dict[str, object], code: int) -> None:
    """A plain order that cannot be read leaves an event like any other refusal."""
    stage = Stage()
    assert code_of(stage.order, **given_) == code
    (event,) = stage.venue.journal.events
    assert (event.kind, event.code) == (EventKind.ORDER_REJECTED, code)
    assert event.symbol == given_.get("symbol", BTC)


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"triggerPrice": None}, -1102),
        ({"quantity": "0.0105"}, -1111),
        ({"side": "HOLD"}, -1117),
        ({"closePosition": "true"}, -4137),
        ({"algoType": None}, -1102),
    ],
    ids=str,
)
def test_refused_stops_are_counted(given_: dict[str, object], code: int) -> None:
    """A stop that cannot be read counts as requested and rejected."""
    stage = Stage()
    assert code_of(stage.algo, **given_) == code
    stops = stage.venue.report().summary.stops
    assert (stops.requested, stops.rejected, stops.rejections) == (1, 1, {str(code): 1})


def test_a_stop_at_the_wrong_address_is_a_refused_stop() -> None:
    """A stop sent to the plain endpoint is refused (-4120) and counted among the stops."""
    stage = Stage()
    assert code_of(stage.order, type="STOP_MARKET", stopPrice="99000", side="SELL") == -4120
    (event,) = stage.venue.journal.events
    assert (event.kind, event.type, event.side) == ("stop_rejected", "STOP_MARKET", Side.SELL)
    assert stage.venue.report().summary.stops.rejections == {"-4120": 1}


def test_what_could_be_read_is_noted() -> None:
    """Side, type, name, size and trigger of a refused stop are in its event."""
    stage = Stage()
    code_of(stage.algo, quantity="0.0105", clientAlgoId="mine")
    (event,) = stage.venue.journal.events
    assert (event.side, event.type, event.client_id) == (Side.SELL, "STOP_MARKET", "mine")
    assert (event.quantity, event.price) == (Decimal("0.0105"), Decimal(99_500))
    assert event.reduce_only is True


@pytest.mark.parametrize("name", ["symbol", "type", "newClientOrderId"])
def test_what_no_answer_could_carry_is_replaced(name: str) -> None:
    """Half a surrogate pair, which JSON may smuggle in, does not get into the journal."""
    stage = Stage()
    assert code_of(place_order, stage.venue, Params(SOUND | {name: "\ud800" * 99})) < 0
    (event,) = stage.venue.journal.events
    assert json.dumps(event.as_json(), ensure_ascii=False).encode()
    assert len(event.client_id or "") < 99


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_nothing_but_a_refusal_comes_out(values: dict[str, str]) -> None:
    """Whatever is sent, it is placed, or refused with a code and one event that can be told."""
    stage = Stage()
    for place in (place_order, place_algo):
        known = len(stage.venue.journal.events)
        code = code_of(place, stage.venue, Params(SOUND | values))
        events = stage.venue.journal.since(known)
        assert [event.code for event in events if event.code is not None] == [code] * bool(code)
        for event in events:
            assert json.dumps(event.as_json(), ensure_ascii=False).encode()
