"""The arithmetic of naked seconds, on hand-written journals."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.verdict.coverage import Replay, replay

END_MS = 10_000


def fill(ms: int, signed: str, cause: str = "market") -> Event:
    """Return a fill of so many BTC at 100 USDT."""
    quantity = Decimal(signed)
    return Event(
        seq=0,
        ms=ms,
        kind=EventKind.ORDER_FILLED,
        symbol="BTCUSDT",
        side=Side.BUY if quantity > 0 else Side.SELL,
        order_id=ms,
        quantity=abs(quantity),
        price=Decimal(100),
        cause=cause,
        fee=Decimal("0.1"),
        realized=Decimal(0),
        margin=Decimal(10),
    )


def stop(
    ms: int,
    quantity: str | None,
    side: Side = Side.SELL,
    type_: str = "STOP_MARKET",
    *,
    number: int = 1,
    reduce_only: bool = True,
) -> Event:
    """Return the acceptance of a conditional order; no quantity means closePosition."""
    return Event(
        seq=0,
        ms=ms,
        kind=EventKind.STOP_ACCEPTED,
        symbol="BTCUSDT",
        side=side,
        type=type_,
        algo_id=number,
        client_id=f"stop-{number}",
        quantity=None if quantity is None else Decimal(quantity),
        reduce_only=reduce_only,
    )


def end(ms: int, kind: EventKind = EventKind.STOP_CANCELED, number: int = 1) -> Event:
    """Return the end of a conditional order."""
    return Event(seq=0, ms=ms, kind=kind, symbol="BTCUSDT", type="STOP_MARKET", algo_id=number)


def numbered(events: list[Event]) -> list[Event]:
    """Return the events with running numbers."""
    fields = Event.__dataclass_fields__
    return [
        Event(**{name: getattr(event, name) for name in fields} | {"seq": seq})
        for seq, event in enumerate(events)
    ]


TRIGGERED = EventKind.STOP_TRIGGERED
FINISHED = EventKind.STOP_FINISHED


@pytest.mark.parametrize(
    ("events", "naked_s", "lead_ms", "before"),
    [
        ([fill(1000, "1")], [9.0], [None], [False]),
        ([fill(1000, "1"), fill(3500, "-1")], [2.5], [None], [False]),
        ([fill(1000, "1"), stop(3000, "1")], [2.0], [-2000], [False]),
        ([stop(900, "1"), fill(1000, "1")], [0.0], [100], [True]),
        ([stop(1000, "1"), fill(1000, "1")], [0.0], [0], [True]),
        ([fill(1000, "1"), stop(1000, "1")], [0.0], [0], [False]),
        ([fill(1000, "1"), stop(1000, None)], [0.0], [0], [False]),
        ([stop(900, "0.999"), fill(1000, "1")], [9.0], [None], [False]),
        ([stop(900, "0.4"), fill(1000, "1"), stop(2500, "0.6", number=2)], [1.5], [-1500], [False]),
        ([stop(900, "1", Side.BUY), fill(1000, "1")], [9.0], [None], [False]),
        ([stop(900, "1", Side.BUY), fill(1000, "-1")], [0.0], [100], [True]),
        ([stop(900, "1", type_="TAKE_PROFIT_MARKET"), fill(1000, "1")], [9.0], [None], [False]),
        ([stop(900, "1", type_="TRAILING_STOP_MARKET"), fill(1000, "1")], [9.0], [None], [False]),
        ([stop(900, "1", reduce_only=False), fill(1000, "1")], [9.0], [None], [False]),
        ([stop(900, "1"), fill(1000, "1"), fill(4000, "1")], [6.0], [100], [True]),
        (
            [stop(900, "1"), fill(1000, "1"), end(4000), stop(4250, "1", number=2)],
            [0.25],
            [100],
            [True],
        ),
        (
            [stop(900, "1"), fill(1000, "1"), stop(4000, "1", number=2), end(4250)],
            [0.0],
            [100],
            [True],
        ),
        (
            [
                stop(900, "1"),
                fill(1000, "1"),
                end(4000, TRIGGERED),
                fill(4010, "-1", "stop"),
                end(4010, FINISHED),
            ],
            [0.0],
            [100],
            [True],
        ),
        (
            [
                stop(900, "1"),
                end(950, EventKind.STOP_REFUSED_AT_TRIGGER),
                fill(1000, "1"),
                fill(2000, "-1"),
            ],
            [1.0],
            [None],
            [False],
        ),
        (
            [stop(900, "2"), fill(1000, "2"), fill(2000, "-1"), fill(3000, "-1")],
            [0.0],
            [100],
            [True],
        ),
        (
            [fill(1000, "1"), fill(2000, "-1"), fill(2000, "-1")],
            [1.0, 8.0],
            [None, None],
            [False, False],
        ),
        ([fill(1000, "1"), fill(1000, "-1")], [0.0], [None], [False]),
        ([stop(900, "1"), fill(1000, "1"), fill(1000, "-1")], [0.0], [100], [True]),
    ],
    ids=[
        "never",
        "closed-naked",
        "late-stop",
        "stop-first",
        "same-ms-stop-first",
        "same-ms-fill-first",
        "close-position",
        "a-little-short",
        "two-stops",
        "wrong-side",
        "short",
        "take-profit-is-no-cover",
        "trailing-is-no-cover",
        "not-reducing",
        "second-entry",
        "break-before-make",
        "make-before-break",
        "executed-stop",
        "consumed-before-fill",
        "partial-exit",
        "turned",
        "instant-naked",
        "instant-covered",
    ],
)
def test_naked_seconds(
    events: list[Event], naked_s: list[float], lead_ms: list[int | None], before: list[bool]
) -> None:
    """Every sequence gives exactly its naked seconds, lead and order of stop and fill."""
    report = replay(numbered(events), END_MS)
    assert [p.naked_s for p in report.positions] == naked_s
    assert [p.stop_lead_ms for p in report.positions] == lead_ms
    assert [p.stop_live_before_entry for p in report.positions] == before


def test_summary_counts() -> None:
    """The summary adds up what the positions say."""
    events = numbered(
        [
            stop(0, "1"),
            fill(1000, "1"),
            fill(2000, "-1", "stop"),
            end(2000, FINISHED),
            fill(3000, "2"),
        ]
    )
    summary = replay(events, END_MS).summary
    assert (summary.closed, summary.open, summary.entries) == (1, 1, 2)
    assert summary.exits == {"stop": 1}
    assert (summary.naked_total_s, summary.naked_s.max) == (7.0, 7.0)
    assert (summary.stops.requested, summary.stops.accepted) == (1, 1)
    assert (summary.never_covered, summary.stops_live_before_entry) == (1, 1)
    assert summary.fees == pytest.approx(0.3)
    assert summary.orphan_s == 1.0


@pytest.mark.parametrize(
    ("events", "orphans", "orphan_s"),
    [
        ([stop(1000, "1")], [1], 9.0),
        ([stop(1000, "1"), fill(3000, "1")], [], 2.0),
        ([stop(1000, "1"), fill(3000, "-1")], [1], 9.0),
        ([stop(1000, "1"), fill(3000, "1"), fill(4000, "-1")], [1], 8.0),
        ([stop(1000, "1"), end(2000)], [], 1.0),
    ],
    ids=["no-position", "waiting", "wrong-side", "left-over", "cancelled"],
)
def test_orphans(events: list[Event], orphans: list[int], orphan_s: float) -> None:
    """A live reducing order without a position it could reduce is an orphan."""
    report = replay(numbered(events), END_MS)
    assert [orphan.algo_id for orphan in report.orphans] == orphans
    assert report.summary.orphan_s == orphan_s


@pytest.mark.parametrize("cut", range(1, 6))
def test_asking_in_between(cut: int) -> None:
    """A report asked for on the way changes nothing of the last one."""
    events = numbered(
        [stop(500, "1"), fill(1000, "1"), end(2000), stop(2500, "1", number=2), fill(4000, "-1")]
    )
    run = Replay()
    for event in events[:cut]:
        run.take(event)
    run.pass_time(events[cut - 1].ms + 100)
    run.report()
    for event in events[cut:]:
        run.take(event)
    run.pass_time(END_MS)
    assert run.report() == replay(events, END_MS)


def test_a_rest_shed_in_parts_is_closed_not_reduced() -> None:
    """Half covered, then closed in two fills of one millisecond: the close ended the gap."""
    events = [fill(1000, "2"), stop(1500, "1"), fill(2000, "-1"), fill(2000, "-1", "limit")]
    (position,) = replay(numbered(events), END_MS).positions
    (gap,) = position.gaps
    assert (gap.ended_by, gap.exit, gap.uncovered_qty) == ("position_closed", "limit", 2.0)


def test_a_stop_that_waited_and_is_left_over() -> None:
    """A position that came and went within a millisecond makes a waiting stop a leftover."""
    events = numbered([stop(1000, "1"), fill(3000, "1"), fill(3000, "-1")])
    report = replay(events, END_MS)
    counts = report.summary.orphans
    assert (counts.past, counts.left_over_past, counts.now, counts.left_over_now) == (1, 0, 1, 1)
    assert (counts.longest_s, report.orphans[0].since_ms) == (7.0, 3000)


def test_a_triggered_stop_whose_order_ends_early() -> None:
    """The position's rest is naked, and the stop did not fill."""
    released, expired = EventKind.STOP_RELEASED, EventKind.ORDER_EXPIRED
    events = [stop(900, "1"), fill(1000, "1"), end(4000, released), end(5000, expired)]
    report = replay(numbered([*events, end(5000, FINISHED)]), END_MS)
    stops = report.summary.stops
    assert (stops.filled, stops.unfilled, stops.working) == (0, 1, 0)
    assert [gap.cause for gap in report.positions[0].gaps] == ["stop_left_rest"]
    assert report.positions[0].naked_s == 6.0


def test_a_position_that_never_ends_takes_no_memory() -> None:
    """Gaps and marks are kept in detail only as far as a reader would look; sums stay whole."""
    events = [stop(900, "1"), fill(1000, "1")]
    for number in range(2, 500):
        ms = 1000 + number * 10
        events += [end(ms, number=number - 1), stop(ms + 5, "1", number=number)]
    (position,) = replay(numbered(events), END_MS).positions
    assert (len(position.gaps), len(position.marks)) == (100, 60)
    assert position.naked_by_cause["stop_canceled"].gaps == 498
    assert position.naked_s == pytest.approx(498 * 0.005)


def refusal(ms: int) -> Event:
    """Return the refusal of a stop."""
    kind = EventKind.STOP_REJECTED
    return Event(seq=0, ms=ms, kind=kind, symbol="BTCUSDT", type="STOP_MARKET", code=-2021)


@pytest.mark.parametrize(
    ("events", "gaps"),
    [
        (
            [fill(1000, "1"), refusal(1000), stop(1000, "1"), end(2000)],
            [("stop_canceled", {})],
        ),
        (
            [fill(1000, "1"), refusal(2000), stop(3000, "1"), end(3000)],
            [("opened_before_stop", {"-2021": 1})],
        ),
        (
            [fill(1000, "1"), refusal(2000), stop(3000, "1"), end(4000), refusal(4000)],
            [("opened_before_stop", {"-2021": 1}), ("stop_canceled", {"-2021": 1})],
        ),
        ([refusal(500), fill(1000, "1")], [("opened_before_stop", {})]),
    ],
    ids=["of-no-gap", "of-one-that-went-on", "of-each", "before"],
)
def test_refusals_belong_to_their_gap(
    events: list[Event], gaps: list[tuple[str, dict[str, int]]]
) -> None:
    """A refused stop counts in the gap it left open, and in no other."""
    (position,) = replay(numbered(events), END_MS).positions
    assert [(gap.cause, gap.refusals) for gap in position.gaps] == gaps
