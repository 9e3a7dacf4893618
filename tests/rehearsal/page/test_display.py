"""What the page is told, beside the verdict."""

import pytest

from qt_protections.rehearsal.page.display import SHOWN_POSITIONS, State, state
from tests.rehearsal.stage import BTC, ETH, Stage
from tests.rehearsal.struck import script


def shown(stage: Stage) -> State:
    """Return what the page shows a moment later."""
    stage.wait(100)
    return state(stage.venue, [])


@pytest.mark.parametrize(
    ("stops", "covered", "nearest"),
    [
        ([], 0.0, None),
        ([("0.004", "99000")], 0.004, 99_000),
        ([("0.004", "99000"), ("0.006", "99500")], 0.01, 99_500),
        ([("0.01", "99500"), ("0.01", "99900")], 0.01, 99_500),
    ],
    ids=["none", "part", "two", "surplus"],
)
def test_covering_stop(stops: list[tuple[str, str]], covered: float, nearest: float | None) -> None:
    """The trigger shown is the nearest of those that make up the cover."""
    stage = Stage()
    stage.order()
    for quantity, trigger in stops:
        stage.algo(quantity=quantity, triggerPrice=trigger)
    (position,) = shown(stage).positions
    assert (position.covered, position.stop_price) == (covered, nearest)
    assert (position.side, position.quantity, position.leverage) == ("LONG", 0.01, 20)
    assert position.liquidation_price < position.entry_price
    if nearest is not None:
        distance = 1 - nearest / position.mark_price
        assert position.stop_distance_ratio == pytest.approx(distance)


@pytest.mark.parametrize("isolated", [True, False])
def test_profit_ratio(isolated: bool) -> None:
    """A tenth of a position's margin won, cross or isolated, is 10 %."""
    stage = Stage(isolated=isolated)
    stage.order()
    stage.mark(100_005 * 1.005)
    (position,) = state(stage.venue, []).positions
    assert position.unrealized_ratio == pytest.approx(0.1)


def test_prices_move() -> None:
    """The last close is the present price; the change is against the first of the hour."""
    stage = Stage()
    stage.tick(101_000)
    prices = {price.symbol: price for price in shown(stage).prices}
    assert (prices[BTC].last, prices[BTC].closes[-1]) == (101_000, 101_000)
    assert prices[BTC].change_ratio == pytest.approx(0.01)
    assert (prices[ETH].change_ratio, len(prices[ETH].closes)) == (0, 60)


def test_waiting_orders() -> None:
    """Plain and conditional orders are listed with their prices and names."""
    stage = Stage()
    stage.order(type="LIMIT", timeInForce="GTC", price="90000", newClientOrderId="low")
    stage.algo(type="TRAILING_STOP_MARKET", triggerPrice=None, callbackRate="1")
    page = shown(stage)
    (order,), (trailing,) = page.orders, page.conditionals
    assert (order.price, order.trigger, order.client_id, order.reduce_only) == (
        90_000,
        None,
        "low",
        False,
    )
    assert (trailing.trigger, trailing.callback_ratio, trailing.quantity) == (None, 0.01, 0.01)
    assert [orphan.algo_id for orphan in page.orphans] == [trailing.number]


def test_latest_positions_and_open_ones() -> None:
    """The time line gets the latest closed positions and every open one."""
    stage = Stage()
    for _ in range(SHOWN_POSITIONS + 3):
        stage.order()
        stage.order(side="SELL", reduceOnly="true")
        stage.wait(10)
    stage.order(symbol=ETH, quantity="1")
    numbers = [position.number for position in shown(stage).coverage]
    assert numbers == list(range(4, SHOWN_POSITIONS + 5))


def test_faults_are_named() -> None:
    """The page says what may go wrong."""
    text = """
    [[fault]]
    kind = "busy"
    rate = 0.05
    [[fault]]
    kind = "down"
    at_s = 30
    for_s = 10
    every_s = 60
    [[fault]]
    kind = "stream_drop"
    at_s = 5
    """
    assert shown(Stage()).faults == []
    assert state(Stage().venue, script(text).described()).faults == [
        "busy, 5 % of requests",
        "down from 30 s for 10 s every 60 s",
        "stream drop at 5 s",
    ]
