"""What a guard writes down of itself, and what becomes of it on disk."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qt_protections.reporting.operator_log import OperatorLog, Refused
from qt_protections.reporting.status import Known, snapshot
from qt_protections.reporting.status_file import (
    Snapshot,
    StatusFile,
    Unreadable,
    as_json,
    read,
    status_path,
)
from qt_protections.rules.denial import DenyCode, deny
from qt_protections.rules.exposure import Costs, Exposure
from qt_protections.rules.regime import UNKNOWN_TREND, Regime, Trend
from qt_protections.rules.sizing import Limits, RiskBudget
from tests.reporting import statuses
from tests.reporting.statuses import BOT, NOW

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
FREE = Costs(0.0, 0.0)


def known() -> Known:
    """Return 10,000 with two positions, one by another hand, that lose 100 and 50."""
    return Known(
        regime_of=(BTC, "4h"),
        trend=Trend(Regime.UPTREND, 0.05, NOW - timedelta(minutes=30)),
        currency="USDT",
        equity=10_000,
        exposures=[
            Exposure(BTC, is_short=False, amount=2, entry=1_000, stop=950, entries=2),
            Exposure(ETH, is_short=True, amount=5, entry=100, stop=110, is_foreign=True),
        ],
        limits=Limits(75, 300, None),
        costs_of=lambda _: FREE,
        stop_state={BTC: "live", ETH: "in doubt"}.__getitem__,
        refused=[],
    )


def test_every_position_with_what_it_risks() -> None:
    """In money and in shares of the equity, whoever opened it."""
    seen = snapshot(known(), BOT, NOW)
    mine, foreign = seen.positions
    assert (mine.pair, mine.side, mine.entries, mine.is_foreign) == (BTC, "long", 2, False)
    assert (mine.risk.amount, mine.risk.pct_of_equity, mine.stop_state) == (100, 1, "live")
    assert (foreign.side, foreign.risk.amount, foreign.is_foreign) == ("short", 50, True)
    assert foreign.stop_state == "in doubt"
    assert (seen.risk.open.amount, seen.risk.open.pct_of_equity) == (150, 1.5)
    assert (seen.risk.max_open.amount, seen.risk.max_open.pct_of_equity) == (300, 3)
    assert seen.risk.max_group is None


def test_limits_shrink_with_what_is_taken_of_the_equity() -> None:
    """They are the sizer's own, whichever equity they are shares of."""
    budget = RiskBudget(0.01, 0.03, 0.02, less_open_risk=True)
    seen = snapshot(replace(known(), limits=budget.limits(10_000, 150)), BOT, NOW)
    assert seen.risk.max_open.amount == pytest.approx(295.5)
    assert seen.risk.max_group is not None
    assert seen.risk.max_group.amount == pytest.approx(197)


def test_what_is_unknown_is_none() -> None:
    """JSON has no other word for it."""
    seen = snapshot(replace(known(), trend=UNKNOWN_TREND, equity=0.0), BOT, NOW)
    assert (seen.regime.distance, seen.regime.closed_at) == (None, None)
    assert seen.risk.open.pct_of_equity is None


def test_refusals_as_they_were_said() -> None:
    """The newest first, in words and facts, and counted once a candle."""
    said = OperatorLog()
    full = deny(DenyCode.SYMBOL_FULL, "Already at max 2", limit=2)
    locked = deny(DenyCode.PAIR_LOCKED, "locked", until=NOW, reason="by hand", lock_id=7)
    for candle in range(3):
        said.new_candle(NOW + timedelta(minutes=candle))
        said.refusal(BTC, full)
        said.refusal(BTC, full)
    said.refusal(ETH, full)
    said.new_candle(NOW + timedelta(minutes=3))
    said.refusal(ETH, locked)
    seen = snapshot(replace(known(), refused=said.refused.values()), BOT, NOW)
    assert [(r.pair, r.code, r.count) for r in seen.refusals] == [
        (ETH, "pair_locked", 1),
        (BTC, "symbol_full", 3),
        (ETH, "symbol_full", 1),
    ]
    assert seen.refusals[0].facts == {"until": NOW.isoformat(), "reason": "by hand", "lock_id": 7}
    assert seen.refusals[0].text == locked.text
    assert seen.totals == {"symbol_full": 4, "pair_locked": 1}


def test_facts_are_what_json_can_tell() -> None:
    """Numbers stay numbers, what is none is null, and anything else is text."""
    facts = {"gate": "x", "error": ValueError("y"), "nan": float("nan"), "yes": True, "one": 1.5}
    refused = Refused(BTC, deny(DenyCode.GATE_FAILED, "x failed", **facts), None, 1)
    (seen,) = snapshot(replace(known(), refused=[refused]), BOT, NOW).refusals
    assert seen.facts == {**facts, "error": "y", "nan": None}
    assert json.loads(json.dumps(seen.facts)) == seen.facts
    assert seen.at is None


def written(folder: Path, content: Snapshot) -> Path:
    """Write a snapshot, and return where."""
    path = status_path(folder, content.bot.id)
    StatusFile(path).write(lambda: content)
    return path


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Whole, with times in UTC, and nothing beside it."""
    content = statuses.snapshot(statuses.position(), refusals=(statuses.refusal(BTC),))
    path = written(tmp_path, content)
    assert path == tmp_path / "qt_guard" / "status-ab12.json"
    assert read(path) == content
    assert json.loads(path.read_text())["written_at"] == "2026-01-02T12:00:30Z"
    later = replace(content, written_at=datetime(2026, 1, 3, tzinfo=UTC))
    assert read(written(tmp_path, later)) == later
    assert list(path.parent.iterdir()) == [path]


def test_what_watches_is_told_and_may_be_missing(tmp_path: Path) -> None:
    """A file of a version that did not tell is read; so is one of a version that tells more."""
    watch = statuses.watch(stream="mute")
    told = snapshot(replace(known(), watch=watch), BOT, NOW)
    assert told.watch == watch
    path = written(tmp_path, told)
    assert read(path).watch == watch
    content = json.loads(path.read_text())
    assert content["watch"]["stream"] == {"state": "mute", "since": "2026-01-02T11:55:30Z"}
    del content["watch"]
    path.write_text(json.dumps(content | {"of a later version": 1}))
    assert read(path) == replace(told, watch=None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Invalid JSON"),
        (as_json(statuses.snapshot())[:-20], "Invalid JSON"),
        (b"[]", "Input should be an object"),
        (as_json(statuses.snapshot()).replace(b'"equity"', b'"capital"'), "risk.equity: Field req"),
    ],
    ids=["empty", "cut", "a-list", "another-version"],
)
def test_a_broken_file_says_where(tmp_path: Path, content: bytes, why: str) -> None:
    """It is not taken for a snapshot."""
    path = tmp_path / "status.json"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=why):
        read(path)


def test_a_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And again only after it worked in between."""
    status = StatusFile(status_path(tmp_path, "ab12"))
    in_the_way = tmp_path / "qt_guard"
    for _ in range(2):
        in_the_way.write_text("a file where the folder should be")
        for _ in range(3):
            status.write(statuses.snapshot)
        in_the_way.unlink()
        status.write(statuses.snapshot)
        (in_the_way / "status-ab12.json").unlink()
        in_the_way.rmdir()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all("qt-guard status is out of date" in line for line in said)


def test_an_error_in_the_making_is_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends there; the last snapshot stays as it was."""
    path = written(tmp_path, statuses.snapshot())

    def make() -> Snapshot:
        raise KeyError("forced by a test")

    StatusFile(path).write(make)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info
    assert read(path) == statuses.snapshot()
