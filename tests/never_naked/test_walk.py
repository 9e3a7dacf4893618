"""Positions and their entries, from literal journals."""

import pytest

from benchmarks.never_naked.walk import Event, Position, doubled, fills, positions, unrecorded
from tests.never_naked.journals import BTC, ETH, filled, sold


@pytest.mark.parametrize(
    ("events", "entries"),
    [
        ([filled(1, 1), filled(2, 1), filled(3, 2)], [[1, 2]]),
        ([filled(1, 1), sold(2, 2), filled(3, 3)], [[1], [3]]),
        ([filled(1, 1, "2"), sold(2, 2), filled(3, 3)], [[1, 3]]),
        ([filled(1, 1), sold(2, 2, "3")], [[1], [2]]),
        ([sold(1, 1), filled(2, 2)], [[1]]),
        ([filled(1, 1), filled(2, 2, symbol=ETH)], [[1], [2]]),
    ],
    ids=["grows", "opens-again", "after-a-part", "turns", "short", "two-symbols"],
)
def test_positions(events: list[Event], entries: list[list[int]]) -> None:
    """A position lasts from flat to flat, and counts each entry order once."""
    assert [position.entries for position in positions(events)] == entries


def test_fills_tell_the_position() -> None:
    """Before and after, in base units."""
    walked = [(float(fill.before), float(fill.after)) for fill in fills([filled(1, 1), sold(2, 2)])]
    assert walked == [(0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("recorded", "twice"),
    [
        (["1", "2"], []),
        (["2", "1"], ["2"]),
        (["2"], ["2"]),
        (["1"], []),
        ([], ["2"]),
    ],
    ids=["in-order", "settled-too-late", "never-settled", "second-lost", "both-lost"],
)
def test_doubled(recorded: list[str], twice: list[str]) -> None:
    """An entry is doubled if an earlier one of its position was not on record before it."""
    assert doubled([Position(BTC, [1, 2])], recorded) == twice


def test_each_unsettled_entry_doubles_one() -> None:
    """What follows the double is an entry of its own."""
    assert doubled([Position(BTC, [1, 2, 3])], ["2", "3"]) == ["2"]


def test_entries_of_different_positions_double_nothing() -> None:
    """An entry that was never recorded, and closed, does not make the next one a double."""
    found = [Position(BTC, [1]), Position(BTC, [2])]
    assert (doubled(found, ["2"]), unrecorded(found, ["2"])) == ([], ["1"])
