"""The user data stream: what happened, once, in order, as it was at that moment."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.api.wire import money
from qt_protections.rehearsal.engine.funding import FUNDING_INTERVAL_MS
from qt_protections.rehearsal.engine.listen_keys import VALIDITY_MS
from qt_protections.rehearsal.engine.orders import AmendRequest
from qt_protections.rehearsal.streams.hub import Streams
from tests.rehearsal import shapes
from tests.rehearsal.ear import Ear, open_ear
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "price": "99000"}


def briefly(messages: list[Any]) -> list[str]:
    """Return each message as one word or two."""
    words = {
        "ORDER_TRADE_UPDATE": lambda m: f"{m['o']['x']} {m['o']['X']}",
        "ALGO_UPDATE": lambda m: f"algo {m['o']['X']}",
        "ACCOUNT_UPDATE": lambda m: f"account {m['a']['m']}",
    }
    return [words.get(m["e"], lambda m: m["e"])(m) for m in messages]


def updates(messages: list[Any], name: str) -> list[Any]:
    """Return the bodies of the messages of one name."""
    return [m["o"] for m in messages if m["e"] == name]


def test_shapes() -> None:
    """Every message has the documented fields and types."""
    stage = Stage()
    ear = open_ear(stage)
    stage.venue.margin_settings.set_leverage(BTC, 25)
    stage.venue.margin_settings.set_isolated(BTC, isolated=True)
    stage.order()
    stage.algo()
    for message in ear.take():
        shapes.assert_stream_shape(message)


def test_market_order() -> None:
    """Accepted, then each fill with the account after it."""
    stage = Stage()
    ear = open_ear(stage)
    order = stage.order()
    heard = ear.take()
    assert briefly(heard) == ["NEW NEW", "TRADE_LITE", "account ORDER", "TRADE FILLED"]
    new, fill = updates(heard, "ORDER_TRADE_UPDATE")
    assert (new["z"], new["l"], new["t"], new["i"]) == ("0", "0", 0, order.order_id)
    (trade,) = stage.venue.ledger.trades
    assert (fill["z"], fill["l"], fill["t"]) == ("0.01", "0.01", trade.trade_id)
    assert Decimal(fill["L"]) == Decimal(fill["ap"]) == trade.price
    assert (Decimal(fill["n"]), fill["N"], fill["m"]) == (trade.fee, "USDT", False)
    account = heard[2]["a"]
    assert Decimal(account["B"][0]["wb"]) == stage.venue.account.wallet
    assert (account["P"][0]["pa"], account["P"][0]["s"]) == ("0.01", BTC)


def test_a_fill_that_turns_the_position() -> None:
    """Its closing and its opening part are two fills, each with the state after it alone."""
    stage = Stage()
    stage.order()
    ear = open_ear(stage)
    stage.order(side="SELL", quantity="0.03")
    heard = ear.take()
    closing, opening = updates(heard, "ORDER_TRADE_UPDATE")[1:]
    assert [(o["X"], o["l"], o["z"]) for o in (closing, opening)] == [
        ("PARTIALLY_FILLED", "0.01", "0.01"),
        ("FILLED", "0.02", "0.03"),
    ]
    assert Decimal(closing["rp"]) != 0 == Decimal(opening["rp"])
    assert closing["t"] != opening["t"]
    accounts = [m["a"]["P"][0]["pa"] for m in heard if m["e"] == "ACCOUNT_UPDATE"]
    assert accounts == ["0", "-0.02"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 60)), min_size=1, max_size=8
    )
)
def test_fills_add_up(orders: list[tuple[str, int]]) -> None:
    """Whatever is traded: fills add up to the order, the last wallet told of is the wallet."""
    stage = Stage()
    ear = open_ear(stage)
    for side, thousandths in orders:
        size = Decimal(thousandths) / 1000
        code_of(stage.order, side=side, quantity=str(size))
        heard = ear.take()
        fills = [o for o in updates(heard, "ORDER_TRADE_UPDATE") if o["x"] == "TRADE"]
        done = Decimal(0)
        for fill in fills:
            done += Decimal(fill["l"])
            assert Decimal(fill["z"]) == done
            assert fill["X"] == ("FILLED" if done == Decimal(fill["q"]) else "PARTIALLY_FILLED")
        accounts = [m["a"] for m in heard if m["e"] == "ACCOUNT_UPDATE"]
        if accounts:
            assert accounts[-1]["B"][0]["wb"] == money(stage.venue.account.wallet)
            assert Decimal(accounts[-1]["P"][0]["pa"]) == stage.amount()


def test_limit_order_cancelled_and_filled() -> None:
    """A resting order says so, and how it ended."""
    stage = Stage()
    ear = open_ear(stage)
    order = stage.order(**LIMIT)
    stage.venue.desk.cancel(BTC, order.order_id, None)
    stage.order(**LIMIT)
    stage.tick(98_999)
    heard = ear.take()
    assert briefly(heard) == [
        *("NEW NEW", "CANCELED CANCELED", "NEW NEW"),
        *("TRADE_LITE", "account ORDER", "TRADE FILLED"),
    ]
    assert updates(heard, "ORDER_TRADE_UPDATE")[-1]["m"] is True


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"quantity": "60", "type": "MARKET", "symbol": ETH}, "9"),
        ({"type": "LIMIT", "timeInForce": "IOC", "price": "90000"}, "2"),
    ],
    ids=["market", "ioc"],
)
def test_expired_remainder(order: dict[str, object], reason: str) -> None:
    """What the book could not fill expires, with the documented reason."""
    stage = Stage(balance=10_000_000, depth_ratio=1e-6)
    ear = open_ear(stage)
    stage.order(**order)
    last = updates(ear.take(), "ORDER_TRADE_UPDATE")[-1]
    assert (last["x"], last["X"], last["er"], last["l"]) == ("EXPIRED", "EXPIRED", reason, "0")


def test_reducing_order_expires_with_its_position() -> None:
    """Its reason is that it was knocked out."""
    stage = Stage()
    stage.order()
    stage.order(side="SELL", reduceOnly="true", **LIMIT | {"price": "101000"})
    ear = open_ear(stage)
    stage.order(side="SELL", reduceOnly="true")
    last = updates(ear.take(), "ORDER_TRADE_UPDATE")[-1]
    assert (last["x"], last["er"], last["R"]) == ("EXPIRED", "4", True)


def test_stop_that_fires() -> None:
    """Every station of a stop, and the order it sent."""
    stage = Stage()
    stage.order()
    ear = open_ear(stage)
    algo = stage.algo()
    stage.tick(99_400)
    stage.wait(1)
    heard = ear.take()
    assert briefly(heard) == [
        *("algo NEW", "algo TRIGGERING", "NEW NEW", "TRADE_LITE", "account ORDER", "TRADE FILLED"),
        *("algo TRIGGERED", "algo FINISHED"),
    ]
    child = updates(heard, "ORDER_TRADE_UPDATE")[0]["i"]
    algos = updates(heard, "ALGO_UPDATE")
    assert [o["ai"] for o in algos] == ["", "", str(child), str(child)]
    assert {o["aid"] for o in algos} == {algo.algo_id}
    assert (algos[0]["tt"], algos[1]["tt"]) == (0, algo.trigger_ms)
    assert (algos[-1]["aq"], algos[-1]["act"]) == ("0.01", "MARKET")


def test_stops_that_end_otherwise() -> None:
    """Cancelled, refused at the trigger with its reason, expired, withdrawn."""
    stage = Stage()
    ear = open_ear(stage)
    stage.venue.conditional.cancel(stage.algo().algo_id, None)
    stage.algo()
    stage.tick(99_400)
    stage.order()
    stage.algo(quantity=None, reduceOnly=None, closePosition="true", triggerPrice="90000")
    stage.order(side="SELL", reduceOnly="true")
    stage.venue.conditional.withdraw(stage.algo(triggerPrice="90000").algo_id, "gone")
    ended = {"CANCELED", "REJECTED", "EXPIRED"}
    algos = updates(ear.take(), "ALGO_UPDATE")
    assert [(o["X"], o["rm"]) for o in algos if o["X"] in ended] == [
        ("CANCELED", ""),
        ("REJECTED", "Reduce Only reject"),
        ("EXPIRED", ""),
        ("REJECTED", "gone"),
    ]


def test_trailing_stop_says_whether_it_follows() -> None:
    """The flag is up once the price has been where it starts from."""
    stage = Stage()
    stage.order()
    ear = open_ear(stage)
    trailing = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "callbackRate": "1"}
    stage.algo(**trailing)
    stage.algo(**trailing, activatePrice="101000")
    assert [o["ia"] for o in updates(ear.take(), "ALGO_UPDATE")] == [True, False]


def test_liquidation() -> None:
    """The forced fill is told as calculated, to the owner and to everyone."""
    stage = Stage(balance=1000, isolated=True)
    stage.venue.margin_settings.set_leverage(BTC, 100)
    stage.order(quantity="0.05")
    streams = Streams(stage.venue)
    ear = Ear(streams, stage.venue.listen_keys.open())
    market = Ear(streams, "btcusdt@forceOrder")
    everything = Ear(streams, "!forceOrder@arr", combined=True)
    other = Ear(streams, "ethusdt@forceOrder")
    stage.drift(98_000)
    forced = [o for o in updates(ear.take(), "ORDER_TRADE_UPDATE") if o["x"] == "CALCULATED"]
    assert forced[-1]["c"].startswith("autoclose-")
    assert forced[-1]["X"] == "FILLED"
    told = market.take()
    assert [m["o"]["z"] for m in told] == [o["z"] for o in forced]
    assert everything.take() == [{"stream": "!forceOrder@arr", "data": m} for m in told]
    assert other.take() == []


def test_insurance_is_told_where_it_moves_the_wallet() -> None:
    """A gap through the bankruptcy price: the fund takes over, then the rest of the margin."""
    stage = Stage(balance=1000, isolated=True)
    stage.order(quantity="0.1")
    ear = open_ear(stage)
    stage.drift(80_000)
    told = [m["a"]["B"][0] for m in ear.take() if m.get("a", {}).get("m") == "INSURANCE_CLEAR"]
    assert [Decimal(balance["bc"]) < 0 for balance in told] == [True]


def test_funding_leverage_and_margin_type() -> None:
    """Changes of the account that are no orders."""
    stage = Stage()
    stage.order()
    stage.wait(FUNDING_INTERVAL_MS // 2 - 1000)
    ear = open_ear(stage)
    wallet = stage.venue.account.wallet
    stage.tick(100_000)
    (funding,) = ear.take()
    (balance,) = funding["a"]["B"]
    assert funding["a"]["m"] == "FUNDING_FEE"
    assert Decimal(balance["bc"]) == stage.venue.account.wallet - wallet < 0
    ear = open_ear(stage)
    stage.venue.margin_settings.set_leverage(ETH, 5)
    stage.venue.margin_settings.set_leverage(ETH, 5)
    stage.venue.margin_settings.set_isolated(ETH, isolated=True)
    leverage, margin = ear.take()
    assert (leverage["e"], leverage["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": ETH, "l": 5})
    assert (margin["a"]["m"], margin["a"]["P"][0]["mt"]) == ("MARGIN_TYPE_CHANGE", "isolated")
    stage.order(symbol=ETH, quantity="1")
    ear = open_ear(stage)
    stage.venue.margin_settings.move_margin(ETH, Decimal(10))
    (moved,) = ear.take()
    assert (moved["a"]["m"], moved["a"]["B"][0]["bc"]) == ("MARGIN_TRANSFER", "0.00000000")
    assert Decimal(moved["a"]["P"][0]["iw"]) == stage.venue.account.position(ETH).margin


def test_refusals_are_not_told() -> None:
    """What was never accepted is no event of the stream."""
    stage = Stage()
    ear = open_ear(stage)
    assert code_of(stage.order, quantity="3") == -2019
    assert code_of(stage.algo, triggerPrice="101000") == -2021
    assert ear.take() == []


def test_each_connection_once() -> None:
    """Two listeners hear the same; one that left or asked for another stream hears nothing."""
    stage = Stage()
    streams, key = Streams(stage.venue), stage.venue.listen_keys.open()
    first, second = Ear(streams, key, key), Ear(streams, key, combined=True)
    gone, stranger = Ear(streams, key), Ear(streams, "0", "no-such-key")
    streams.leave(gone)
    stage.order()
    heard = first.take()
    assert len(heard) == 4
    assert second.take() == [{"stream": key, "data": message} for message in heard]
    assert gone.take() == stranger.take() == []


def test_expired_key() -> None:
    """The stream ends with a word of it, the connection stays, and a new key is heard."""
    stage = Stage()
    streams, keys = Streams(stage.venue), stage.venue.listen_keys
    key = keys.open()
    ear = Ear(streams, key)
    stage.wait(VALIDITY_MS - 1)
    assert ear.take() == []
    stage.wait(1)
    (last,) = ear.take()
    assert last == {"e": "listenKeyExpired", "E": stage.now_ms, "listenKey": key}
    shapes.assert_stream_shape(last)
    stage.order()
    assert ear.take() == []
    assert not ear.ended.is_set()
    streams.subscribe(ear, [keys.open()])
    stage.order()
    assert len(ear.take()) == 4


def test_closed_key() -> None:
    """Closing the key ends the connections that heard it, politely, and no other."""
    stage = Stage()
    streams = Streams(stage.venue)
    ear = Ear(streams, stage.venue.listen_keys.open())
    other = Ear(streams, "btcusdt@aggTrade")
    stage.venue.listen_keys.close()
    assert (ear.ended.is_set(), ear.says_goodbye) == (True, True)
    assert not other.ended.is_set()


def test_amendment() -> None:
    """A resting order that is amended says so, with its new price and size."""
    stage = Stage()
    order = stage.order(**LIMIT)
    ear = open_ear(stage)
    asked = AmendRequest(
        BTC, order.request.side, order.order_id, None, Decimal(98_000), Decimal("0.02")
    )
    stage.venue.amendments.amend(asked)
    (told,) = updates(ear.take(), "ORDER_TRADE_UPDATE")
    assert (told["x"], told["X"], told["p"], told["q"]) == ("AMENDMENT", "NEW", "98000", "0.02")
