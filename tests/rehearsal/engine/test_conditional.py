"""Conditional orders: refusals, triggers, children, and what happens to leftovers."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.engine.orders import AlgoStatus, OrderStatus
from qt_protections.rehearsal.market.feed import Tick
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

CLOSE = {"quantity": None, "reduceOnly": None, "closePosition": "true"}
TRAIL = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({}, 0),
        ({"triggerPrice": "100000"}, -2021),
        ({"triggerPrice": "100500"}, -2021),
        ({"side": "BUY"}, -2021),
        ({"side": "BUY", "triggerPrice": "100500"}, 0),
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "101000"}, 0),
        ({"type": "TAKE_PROFIT_MARKET", "triggerPrice": "99000"}, -2021),
        ({"triggerPrice": "99500.05"}, -4014),
        ({"triggerPrice": "0"}, -4006),
        ({"triggerPrice": "474"}, -4013),
        ({"side": "BUY", "triggerPrice": "4750001"}, -4007),
        ({"triggerPrice": None}, -1102),
        ({"quantity": "60"}, -4005),
        ({"type": "STOP", "price": "99400", "quantity": "60"}, 0),
        ({"type": "STOP", "price": "94525"}, 0),
        ({"type": "STOP", "price": "94524.9"}, -4184),
        ({"type": "STOP", "price": "200000"}, 0),
        ({"type": "STOP", "price": "105525.1", "side": "BUY", "triggerPrice": "100500"}, -4183),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": None}, -1102),
        ({"quantity": "0.0009", "reduceOnly": None}, -1111),
        ({"symbol": ETH, "quantity": "0.001", "triggerPrice": "2900"}, 0),
        ({"symbol": ETH, "quantity": "0.001", "triggerPrice": "2900", "reduceOnly": None}, -4164),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"algoType": None}, -1102),
        ({"type": "MARKET"}, -1116),
        ({"workingType": "LUCK"}, -1130),
        ({"type": "STOP"}, -1102),
        ({"type": "STOP", "price": "99400"}, 0),
        ({**TRAIL, "callbackRate": "1"}, 0),
        ({**TRAIL, "callbackRate": "0.1"}, 0),
        ({**TRAIL, "callbackRate": "20"}, 0),
        ({**TRAIL, "callbackRate": "0.09"}, -2007),
        ({**TRAIL, "callbackRate": "20.1"}, -2007),
        ({**TRAIL, "callbackRate": "0.15"}, -2007),
        ({**TRAIL, "callbackRate": None}, -1102),
        ({**TRAIL, "callbackRate": "1", "activatePrice": "0"}, -4135),
        ({**TRAIL, "callbackRate": "1", "activatePrice": "101000.05"}, -4014),
        ({**TRAIL, "callbackRate": "1", "activatePrice": "99000"}, -2021),
        ({**TRAIL, "callbackRate": "1", "activatePrice": "101000"}, 0),
        ({**CLOSE}, -4509),
        ({**CLOSE, "quantity": "0.01"}, -4137),
        ({**CLOSE, "reduceOnly": "true"}, -1106),
        ({**CLOSE, **TRAIL, "callbackRate": "1"}, -4136),
        ({"positionSide": "SHORT"}, -4061),
        ({"clientAlgoId": "x" * 37}, -4015),
    ],
)
def test_refusals_while_flat(request_: dict[str, object], code: int) -> None:
    """Each rule answers with its own code; a reduce-only stop is taken without a position."""
    assert code_of(Stage().algo, **request_) == code


def test_flat_stops_can_be_refused() -> None:
    """With the switch, a reduce-only stop needs a position of the other side."""
    stage = Stage(FlatStops.REJECT)
    assert code_of(stage.algo) == -2022
    stage.order()
    assert code_of(stage.algo) == 0
    assert code_of(stage.algo, side="BUY", triggerPrice="100500") == -2022


def test_close_position_rules() -> None:
    """One closePosition stop a side; a take-profit and quantity stops may stand beside it."""
    stage = Stage()
    stage.order()
    assert code_of(stage.algo, **CLOSE) == 0
    assert (
        code_of(
            stage.algo,
            **CLOSE,
        )
        == -4130
    )
    assert code_of(stage.algo, **CLOSE, type="TAKE_PROFIT_MARKET", triggerPrice="101000") == 0
    assert code_of(stage.algo) == 0
    assert code_of(stage.algo, **CLOSE | {"side": "BUY", "triggerPrice": "100500"}) == -4509


def test_duplicate_client_id_and_limit_of_200() -> None:
    """Live conditional orders have unique names, and there are 200 at most."""
    stage = Stage()
    stage.algo(clientAlgoId="a")
    assert code_of(stage.algo, clientAlgoId="a") == -4116
    for _ in range(199):
        stage.algo()
    assert code_of(stage.algo) == -4045


def test_stop_sends_a_market_order() -> None:
    """A hit stop closes the position through an order that can be looked up."""
    stage = Stage()
    stage.order()
    algo = stage.algo()
    stage.tick(99_600)
    assert algo.status is AlgoStatus.NEW
    stage.tick(99_450)
    assert (algo.status, stage.amount()) == (AlgoStatus.FINISHED, 0)
    assert algo.child is not None
    assert stage.venue.desk.find(BTC, algo.child.order_id, None) is algo.child
    assert algo.child.status is OrderStatus.FILLED
    assert Decimal(99_400) < algo.child.average_price < Decimal(99_450)
    assert stage.venue.ledger.trades[-1].order_id == algo.child.order_id


def test_trigger_takes_a_moment() -> None:
    """Between trigger and fill the order is TRIGGERING and cannot be cancelled."""
    stage = Stage()
    stage.order()
    algo = stage.algo()
    stage.now_ms += 1000
    stage.prices[BTC] = 99_000.0
    stage.feed.ticks.append(Tick(stage.now_ms, tuple(stage.prices.values()), (1.0, 1.0)))
    stage.venue.advance()
    assert algo.status is AlgoStatus.TRIGGERING
    assert code_of(stage.venue.conditional.cancel, algo.algo_id, None) == -4117
    stage.wait(10)
    assert algo.status is AlgoStatus.FINISHED


@pytest.mark.parametrize("position", [None, "SELL"], ids=["flat", "wrong-side"])
def test_reduce_only_is_judged_at_the_trigger(position: str | None) -> None:
    """Without a position to reduce, a hit stop ends REJECTED and trades nothing."""
    stage = Stage()
    if position is not None:
        stage.order(side=position)
    algo, before = stage.algo(), stage.amount()
    stage.tick(99_000)
    assert (algo.status, algo.reason) == (AlgoStatus.REJECTED, "Reduce Only reject")
    assert (algo.child, stage.amount()) == (None, before)


def test_stop_larger_than_the_position_is_capped() -> None:
    """A stop for more than the position closes it and no more."""
    stage = Stage()
    stage.order()
    algo = stage.algo(quantity="0.5")
    stage.tick(99_000)
    assert stage.amount() == 0
    assert algo.child is not None
    assert algo.child.quantity == Decimal("0.01")


def test_second_stop_finds_nothing() -> None:
    """Of two stops hit by one tick the first closes and the second is rejected."""
    stage = Stage()
    stage.order()
    first, second = stage.algo(), stage.algo(triggerPrice="99400")
    stage.tick(99_000)
    assert (first.status, second.status) == (AlgoStatus.FINISHED, AlgoStatus.REJECTED)


def test_leftovers_of_a_closed_position() -> None:
    """After the exit a closePosition stop is EXPIRED and a quantity stop lives on."""
    stage = Stage()
    stage.order()
    closer, sized = stage.algo(**CLOSE), stage.algo()
    stage.order(side="SELL", reduceOnly="true")
    assert (closer.status, sized.status) == (AlgoStatus.EXPIRED, AlgoStatus.NEW)
    assert [orphan.algo_id for orphan in stage.venue.report().orphans] == [sized.algo_id]


def test_limit_child_finishes_with_its_order() -> None:
    """A STOP order is TRIGGERED while its limit order rests, FINISHED once that is filled."""
    stage = Stage()
    stage.order()
    algo = stage.algo(type="STOP", price="99500")
    stage.tick(99_400)
    assert (algo.status, stage.amount()) == (AlgoStatus.TRIGGERED, Decimal("0.01"))
    stage.tick(99_501)
    assert (algo.status, stage.amount()) == (AlgoStatus.FINISHED, 0)


def test_mark_price_triggers_wait_for_the_mark() -> None:
    """A spike of the last price does not hit a stop that works on the mark price."""
    stage = Stage()
    stage.order()
    last, mark = stage.algo(), stage.algo(workingType="MARK_PRICE", quantity="0.005")
    stage.tick(99_400)
    assert (last.status, mark.status) == (AlgoStatus.FINISHED, AlgoStatus.NEW)
    stage.drift(99_400)
    assert mark.status is AlgoStatus.REJECTED


def test_trailing_follows_and_fires() -> None:
    """A trailing stop activates, follows the peak, and fires on the way back."""
    stage = Stage()
    stage.order()
    algo = stage.algo(**TRAIL, callbackRate="1", activatePrice="101000")
    for price in (99_000, 100_900, 100_000, 102_000, 101_100):
        stage.tick(price)
    assert algo.status is AlgoStatus.NEW
    stage.tick(100_900)
    assert (algo.status, stage.amount()) == (AlgoStatus.FINISHED, 0)
    assert stage.venue.report().positions[0].exit == "trailing"


def test_stop_that_opens_needs_margin_at_the_trigger() -> None:
    """A stop without reduce-only is not checked for margin before its trigger, but then it is."""
    stage = Stage(balance=100)
    algo = stage.algo(reduceOnly=None, quantity="1")
    stage.tick(99_000)
    assert (algo.status, algo.reason) == (AlgoStatus.REJECTED, "Margin is insufficient.")


def test_cancel_and_find() -> None:
    """Orders are found by either id, and cancelled once."""
    stage = Stage()
    algo = stage.algo(clientAlgoId="mine")
    desk = stage.venue.conditional
    assert desk.find(None, "mine") is desk.find(algo.algo_id, None) is algo
    assert desk.cancel(None, "mine").status is AlgoStatus.CANCELED
    assert code_of(desk.cancel, algo.algo_id, None) == -2011
    assert code_of(desk.cancel, None, "other") == -2011


def test_names_are_free_again() -> None:
    """A name may be used again when its order is done, and then means the new one."""
    stage = Stage()
    old = stage.algo(clientAlgoId="a")
    stage.venue.conditional.cancel(None, "a")
    assert stage.venue.conditional.find(None, "a") is old
    new = stage.algo(clientAlgoId="a")
    assert stage.venue.conditional.find(None, "a") is new
    assert stage.venue.conditional.find(None, None) is None


@pytest.mark.parametrize(
    ("given_", "price", "word"),
    [
        ({}, 94_000, "PERCENT_PRICE"),
        ({"type": "STOP", "price": "94600"}, 99_400, "lower than 94943"),
    ],
    ids=["market", "limit"],
)
def test_child_far_from_the_mark(given_: dict[str, str], price: float, word: str) -> None:
    """A child the price filter refuses at the trigger leaves its order REJECTED."""
    stage = Stage()
    stage.order()
    algo = stage.algo(**given_)
    stage.tick(price)
    assert (algo.status, stage.amount()) == (AlgoStatus.REJECTED, Decimal("0.01"))
    assert word in algo.reason


def test_new_position_is_seen_late() -> None:
    """A closePosition order is refused until the lag after the opening fill has passed."""
    stage = Stage(position_lag_ms=1000)
    stage.order()
    assert code_of(stage.algo, **CLOSE) == -4509
    stage.wait(600)
    stage.order()
    stage.wait(399)
    assert code_of(stage.algo, **CLOSE) == -4509
    stage.wait(1)
    assert code_of(stage.algo, **CLOSE) == 0
    stage.order(side="SELL", quantity="0.03")
    stop = CLOSE | {"side": "BUY", "triggerPrice": "100500"}
    assert code_of(stage.algo, **stop) == -4509
    stage.wait(1000)
    assert code_of(stage.algo, **stop) == 0


@pytest.mark.parametrize("type_", ["STOP_MARKET", "STOP"])
def test_good_till_the_position_ends(type_: str) -> None:
    """GTE_GTC needs a position, as closePosition does, and expires with it; its size is its own."""
    stage = Stage()
    given = {"type": type_, "timeInForce": "GTE_GTC"}
    given |= {"price": "99500"} if type_ == "STOP" else {}
    assert code_of(stage.algo, **given) == -4509
    stage.order()
    first, second = stage.algo(**given), stage.algo(**given)
    stage.order(side="SELL", reduceOnly="true")
    assert (first.status, second.status) == ("EXPIRED", "EXPIRED")
    assert stage.venue.conditional.live() == []
