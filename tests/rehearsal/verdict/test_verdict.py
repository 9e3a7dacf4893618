"""The verdict, against the slow one; and its facts on a real exchange."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.verdict.coverage import Replay, replay
from tests.rehearsal.histories import HISTORIES, PLAIN_ENDS, TYPES, moments, runs, state_after

CAUSES = {
    EventKind.STOP_CANCELED: "stop_canceled",
    EventKind.STOP_WITHDRAWN: "stop_withdrawn",
    EventKind.STOP_EXPIRED: "stop_expired",
    EventKind.STOP_REFUSED_AT_TRIGGER: "stop_refused_at_trigger",
    EventKind.STOP_RELEASED: "stop_left_rest",
}


def end_ms(events: list[Event]) -> int:
    """Return a moment after all events."""
    return 1_100 + len(events) * 3


def turns(events: list[Event], number: int, ms: int) -> list[tuple[Event, bool]]:
    """Return the events of a millisecond that changed whether a position was naked, and to what."""
    found = []
    for count, event in enumerate(events):
        if event.ms == ms:
            before, after = (
                state_after(events[: count + more]).uncovered(number) > 0 for more in (0, 1)
            )
            if before is not after:
                found.append((event, after))
    return found


@settings(deadline=None)
@given(HISTORIES)
def test_gaps_are_those_of_the_slow_verdict(events: list[Event]) -> None:
    """Start, end, size, cause and end of every naked gap, whatever happened."""
    now_ms = end_ms(events)
    spans = [
        (number, since_ms, until_ms, size)
        for since_ms, until_ms, state in moments(events, now_ms)
        for number, _ in state.positions.values()
        if (size := state.uncovered(number))
    ]
    report = replay(events, now_ms)
    found = [(p.number, gap) for p in report.positions for gap in p.gaps]
    expected = sorted(runs(spans))
    assert sorted(
        (number, gap.start_ms, gap.end_ms or now_ms, gap.uncovered_qty) for number, gap in found
    ) == [(*run[:3], float(run[3])) for run in expected]
    for number, gap in found:
        began = [event for event, naked in turns(events, number, gap.start_ms) if naked][-1]
        opened_ms = next(p.opened_ms for p in report.positions if p.number == number)
        by_fill = "opened_before_stop" if began.ms == opened_ms else "grew_beyond_stop"
        assert gap.cause == CAUSES.get(began.kind, by_fill)
        if gap.end_ms is not None:
            ended = turns(events, number, gap.end_ms)[-1][0]
            closed_ms = next(p.closed_ms for p in report.positions if p.number == number)
            by_size = "position_closed" if closed_ms == gap.end_ms else "position_reduced"
            accepted = ended.kind is EventKind.STOP_ACCEPTED
            assert gap.ended_by == ("stop_accepted" if accepted else by_size)
            assert (gap.exit is not None) is (gap.ended_by == "position_closed")
        last = len(events) if gap.end_ms is None else ended.seq
        assert gap.refusals == Counter(
            str(event.code)
            for event in events[began.seq : last]
            if event.kind is EventKind.STOP_REJECTED
            and event.type in TYPES[:2]
            and event.symbol == began.symbol
            and state_after(events[: event.seq]).uncovered(number)
        )
    seconds = Counter({run[0]: 0 for run in expected})
    for number, since_ms, until_ms, _ in expected:
        seconds[number] += until_ms - since_ms
    assert {p.number: p.naked_s for p in report.positions if p.naked_s} == {
        number: ms / 1000 for number, ms in seconds.items()
    }
    assert report.summary.naked_now == sum(run[2] == now_ms for run in expected)
    totals = report.summary.naked_by_cause
    assert {c: t.gaps for c, t in totals.items()} == Counter(gap.cause for _, gap in found)


@settings(deadline=None)
@given(HISTORIES)
def test_orphans_are_those_of_the_slow_verdict(events: list[Event]) -> None:
    """Present and past, waiting and left over."""
    now_ms = end_ms(events)
    spans = [
        ((number, left_over), since_ms, until_ms, Decimal(1))
        for since_ms, until_ms, state in moments(events, now_ms)
        for number, left_over in state.orphans().items()
    ]
    report, expected = replay(events, now_ms), runs(spans)
    counts = report.summary.orphans
    assert report.summary.orphan_s == sum(run[2] - run[1] for run in expected) / 1000
    present = [run for run in expected if run[2] == now_ms]
    assert {(o.algo_id, o.left_over): o.since_ms for o in report.orphans} == {
        run[0]: run[1] for run in present
    }
    assert (counts.now, counts.left_over_now) == (
        len(present),
        sum(run[0][1] for run in present),
    )
    assert (counts.past, counts.left_over_past) == (
        len(expected) - len(present),
        sum(run[0][1] for run in expected if run[2] < now_ms),
    )
    assert counts.longest_s == max((run[2] - run[1] for run in expected), default=0) / 1000
    left_over_ms = [run[2] - run[1] for run in expected if run[0][1]]
    assert counts.left_over_longest_s == max(left_over_ms, default=0) / 1000


@settings(deadline=None)
@given(HISTORIES)
def test_stops_by_outcome(events: list[Event]) -> None:
    """Every accepted stop is in one outcome."""
    stops = replay(events, end_ms(events)).summary.stops
    kinds = Counter(event.kind for event in events if event.type in TYPES[:2])
    rests = {event.algo_id for event in events if event.kind is EventKind.ORDER_EXPIRED}
    finished = [
        event.algo_id in rests
        for event in events
        if event.kind is EventKind.STOP_FINISHED and event.type in TYPES[:2]
    ]
    released = kinds[EventKind.STOP_RELEASED]
    assert (stops.canceled, stops.withdrawn, stops.expired, stops.rejected_at_trigger) == tuple(
        kinds[kind] for kind in PLAIN_ENDS
    )
    assert (stops.filled, stops.unfilled) == (finished.count(False), finished.count(True))
    assert stops.working == released - len(finished)
    assert (
        stops.accepted
        == kinds[EventKind.STOP_ACCEPTED]
        == sum((stops.canceled, stops.withdrawn, stops.expired, stops.rejected_at_trigger))
        + sum((stops.filled, stops.unfilled, stops.working, stops.live))
    )
    assert stops.rejected == kinds[EventKind.STOP_REJECTED] == sum(stops.rejections.values())


@settings(deadline=None)
@given(HISTORIES)
def test_risk_and_slippage(events: list[Event]) -> None:
    """Planned risk and slippage follow from the fills and the stop that first covered."""
    now_ms = end_ms(events)
    accepted = {e.algo_id: e for e in events if e.kind is EventKind.STOP_ACCEPTED}
    covers: dict[int, Event] = {}
    fills: dict[int, list[Event]] = {}
    for count, (event, following) in enumerate(pairwise([*events, None]), 1):
        before, after = state_after(events[: count - 1]), state_after(events[:count])
        assert event is not None
        if event.kind is EventKind.ORDER_FILLED:
            state = after if event.symbol in after.positions else before
            fills.setdefault(state.positions[event.symbol][0], []).append(event)
        for symbol, (number, signed) in after.positions.items():
            closing = (
                following is not None
                and following.kind is EventKind.ORDER_FILLED
                and following.symbol == symbol
                and (following.side == "BUY") is (signed < 0)
            )
            settled = following is None or following.ms > event.ms
            stop = after.completing(number)
            if stop is not None and (settled or closing):
                covers.setdefault(number, stop)
    for position in replay(events, now_ms).positions:
        own, cover = fills[position.number], covers.get(position.number)
        assert position.stop_lead_ms == (None if cover is None else position.opened_ms - cover.ms)
        planned = None
        if cover is not None and cover.price is not None:
            entry, trigger = position.entry_price, float(cover.price)
            planned = position.qty_max * (abs(entry - trigger) + 0.0005 * (entry + trigger))
        assert position.planned_risk == pytest.approx(planned)
        loss = position.fees - position.realized_pnl
        if position.closed_ms is not None and planned and loss > 0:
            assert position.loss_ratio == pytest.approx(loss / planned)
        else:
            assert position.loss_ratio is None
        closing_sign = -1 if position.side == "LONG" else 1
        stopped = [
            (float(fill.quantity or 0), float(fill.price or 0), float(trigger))
            for fill in own
            if (stop := accepted.get(fill.algo_id)) is not None
            and (trigger := stop.price) is not None
            and stop.type in TYPES[:2]
            and (fill.side == "SELL") is (closing_sign < 0)
        ]
        cost = sum((price - trigger) * size * closing_sign for size, price, trigger in stopped)
        assert position.stop_slippage == (pytest.approx(cost) if stopped else None)


@settings(deadline=None)
@given(HISTORIES)
def test_older_positions_live_on_in_the_summary(events: list[Event]) -> None:
    """The summary does not depend on how many positions are kept in detail."""
    run = Replay(keep=1)
    for event in events:
        run.take(event)
    run.pass_time(end_ms(events))
    whole = replay(events, end_ms(events))
    assert run.summary() == whole.summary
    assert len([p for p in run.positions() if p.closed_ms is not None]) <= 1
    naked_s = [p.naked_s for p in whole.positions]
    assert whole.summary.naked_total_s == pytest.approx(sum(naked_s))
    spread = whole.summary.naked_s
    assert spread.max == max(naked_s, default=0)
    if naked_s:
        quantiles = np.percentile(naked_s, [50, 95, 99])
        assert [spread.p50, spread.p95, spread.p99] == pytest.approx(quantiles, abs=0.001)
    losers = [p for p in whole.positions if p.closed_ms is not None and p.fees > p.realized_pnl]
    ratios = [p.loss_ratio for p in losers if p.loss_ratio is not None]
    losses = whole.summary.losses
    assert (losses.planned, losses.unplanned) == (len(ratios), len(losers) - len(ratios))
    assert losses.worst_ratio == max(ratios, default=0)
    assert losses.exceeding == sum(ratio > 1.25 for ratio in ratios)


@settings(deadline=None)
@given(HISTORIES)
def test_asking_changes_nothing(events: list[Event]) -> None:
    """A report after every event leaves the last one as it is."""
    run = Replay()
    for event in events:
        run.take(event)
        run.report()
    run.pass_time(end_ms(events))
    assert run.report() == replay(events, end_ms(events))
