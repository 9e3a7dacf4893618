"""Entries that somebody forces, and what the guard changed of entries."""

from threading import Thread

import pytest

from qt_protections.entry.entry_changes import EntryChanges
from qt_protections.entry.forced_entries import ForcedEntries
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.sizing import Headroom
from qt_protections.rules.stop_price import Distance, StopBound

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
FULL = deny(DenyCode.SYMBOL_FULL, "Already at max 2", limit=2)


def in_another_thread(forced: ForcedEntries, tag: str | None) -> bool:
    """Return whether an entry that another thread asks for is forced."""
    heard: list[bool] = []
    thread = Thread(target=lambda: heard.append(forced.is_forced(tag)))
    thread.start()
    thread.join()
    return heard[0]


@pytest.mark.parametrize("tag", [None, "mine"])
def test_a_forced_entry_is_told_by_its_tag_or_its_thread(tag: str | None) -> None:
    """Remote control asks in threads of its own, whatever tag it gives."""
    forced = ForcedEntries(live=True)
    assert not forced.is_forced(tag)
    assert forced.is_forced("force_entry")
    assert in_another_thread(forced, tag)


def test_the_thread_of_the_loop_is_noted_with_each_loop() -> None:
    """A bot's loop may begin in another thread than the one that starts the bot."""
    forced = ForcedEntries(live=True)
    thread = Thread(target=forced.loop_begins)
    thread.start()
    thread.join()
    assert forced.is_forced(None)
    forced.loop_begins()
    assert not forced.is_forced(None)


def test_nobody_forces_the_entries_of_a_backtest() -> None:
    """A strategy may give its entries any tag."""
    forced = ForcedEntries(live=False)
    assert not forced.is_forced("force_entry")
    assert not in_another_thread(forced, None)


def test_the_refusal_of_a_forced_entry_waits_once() -> None:
    """The refusal of any other entry ends the entry at once."""
    forced = ForcedEntries(live=True)
    assert not forced.goes_on(BTC, None, FULL)
    assert forced.take(BTC) is None
    assert forced.goes_on(BTC, "force_entry", FULL)
    assert (forced.take(ETH), forced.take(BTC), forced.take(BTC)) == (None, FULL, None)


def allowance(bound: StopBound | None) -> ApprovedEntry:
    """Return an entry whose size the open risk limits, and whose stop a setting may move."""
    room = Headroom(10.0, DenyCode.OPEN_RISK_FULL, ())
    planned = Distance(0.02, 0.03, bound)
    return ApprovedEntry(EntryRequest(BTC, False, 100.0, 5.0), 100.0, 98.0, 1.0, room, (), planned)


@pytest.mark.parametrize("is_cut", [True, False])
@pytest.mark.parametrize("bound", [None, StopBound.MAX_STOP])
def test_changes_are_counted_with_the_entry_that_goes_out(
    is_cut: bool, bound: StopBound | None
) -> None:
    """And with no other: what is noted of a pair is counted once."""
    log = OperatorLog()
    changes = EntryChanges(log)
    changes.note(allowance(bound), is_cut=is_cut)
    changes.count(ETH, is_short=True, is_new=True)
    assert (log.tally.cut, log.tally.clamped) == ({}, {})
    for _ in range(2):
        changes.count(BTC, is_short=False, is_new=False)
    assert log.tally.cut == ({"max_open_risk": 1} if is_cut else {})
    assert log.tally.clamped == ({} if bound is None else {bound.value: 1})
    assert (log.tally.allowed, log.tally.further) == ({"long": 2, "short": 1}, 2)
