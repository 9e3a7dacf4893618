"""The verdict on a real venue: causes of gaps, slippage, planned risk, liquidations."""

from collections.abc import Callable

import pytest

from qt_protections.rehearsal.verdict.position_report import Gap, PositionReport
from qt_protections.rehearsal.verdict.report import Summary
from tests.rehearsal.stage import BTC, Stage, code_of


def withdrawn(stage: Stage) -> None:
    """Let the exchange take a stop away."""
    algo = stage.algo()
    stage.order()
    stage.wait(1000)
    stage.venue.conditional.withdraw(algo.algo_id, "gone")


def canceled(stage: Stage) -> None:
    """Cancel a stop."""
    algo = stage.algo()
    stage.order()
    stage.wait(1000)
    stage.venue.conditional.cancel(algo.algo_id, None)


def late(stage: Stage) -> None:
    """Open first."""
    stage.order()


def grown(stage: Stage) -> None:
    """Add to a covered position."""
    stage.algo()
    stage.order()
    stage.wait(1000)
    stage.order()


def rest(stage: Stage) -> None:
    """Let a stop-limit order trigger below its limit."""
    stage.algo(type="STOP", price="99500", triggerPrice="99500")
    stage.order()
    stage.tick(99_000)


CASES = {
    "opened_before_stop": late,
    "grew_beyond_stop": grown,
    "stop_canceled": canceled,
    "stop_withdrawn": withdrawn,
    "stop_left_rest": rest,
}


def only_gap(stage: Stage) -> Gap:
    """Return the single gap of the single position."""
    (position,) = stage.venue.report().positions
    (gap,) = position.gaps
    return gap


@pytest.mark.parametrize(("cause", "cause_it"), CASES.items(), ids=CASES)
def test_cause_and_end(cause: str, cause_it: Callable[[Stage], None]) -> None:
    """A gap names what began it, lasts until the next stop, and knows what was refused in it."""
    stage = Stage()
    cause_it(stage)
    began_ms = stage.now_ms if cause != "stop_left_rest" else stage.now_ms - 10
    stage.wait(700)
    assert code_of(stage.algo, triggerPrice="200000") == -2021
    assert only_gap(stage).end_ms is None
    stage.algo(quantity="0.02", triggerPrice="90000")
    ended_ms = stage.now_ms
    stage.wait(500)
    gap = only_gap(stage)
    assert (gap.cause, gap.ended_by, gap.refusals) == (cause, "stop_accepted", {"-2021": 1})
    assert (gap.start_ms, gap.end_ms) == (began_ms, ended_ms)
    assert gap.seconds == (ended_ms - began_ms) / 1000
    assert gap.uncovered_qty == 0.01


def test_gap_closed_by_a_market_order() -> None:
    """A position that is closed naked says how."""
    stage = Stage()
    stage.order()
    stage.wait(700)
    stage.order(side="SELL", reduceOnly="true")
    gap = only_gap(stage)
    assert (gap.seconds, gap.ended_by, gap.exit) == (0.7, "position_closed", "market")


def judged(stage: Stage) -> tuple[PositionReport, Summary]:
    """Return the report's single position, and its summary."""
    stage.wait(100)
    report = stage.venue.report()
    (position,) = report.positions
    return position, report.summary


@pytest.mark.parametrize(
    ("side", "trigger", "then"), [("BUY", 99_500, 99_000), ("SELL", 100_500, 101_000)]
)
def test_a_stop_run_through(side: str, trigger: int, then: int) -> None:
    """Slippage is measured from the trigger, the loss against the plan, both in USDT."""
    stage = Stage()
    stage.algo(side="SELL" if side == "BUY" else "BUY", triggerPrice=trigger)
    stage.order(side=side)
    stage.tick(then)
    position, summary = judged(stage)
    assert position.exit_price is not None
    beyond = abs(position.exit_price - trigger)
    assert beyond > 490
    assert position.stop_slippage == pytest.approx(beyond * 0.01)
    assert position.stop_slippage_ratio == pytest.approx(beyond / trigger)
    fees = 0.0005 * (position.entry_price + trigger)
    planned = (abs(position.entry_price - trigger) + fees) * 0.01
    assert position.planned_risk == pytest.approx(planned)
    loss = position.fees - position.realized_pnl
    assert position.loss_ratio == pytest.approx(loss / planned)
    assert (summary.losses.planned, summary.losses.exceeding, summary.losses.unplanned) == (1, 1, 0)
    assert summary.losses.worst_ratio == position.loss_ratio
    assert summary.slippage.positions == 1
    assert summary.slippage.worst_ratio == position.stop_slippage_ratio
    assert (summary.stops.filled, summary.stops.live) == (1, 0)
    assert summary.orphans.now == 0


def test_a_loss_without_a_plan() -> None:
    """What never had a stop has no planned risk to be measured by."""
    stage = Stage()
    stage.order()
    stage.order(side="SELL", reduceOnly="true")
    position, summary = judged(stage)
    assert (position.planned_risk, position.loss_ratio, position.stop_slippage) == (None,) * 3
    assert (summary.losses.planned, summary.losses.unplanned) == (0, 1)


@pytest.mark.parametrize("isolated", [True, False])
def test_money_adds_up(isolated: bool) -> None:
    """Profit less fees and insurance is the change of the wallet, with a liquidation."""
    stage = Stage(isolated=isolated, balance=1000)
    stage.order(quantity="0.1")
    stage.drift(80_000)
    report = stage.venue.report()
    change = float(stage.venue.account.wallet) - 1000
    told: Summary | PositionReport
    for told in (report.summary, *report.positions):
        assert told.insurance != 0
        assert told.realized_pnl - told.fees - told.insurance == pytest.approx(change, abs=1e-6)


def test_insurance_belongs_to_the_position_closed_last() -> None:
    """Not to one that was closed in the same millisecond before."""
    stage = Stage(balance=3000)
    for side in ("BUY", "SELL"):
        stage.order(side=side)
    stage.venue.margin_settings.set_leverage(BTC, 50)
    stage.order(quantity="0.5")
    stage.mark(stage.venue.desk.valuation.liquidation_price(BTC) - 1)
    first, last = stage.venue.report().positions
    assert first.insurance == 0 < last.insurance


def test_the_loss_of_a_liquidation_has_its_fee() -> None:
    """Also when asked in the same millisecond, and no position is told twice."""
    stage = Stage(balance=3000)
    stage.venue.margin_settings.set_leverage(BTC, 50)
    stage.order(quantity="0.5")
    stage.algo(quantity="0.5", triggerPrice="90000")
    stage.mark(stage.venue.desk.valuation.liquidation_price(BTC) - 1)
    lost = 3000 - float(stage.venue.account.wallet)
    for wait_ms in (0, 5):
        stage.wait(wait_ms)
        (position,) = stage.venue.report().positions
        assert position.planned_risk is not None
        assert position.loss_ratio == pytest.approx(lost / position.planned_risk)
        assert stage.venue.report().summary.closed == 1


def test_liquidations_are_counted() -> None:
    """A liquidated position is counted, and its leftover stop is an orphan."""
    stage = Stage(isolated=True)
    stage.venue.margin_settings.set_leverage("BTCUSDT", 100)
    stage.algo(triggerPrice="50000")
    stage.order(quantity="0.1")
    stage.drift(98_500)
    position, summary = judged(stage)
    assert (position.liquidated, position.exit, summary.liquidations) == (True, "liquidation", 1)
    assert (summary.orphans.now, summary.orphans.left_over_now) == (1, 1)
    assert summary.orphans.longest_s > 0
