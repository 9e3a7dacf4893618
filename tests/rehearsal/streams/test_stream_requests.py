"""What a client may say on a socket."""

import json

import pytest

from qt_protections.rehearsal.streams.hub import Streams
from qt_protections.rehearsal.streams.requests import answer_message
from tests.rehearsal.ear import Ear
from tests.rehearsal.stage import Stage

TRADES, BOOK = "btcusdt@aggTrade", "btcusdt@depth5"


def test_subscriptions_change() -> None:
    """Streams come and go by message; the answers carry the client's number."""
    stage = Stage()
    streams = Streams(stage.venue)
    ear = Ear(streams)

    def say(method: str, *params: object, number: object = 1) -> object:
        text = json.dumps({"method": method, "params": params, "id": number})
        return answer_message(streams, ear, text)

    assert say("SUBSCRIBE", TRADES, BOOK) == {"result": None, "id": 1}
    assert say("LIST_SUBSCRIPTIONS", number="a-b") == {"result": [TRADES, BOOK], "id": "a-b"}
    assert say("UNSUBSCRIBE", BOOK, "never@asked", number=None) == {"result": None, "id": None}
    stage.tick(100_001)
    assert [message["e"] for message in ear.take()] == ["aggTrade"]
    assert say("GET_PROPERTY", "combined") == {"result": False, "id": 1}
    assert say("SET_PROPERTY", "combined", True) == {"result": None, "id": 1}
    assert say("GET_PROPERTY", "combined") == {"result": True, "id": 1}
    stage.tick(100_002)
    assert [message["stream"] for message in ear.take()] == [TRADES]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 3),
        ("{'method': 'SUBSCRIBE'}", 3),
        pytest.param("[" * 100_000, 3, id="deep"),
        pytest.param(
            json.dumps({"method": "SUBSCRIBE", "params": [str(n) for n in range(1025)], "id": 1}),
            2,
            id="too-many",
        ),
        ("[]", 2),
        ("{}", 2),
        ('{"method": "SHOUT", "id": 1}', 2),
        ('{"method": ["SUBSCRIBE"], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": "btcusdt@depth", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [1], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": ["a"], "id": -1}', 2),
        ('{"method": "SUBSCRIBE", "params": ["a"], "id": true}', 2),
        ('{"method": "SUBSCRIBE", "params": ["a"], "id": 1.5}', 2),
        ('{"method": "GET_PROPERTY", "params": [], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": ["combined", true], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": ["colour"], "id": 1}', 0),
        ('{"method": "SET_PROPERTY", "params": ["combined", 1], "id": 1}', 1),
        ('{"method": "SET_PROPERTY", "params": ["combined"], "id": 1}', 1),
    ],
)
def test_refusals(text: str, code: int) -> None:
    """Whatever else is said is answered by an error, and changes nothing."""
    streams = Streams(Stage().venue)
    ear = Ear(streams)
    answer = answer_message(streams, ear, text)
    error = answer["error"]
    assert isinstance(error, dict)
    assert error["code"] == code
    assert list(ear.names) == []
