"""Positions and the wallet: pots of isolated positions, and what is missing in the end."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.account import Account
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

D = Decimal


def account(*, isolated: bool) -> Account:
    """Return an account with 1,000 USDT that holds 1 BTC bought at 1,000 with leverage 10."""
    found = Account(D(1000), leverage={BTC: 10, ETH: 10}, isolated={BTC} if isolated else set())
    found.trade(BTC, D(1), D(1000), D(0), 0)
    return found


def test_isolated_margin_is_put_aside_and_cross_is_not() -> None:
    """Opening moves a tenth of the value into the pot, in cross nothing."""
    isolated, crossed = account(isolated=True), account(isolated=False)
    assert (isolated.cross_wallet, isolated.entry_margin(BTC)) == (900, 100)
    assert (crossed.cross_wallet, crossed.entry_margin(BTC)) == (1000, 100)


@pytest.mark.parametrize(
    ("parts", "cross_wallet", "covered"),
    [
        ([(1, 1050)], 1050, 0),
        ([(1, 950)], 950, 0),
        ([(1, 880)], 900, 20),
        ([("0.5", 850), ("0.5", 1000)], 925, 0),
        ([("0.5", 1000), ("0.5", 850)], 950, 25),
    ],
    ids=["profit", "loss", "beyond", "beyond-first", "beyond-last"],
)
def test_isolated_loss_ends_at_the_pot(
    parts: list[tuple[str | int, int]], cross_wallet: int, covered: int
) -> None:
    """A loss beyond the closed part's margin eats the rest of the pot, then has to be covered."""
    found = account(isolated=True)
    missing = D(0)
    for amount, price in parts:
        found.trade(BTC, -D(amount), D(price), D(0), 1)
        missing += found.cover(BTC)
    assert (found.cross_wallet, missing) == (cross_wallet, covered)
    assert found.wallet == found.cross_wallet


def test_cross_wallet_is_covered_when_nothing_is_left() -> None:
    """A cross wallet below zero is made up for once no cross position can win it back."""
    found = account(isolated=False)
    found.trade(ETH, D(1), D(100), D(0), 1)
    found.trade(BTC, D(-1), D(-500), D(0), 2)
    assert (found.wallet, found.cover(BTC)) == (-500, 0)
    found.trade(ETH, D(-1), D(150), D(0), 3)
    assert found.cover(ETH) == 450
    assert found.wallet == 0


def test_funding_of_an_isolated_position_comes_from_its_pot() -> None:
    """The pot pays and the cross wallet does not; in cross it is the other way round."""
    isolated, crossed = account(isolated=True), account(isolated=False)
    for found in (isolated, crossed):
        found.charge_funding(BTC, D(7))
    assert (isolated.cross_wallet, isolated.position(BTC).margin) == (900, 93)
    assert (crossed.cross_wallet, crossed.position(BTC).margin) == (993, 0)


MOVES = st.lists(
    st.tuples(
        st.sampled_from([BTC, ETH]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 40),
        st.floats(0.8, 1.25),
        st.integers(0, 5 * 3_600_000),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.sampled_from([5, 20, 50]), MOVES)
def test_wallet_is_its_start_and_the_incomes(
    isolated: bool, leverage: int, moves: list[tuple[str, str, int, float, int]]
) -> None:
    """Whatever is traded, liquidated and paid, the books agree and nobody ends below zero."""
    stage = Stage(isolated=isolated, balance=1000, funding_seed=1)
    account = stage.venue.account
    for symbol in (BTC, ETH):
        stage.venue.margin_settings.set_leverage(symbol, leverage)
    for symbol, side, size, move, wait_ms in moves:
        quantity = f"0.{size:03d}" if symbol == BTC else f"{size / 10}"
        code_of(stage.order, symbol=symbol, side=side, quantity=quantity)
        stage.tick(round(stage.prices[symbol] * move, 1), symbol)
        stage.drift(stage.prices[symbol], symbol, ticks=20)
        stage.wait(wait_ms)
        ledger = stage.venue.ledger
        earned = sum((line.amount for line in ledger.incomes), D(0))
        assert abs(account.wallet - 1000 - earned) < D("1e-12")
        if not account.crossed():
            assert account.cross_wallet > -D("1e-12")
        for name in (BTC, ETH):
            if name not in account.isolated or not account.position(name).amount:
                assert account.position(name).margin == 0


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 90),
    st.sampled_from([2, 10, 50, 100]),
    st.lists(st.floats(0.7, 1.4), min_size=1, max_size=6),
    st.booleans(),
)
def test_isolated_position_costs_its_margin_at_most(
    side: str, size: int, leverage: int, moves: list[float], leaves: bool
) -> None:
    """However prices jump, and however it is closed, the rest of the wallet keeps its worth."""
    stage = Stage(isolated=True, balance=100_000)
    stage.venue.margin_settings.set_leverage(BTC, leverage)
    stage.order(side=side, quantity=f"0.{size:03d}")
    outside = stage.venue.account.cross_wallet
    for move in moves:
        stage.tick(round(100_000 * move, 1))
        stage.drift(stage.prices[BTC], ticks=15)
    if leaves:
        closing = "SELL" if side == "BUY" else "BUY"
        refused = code_of(stage.order, side=closing, quantity="1", reduceOnly="true")
        assert stage.amount() == 0 or refused == -4131
    assert stage.venue.account.cross_wallet >= outside
