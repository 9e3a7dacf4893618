"""The exchange as a whole: settings, liquidation, funding, and the same history however read."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.account import liquidation_price
from qt_protections.rehearsal.scenarios import SCENARIOS
from qt_protections.rehearsal.tape import build_market
from qt_protections.rehearsal.venue import Venue
from tests.rehearsal.stage import BTC, MIDNIGHT_MS, Stage, code_of


@pytest.mark.parametrize(
    ("leverage", "code"), [(0, -4028), (151, -4028), (150, 0), (1, 0)], ids=str
)
def test_leverage_bounds(leverage: int, code: int) -> None:
    """Leverage lies between 1 and the first bracket's."""
    assert code_of(Stage().venue.set_leverage, BTC, leverage) == code


def test_leverage_cannot_fall_under_a_position() -> None:
    """With a position leverage may rise but not fall."""
    stage = Stage()
    stage.venue.set_leverage(BTC, 20)
    stage.order()
    assert code_of(stage.venue.set_leverage, BTC, 10) == -4161
    assert code_of(stage.venue.set_leverage, BTC, 30) == 0


def test_margin_type() -> None:
    """Repeating the margin type is refused, and so is changing it with something open."""
    venue = Stage().venue
    assert code_of(venue.set_isolated, BTC, False) == -4046
    assert code_of(venue.set_isolated, BTC, True) == 0
    assert code_of(venue.set_isolated, BTC, True) == -4046
    assert code_of(venue.set_isolated, "NOPEUSDT", True) == -1121
    stage = Stage()
    stage.order(type="LIMIT", timeInForce="GTC", price="90000")
    assert code_of(stage.venue.set_isolated, BTC, True) == -4047
    stage.venue.desk.cancel_all(BTC)
    stage.order()
    assert code_of(stage.venue.set_isolated, BTC, True) == -4048


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_liquidation_takes_the_isolated_margin_and_no_more(side: str) -> None:
    """A position dies at its liquidation price and costs its margin."""
    stage = Stage()
    stage.venue.set_leverage(BTC, 50)
    stage.order(side=side, quantity="0.05")
    position = stage.venue.account.position(BTC)
    instrument = stage.venue.tape.instrument(BTC)
    edge = liquidation_price(instrument, position, Decimal(100_000))
    direction = 1 if side == "BUY" else -1
    stage.drift(float(round(edge * (1 + direction * Decimal("0.0005")), 1)))
    assert stage.amount() != 0
    wallet = stage.venue.account.wallet
    stage.drift(float(round(edge * (1 - direction * Decimal("0.0005")), 1)))
    assert stage.amount() == 0
    assert stage.venue.report().positions[0].exit == "liquidation"
    assert float(stage.venue.account.wallet) == pytest.approx(float(wallet - position.margin))


def test_funding_is_paid_every_eight_hours() -> None:
    """A long pays, and the payment is a line of the income history."""
    stage = Stage()
    stage.order()
    stage.now_ms = MIDNIGHT_MS + 16 * 3_600_000 - 1000
    stage.tick(100_000)
    line = stage.venue.ledger.incomes[-1]
    assert (line.kind, line.amount) == ("FUNDING_FEE", Decimal("-0.1"))
    stage.tick(100_000)
    assert stage.venue.ledger.incomes[-1] is line


def test_refusals_are_written_down() -> None:
    """A refused stop and a refused order leave an event with their code."""
    stage = Stage()
    code_of(stage.algo, triggerPrice="100500")
    code_of(stage.order, quantity="9")
    kinds = [(event.kind, event.code) for event in stage.venue.journal.events]
    assert kinds == [("stop_rejected", -2021), ("order_rejected", -2019)]
    assert stage.venue.report().summary.stops.rejections == {"-2021": 1}


def test_reports_can_be_asked_for_at_any_time() -> None:
    """Reading the report early does not change what a later one says."""
    once, often = Stage(), Stage()
    for stage in (once, often):
        for price in (99_900, 99_800, 99_400, 99_000):
            if stage is often:
                stage.venue.report()
            if stage.amount() == 0:
                stage.order()
                stage.wait(700)
                stage.algo(quantity="0.01", triggerPrice="99450" if price > 99_450 else "98000")
            stage.tick(price)
    assert once.venue.report() == often.venue.report()


@pytest.mark.parametrize("steps", [[60_000], [7, 30_000, 45_001, 60_000]], ids=["once", "parts"])
def test_market_does_not_depend_on_how_it_is_read(steps: list[int]) -> None:
    """Advancing in parts or at once prints the same candles."""
    found = []
    for parts in ([60_000], steps):
        now = [MIDNIGHT_MS + 90_000]
        tape, feed = build_market(SCENARIOS["violent"], 3, now[0], days=60)
        venue = Venue(tape, feed, lambda now=now: now[0])  # type: ignore[misc]
        for part in parts:
            venue.advance(MIDNIGHT_MS + 90_000 + part)
        found.append([(tape.last(name), tape.mark(name)) for name in tape.symbols])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("renewed_ms", "left"), [(None, 0), (5000, 1), (0, 1)], ids=["runs-out", "renewed", "stopped"]
)
def test_countdown(renewed_ms: int | None, left: int) -> None:
    """Resting orders of the symbol are cancelled unless the countdown is set again or stopped."""
    stage = Stage()
    stage.order(type="LIMIT", timeInForce="GTC", price="90000")
    stage.venue.set_countdown(BTC, 1000)
    stage.wait(999)
    assert len(stage.venue.desk.open_orders(BTC)) == 1
    if renewed_ms is not None:
        stage.venue.set_countdown(BTC, renewed_ms)
    stage.wait(1)
    assert len(stage.venue.desk.open_orders(BTC)) == left
