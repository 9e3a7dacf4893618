"""A trade that takes a stop over holds exactly its trigger, and goes on holding it."""

from datetime import UTC, datetime

import pytest
from ccxt import TICK_SIZE
from freqtrade.persistence import Order, Trade
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.stops.reconciliation.trade_writer import adopt
from qt_protections.stops.state.stop import Stop


def trade(open_rate: float, tick: float, leverage: float, *, is_short: bool) -> Trade:
    """Return a trade whose entry just filled."""
    made = Trade(
        pair="BTC/USDT:USDT",
        stake_amount=100,
        amount=1,
        is_open=True,
        open_rate=open_rate,
        fee_open=0,
        fee_close=0,
        exchange="binance",
        leverage=leverage,
        is_short=is_short,
        price_precision=tick,
        precision_mode_price=TICK_SIZE,
        open_date=datetime.now(UTC),
    )
    made.orders.append(
        Order(
            ft_order_side=made.entry_side,
            ft_pair=made.pair,
            ft_is_open=False,
            order_id="1",
            ft_amount=1,
            ft_price=open_rate,
            status="closed",
            filled=1,
            average=open_rate,
        )
    )
    made.adjust_stop_loss(open_rate, -0.15, initial=True)
    return made


def live_stop(trigger: float, *, is_short: bool) -> Stop:
    """Return a stop as the exchange answered for it."""
    side = "buy" if is_short else "sell"
    order = {"id": "77", "stopPrice": trigger, "status": "open", "side": side, "amount": 1}
    return Stop.of("BTC/USDT:USDT", order)


@given(
    ticks=st.integers(1_000, 100_000_000),
    tick=st.sampled_from([0.1, 0.01, 0.0001, 1e-7]),
    stop_ticks=st.integers(1, 900),
    leverage=st.sampled_from([1.0, 3.0, 30.0, 125.0]),
    is_short=st.booleans(),
)
def test_recomputing_the_stop_changes_nothing(
    ticks: int, tick: float, stop_ticks: int, leverage: float, is_short: bool
) -> None:
    """Freqtrade recomputes the price from the ratio after every fill; it must stay the trigger."""
    digits = max(0, len(f"{tick:.7f}".rstrip("0").split(".")[1]))
    open_rate = round(ticks * tick, digits)
    trigger = round((ticks + (stop_ticks if is_short else -stop_ticks)) * tick, digits)
    made = trade(open_rate, tick, leverage, is_short=is_short)
    adopt(made, live_stop(trigger, is_short=is_short))
    made.adjust_stop_loss(made.open_rate, made.stop_loss_pct)
    assert made.stop_loss == pytest.approx(trigger, rel=1e-12)
    assert not made.is_stop_loss_trailing


def test_the_first_stop_is_the_initial_one() -> None:
    """A fresh trade's initial stop is the live one; the ratio Freqtrade compares at start stays."""
    made = trade(100.0, 0.1, 30, is_short=False)
    adopt(made, live_stop(99.4, is_short=False))
    assert made.initial_stop_loss == made.stop_loss == 99.4
    assert made.initial_stop_loss_pct == -0.15
    (order,) = made.open_sl_orders
    assert order.order_id == "77"
