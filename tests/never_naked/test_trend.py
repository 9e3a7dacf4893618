"""Slopes and counts of literal series."""

import random

import pytest

from benchmarks.never_naked.trend import grows, slope


def test_a_straight_line_has_no_uncertainty() -> None:
    """Its slope is exact."""
    line = slope([0, 1, 2, 3], [5, 7, 9, 11])
    assert line is not None
    assert line.value == pytest.approx(2)
    assert line.uncertainty == pytest.approx(0)


def test_a_level_has_no_slope() -> None:
    """Not even a division by nothing."""
    assert slope([0, 1, 2], [4, 4, 4]) == pytest.approx((0, 0))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_points_tell_nothing(count: int) -> None:
    """A line through two points fits always."""
    assert slope(range(count), range(count)) is None


def test_the_uncertainty_holds_the_truth() -> None:
    """Of 200 noisy lines of slope 0.5, about 95 % are within it."""
    chance = random.Random(1)  # noqa: S311  no secrets
    x = list(range(60))
    lines = [slope(x, [0.5 * i + chance.gauss(0, 3) for i in x]) for _ in range(200)]
    within = sum(abs(line.value - 0.5) <= line.uncertainty for line in lines if line is not None)
    assert 180 <= within <= 200


def test_neighbours_that_say_the_same_tell_less() -> None:
    """A series whose every sample comes ten times is as uncertain as that of each once."""
    chance = random.Random(2)  # noqa: S311  no secrets
    noise = [chance.gauss(0, 3) for _ in range(30)]
    once = slope(range(30), noise)
    tenfold = slope([i / 10 for i in range(300)], [noise[i // 10] for i in range(300)])
    assert once is not None
    assert tenfold is not None
    assert tenfold.uncertainty == pytest.approx(once.uncertainty, rel=0.35)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([5, 5, 5, 5], False),
        ([5, 6, 7, 8], True),
        ([5, 7, 6, 5, 6, 7, 5, 7], False),
        ([5, 9, 6, 6, 8, 9, 9, 9], False),
        ([5, 6, 7, 9, 9, 9, 9, 9], True),
        ([9, 9, 5, 5], False),
        ([5, 9], False),
    ],
    ids=["flat", "each-time", "up-and-down", "no-higher-than-once", "for-good", "falls", "few"],
)
def test_growth_of_a_count(counts: list[int], expected: bool) -> None:
    """The last quarter lies above all of the first."""
    assert grows(counts) is expected
