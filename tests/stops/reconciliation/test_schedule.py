"""Each list is asked for as often as what is heard leaves to find, and no more."""

from itertools import pairwise

import pytest

from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.venue.protocol import Rank
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC
from tests.stops.reconciliation.scenes import held

COMPARED = {"positions", "open_stops", "quotes"}


def in_a_trade(minutes: Minutes) -> None:
    """Enter, and live on until a list lacks nothing any more that was not heard."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(40.0, 5.0)


@pytest.mark.parametrize(
    ("is_heard", "times"), [(True, 2), (False, 12)], ids=["heard", "not heard"]
)
def test_positions(minutes: Minutes, is_heard: bool, times: int) -> None:
    """Every 30 s while events come, with each loop of 5 s while they do not."""
    in_a_trade(minutes)
    minutes.bot.monitor.connect(is_heard)
    assert minutes.live(60.0, 5.0)["positions"] == times


def test_positions_after_a_gap(minutes: Minutes) -> None:
    """For 25 s a list may lack what nobody heard."""
    in_a_trade(minutes)
    minutes.bot.monitor.connect(False)
    minutes.live(2.0, 5.0)
    minutes.bot.monitor.connect(True)
    assert minutes.live(25.0, 5.0)["positions"] >= 4
    minutes.live(30.0, 5.0)
    assert minutes.live(60.0, 5.0)["positions"] == 2


def test_positions_after_a_fill(minutes: Minutes) -> None:
    """Soon: the list has to show it."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 1.0)
    assert minutes.live(6.0, 5.0)["positions"] == 1


def test_positions_while_a_deleted_trade_waits_for_proof(minutes: Minutes) -> None:
    """With each loop: the proof is made of lists."""
    in_a_trade(minutes)
    minutes.paper.views["positions"] = lambda _: {}
    minutes.bot.forget(BTC)
    minutes.live(3.0, 5.0)
    assert minutes.live(20.0, 2.5)["positions"] >= 6


def test_positions_while_an_earlier_run_s_stop_waits_for_proof(minutes: Minutes) -> None:
    """As above."""
    minutes.bot.end()
    name = minutes.bot.stops._books._entries._cover.manager.namer.new(Role.STOP, BTC)
    minutes.paper.stray_stop(BTC, 1.0, 95.0, name)
    minutes.restart()
    minutes.live(40.0, 5.0)
    assert held(minutes).inherited
    assert minutes.live(20.0, 2.5)["positions"] >= 6


def test_all_stops(minutes: Minutes) -> None:
    """After 15, 45, 135 s and so on: the first list may have lacked one of an earlier run."""
    minutes.bot.enter(BTC, 1.0)
    asked: list[float] = []
    began = minutes._clock.now
    listed = minutes.paper.open_stops

    def open_stops(pair: str | None = None) -> list[dict[str, object]]:
        if pair is None:
            asked.append(minutes._clock.now - began)
        return listed(pair)

    minutes.paper.open_stops = open_stops  # type: ignore[method-assign]
    minutes.live(230.0, 5.0)
    pauses = [round(b - a) for a, b in pairwise(asked)]
    assert pauses == [45, 135]


def test_all_stops_while_nobody_looks_at_each_pair(minutes: Minutes) -> None:
    """With each loop of 5 s: the thread that looks in between hangs."""
    in_a_trade(minutes)
    minutes.bot.monitor._is_stopped = True
    minutes.live(6.0, 5.0)
    asked = minutes.live(30.0, 5.0)
    assert asked["open_stops"] == 6


def test_nothing_is_asked_for_without_room(minutes: Minutes) -> None:
    """Near the limit what is left is for what protects."""
    in_a_trade(minutes)
    minutes.paper.has_room = lambda rank: rank < Rank.COMPARE  # type: ignore[method-assign]
    minutes.bot.monitor.connect(False)
    assert not COMPARED & minutes.live(60.0, 5.0).keys()


def test_an_idle_bot_asks_for_positions_alone(minutes: Minutes) -> None:
    """No pair has a stop."""
    minutes.live(40.0, 5.0)
    asked = minutes.live(60.0, 5.0)
    assert asked["positions"] == 2
    assert asked["quotes"] == asked["open_stops of a pair"] == 0
