"""A trade that the exchange holds nothing of, and that no order closed, ends in the books."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from freqtrade.persistence import Trade

from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes

PAIR = "C0/USDT:USDT"


@pytest.fixture
def phantom(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot with a trade whose position has never been there, so to speak."""
    with quiet(tmp_path):
        made = Minutes(tmp_path, clock)
        made.hold(1)
        made.paper.size[PAIR] = made.paper.own[PAIR] = 0.0
        made.paper.own[PAIR] = 0.0
        yield made


def fire(minutes: Minutes) -> None:
    """Let the stop trigger: the engine finds nothing to reduce."""
    minutes.paper.trigger(minutes.paper.live(PAIR)[-1]["id"])
    minutes.live(10.0, 5.0)


def test_it_ends_once_the_engine_has_said_so_too(phantom: Minutes) -> None:
    """Two lists, no order, and two refusals to reduce: its stops go, and the pair is free."""
    fire(phantom)
    fire(phantom)
    (trade,) = Trade.get_open_trades()
    phantom.live(240.0, 5.0)
    assert Trade.get_open_trades() == []
    assert phantom.paper.live() == []
    assert trade.exit_reason == "sold_on_exchange"
    assert trade.close_rate == trade.open_rate


def test_lists_alone_end_no_trade(phantom: Minutes) -> None:
    """They have come back empty, and stayed so."""
    phantom.live(900.0, 5.0)
    assert len(Trade.get_open_trades()) == 1
    assert len(phantom.paper.live()) == 1


def test_refusals_of_a_position_that_is_there_end_nothing(tmp_path: Path, clock: HandClock) -> None:
    """A list that shows the position makes them forgotten."""
    with quiet(tmp_path):
        minutes = Minutes(tmp_path, clock)
        minutes.hold(1)
        held = minutes.bot.stops._book.of(PAIR)
        for _ in range(3):
            held.trouble.denied += 1
        minutes.live(300.0, 5.0)
        assert held.trouble.denied == 0
        assert len(Trade.get_open_trades()) == 1
        assert len(minutes.paper.live()) == 1
