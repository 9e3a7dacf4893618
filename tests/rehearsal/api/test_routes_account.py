"""What the account endpoints answer: margins moved, liquidations, figures of each version."""

from decimal import Decimal
from typing import Any

import pytest

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_account import (
    adl_quantile,
    force_orders,
    margin_history,
    post_position_margin,
)
from qt_protections.rehearsal.api.routes_market import MARKET_ROUTES
from qt_protections.rehearsal.api.wire_account import account_json, asset_json, position_v2_json
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

D = Decimal


def ask(**given: object) -> Params:
    """Return request parameters."""
    return Params({name: str(value) for name, value in given.items()})


def margin(stage: Stage, **given: object) -> Any:
    """Move isolated margin: add 10 USDT to BTC, but for what is given."""
    return post_position_margin(
        stage.venue, ask(**{"symbol": BTC, "amount": 10, "type": 1} | given)
    )


def test_margin_goes_in_and_out() -> None:
    """The answer repeats the request, the wallet stays, and the liquidation price moves."""
    stage = Stage(isolated=True)
    stage.order(quantity="0.1")
    account, valuation = stage.venue.account, stage.venue.desk.valuation
    stage.mark(account.position(BTC).entry_price)
    before = (account.wallet, account.cross_wallet, valuation.liquidation_price(BTC))
    answer = margin(stage, amount="100.5")
    assert answer == {
        "code": 200,
        "msg": "Successfully modify position margin.",
        "amount": 100.5,
        "type": 1,
    }
    assert (account.wallet, account.cross_wallet) == (before[0], before[1] - D("100.5"))
    assert valuation.liquidation_price(BTC) < before[2] - 1000
    margin(stage, amount="100.5", type=2)
    assert (account.wallet, account.cross_wallet, valuation.liquidation_price(BTC)) == before


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, 0),
        ({"amount": 0}, -4055),
        ({"amount": -1}, -4055),
        ({"amount": "x"}, -1102),
        ({"type": 3}, -1102),
        ({"symbol": ETH}, -4054),
        ({"symbol": "NOPE"}, -1121),
        ({"amount": 9500}, -4050),
        ({"amount": 9480}, 0),
        ({"type": 2, "amount": 11}, -4051),
    ],
    ids=str,
)
def test_margin_refusals(given: dict[str, object], code: int) -> None:
    """Each rule answers with its own code."""
    stage = Stage(isolated=True)
    stage.order(quantity="0.1")
    assert code_of(margin, stage, **given) == code


def test_cross_has_no_margin_to_move() -> None:
    """Add and reduce are for isolated positions (-4049)."""
    stage = Stage()
    stage.order()
    assert code_of(margin, stage) == code_of(margin, stage, type=2) == -4049


@pytest.mark.parametrize("mark", [100_000, 99_500, 101_000], ids=["even", "loss", "profit"])
def test_only_what_is_not_needed_can_be_taken_out(mark: int) -> None:
    """Margin less loss stays above the initial margin; unrealised profit stays where it is."""
    stage = Stage(isolated=True)
    stage.order(quantity="0.1")
    margin(stage, amount=100)
    stage.mark(mark)
    held = stage.venue.account.position(BTC)
    spare = held.margin + min(held.unrealized(D(mark)), D(0)) - D(mark) / 200
    assert spare > 40
    assert code_of(margin, stage, type=2, amount=spare + D("0.0001")) == -4051
    assert code_of(margin, stage, type=2, amount=spare) == 0


def test_margin_history() -> None:
    """Trades and transfers are listed, and can be asked for by direction."""
    stage = Stage(isolated=True)
    stage.order(quantity="0.1")
    stage.wait(1000)
    margin(stage)
    margin(stage, type=2, amount=4)
    rows: Any = margin_history(stage.venue, ask(symbol=BTC))
    assert [(r["deltaType"], r["type"]) for r in rows] == [
        ("TRADE", 1),
        ("USER_ADJUST", 1),
        ("USER_ADJUST", 2),
    ]
    assert rows[1]["amount"] == "10.00000000"
    out: Any = margin_history(stage.venue, ask(symbol=BTC, type=2))
    assert out == rows[2:]
    since: Any = margin_history(stage.venue, ask(symbol=BTC, startTime=rows[1]["time"], limit=1))
    assert since == rows[1:2]
    assert margin_history(stage.venue, ask(symbol=ETH)) == []


def test_force_orders() -> None:
    """Liquidations are listed by symbol, time and kind, at most a hundred."""
    stage = Stage(isolated=True)
    for _ in range(2):
        stage.order(quantity="0.01")
        stage.mark(90_000)
        stage.mark(100_000)
        stage.wait(1000)
    rows: Any = force_orders(stage.venue, ask(symbol=BTC, autoCloseType="LIQUIDATION"))
    assert [row["status"] for row in rows] == ["FILLED", "FILLED"]
    first = rows[0]
    assert (first["type"], first["timeInForce"], first["side"]) == ("LIMIT", "IOC", "SELL")
    assert first["clientOrderId"].startswith("autoclose-")
    assert "priceMatch" not in first
    assert len({row["clientOrderId"] for row in rows}) == 2
    for given, count in (
        ({"symbol": ETH}, 0),
        ({"autoCloseType": "ADL"}, 0),
        ({"startTime": rows[1]["time"]}, 1),
        ({"limit": 1}, 1),
    ):
        found: Any = force_orders(stage.venue, ask(**given))
        assert len(found) == count
    assert code_of(force_orders, stage.venue, ask(autoCloseType="X")) == -1130


def test_adl_quantile_names_the_positions() -> None:
    """Nobody is deleveraged, so each position stands at the end of the queue."""
    stage = Stage()
    stage.order()
    rows: Any = adl_quantile(stage.venue, ask())
    assert rows == [{"symbol": BTC, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}}]
    assert adl_quantile(stage.venue, ask(symbol=ETH)) == []


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "cross"])
def test_position_figures(isolated: bool) -> None:
    """A cross position has an isolated margin of exactly "0", an isolated one its pot."""
    stage = Stage(isolated=isolated)
    stage.order(quantity="0.1")
    stage.mark(99_000)
    row, held = position_v2_json(stage.venue, BTC), stage.venue.account.position(BTC)
    assert (row["marginType"], row["isolated"]) == ("isolated" if isolated else "cross", isolated)
    if isolated:
        assert D(str(row["isolatedWallet"])) == held.margin
        left = held.margin + held.unrealized(D(99_000))
        assert D(str(row["isolatedMargin"])) == left
    else:
        assert (row["isolatedWallet"], row["isolatedMargin"]) == ("0", "0")
    price = stage.venue.desk.valuation.liquidation_price(BTC)
    assert D(str(row["liquidationPrice"])) == pytest.approx(price, abs=D("1e-8"))
    assert (row["initialMargin"], row["maintMargin"]) == ("495.00000000", "39.60000000")


@pytest.mark.parametrize("v2", [True, False], ids=["v2", "v3"])
@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "cross"])
def test_account_figures(isolated: bool, v2: bool) -> None:
    """Cross wallet and its profit leave isolated positions out; the totals count everything."""
    stage = Stage(isolated=isolated)
    stage.order(quantity="0.1")
    stage.mark(99_000)
    account, held = stage.venue.account, stage.venue.account.position(BTC)
    loss = held.unrealized(D(99_000))
    row = account_json(stage.venue, v2=v2)
    figures = {name: D(value) for name, value in row.items() if isinstance(value, str)}
    assert figures["totalWalletBalance"] == account.wallet
    assert figures["totalMarginBalance"] == account.wallet + loss
    assert figures["totalInitialMargin"] == 495
    assert figures["totalCrossWalletBalance"] == account.wallet - held.margin
    assert figures["totalCrossUnPnl"] == (0 if isolated else loss)
    bound = held.margin if isolated else D(495) - loss
    assert figures["availableBalance"] == account.wallet - bound


def test_unrealised_profit_cannot_be_withdrawn() -> None:
    """Profit makes more available for trading, not for withdrawal."""
    stage = Stage()
    stage.order(quantity="0.1")
    stage.mark(120_000)
    row: Any = asset_json(stage.venue)
    assert D(row["availableBalance"]) > D(row["maxWithdrawAmount"])
    assert row["maxWithdrawAmount"] == row["crossWalletBalance"]


def test_public_figures() -> None:
    """Open interest follows the price on the size step; the fund's balance is there to see."""
    stage = Stage()
    interest: Any = MARKET_ROUTES["GET", "v1/openInterest"].handler(stage.venue, ask(symbol=BTC))
    assert interest["openInterest"] == "2400"
    fund: Any = MARKET_ROUTES["GET", "v1/insuranceBalance"].handler(stage.venue, ask())
    assert fund["assets"][0]["marginBalance"] == "1000000.00000000"
    assert set(fund["symbols"]) == {BTC, ETH}
