"""The exchange as a whole: settings, refusals, and the same history however read."""

import pytest

from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import build_market
from qt_protections.rehearsal.venue import Venue
from tests.rehearsal.stage import BTC, MIDNIGHT_MS, Stage, code_of


@pytest.mark.parametrize(
    ("leverage", "code"), [(0, -4028), (151, -4028), (150, 0), (1, 0)], ids=str
)
def test_leverage_bounds(leverage: int, code: int) -> None:
    """Leverage lies between 1 and the first bracket's."""
    assert code_of(Stage().venue.margin_settings.set_leverage, BTC, leverage) == code


def test_leverage_cannot_fall_under_an_isolated_position() -> None:
    """With an isolated position leverage may rise but not fall."""
    stage = Stage(isolated=True)
    stage.venue.margin_settings.set_leverage(BTC, 20)
    stage.order()
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 10) == -4161
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 30) == 0


def test_leverage_may_fall_under_a_cross_position() -> None:
    """In cross it may fall as far as the margin allows, and a refusal changes nothing."""
    stage = Stage()
    stage.order(quantity="0.5")
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 6) == 0
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 4) == -2028
    assert stage.venue.account.leverage_of(BTC) == 6


def test_leverage_cannot_rise_above_the_position_it_allows() -> None:
    """A position outgrown by the bracket of a leverage keeps that leverage away."""
    stage = Stage(balance=100_000)
    stage.order(quantity="3.5")
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 125) == -2027
    assert code_of(stage.venue.margin_settings.set_leverage, BTC, 100) == 0


def test_margin_type() -> None:
    """Repeating the margin type is refused, and so is changing it with something open."""
    venue = Stage().venue
    assert code_of(venue.margin_settings.set_isolated, BTC, False) == -4046
    assert code_of(venue.margin_settings.set_isolated, BTC, True) == 0
    assert code_of(venue.margin_settings.set_isolated, BTC, True) == -4046
    assert code_of(venue.margin_settings.set_isolated, "NOPEUSDT", True) == -1121
    stage = Stage()
    stage.order(type="LIMIT", timeInForce="GTC", price="90000")
    assert code_of(stage.venue.margin_settings.set_isolated, BTC, True) == -4047
    stage.venue.desk.cancel_all(BTC)
    stage.order()
    assert code_of(stage.venue.margin_settings.set_isolated, BTC, True) == -4048


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
    stage.venue.countdowns.set(BTC, 1000)
    stage.wait(999)
    assert len(stage.venue.desk.open_orders(BTC)) == 1
    if renewed_ms is not None:
        stage.venue.countdowns.set(BTC, renewed_ms)
    stage.wait(1)
    assert len(stage.venue.desk.open_orders(BTC)) == left
