"""The account's positions against the trades: what differs is waited for, explained, and booked."""

from functools import partial

import pytest
from freqtrade.persistence import Trade

from qt_protections.stops.state.client_ids import Role
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.reconciliation.scenes import (
    PROVEN_S,
    entries,
    held,
    is_blameless,
    killed_after,
    stops,
    the_trade,
    unheard,
)


def in_a_trade(minutes: Minutes, amount: float = 2.0) -> None:
    """Enter, and let everything be known of that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(12.0, 5.0)


def closed_unheard(minutes: Minutes, amount: float) -> None:
    """Let another hand close so much of a long, without an event of it."""
    unheard(minutes, partial(minutes.paper.by_hand, BTC, -amount))


# Less than the trade has


def test_a_part_that_others_closed_unheard_is_booked(minutes: Minutes) -> None:
    """The trade ends as large as the position, and its stop with it."""
    in_a_trade(minutes)
    closed_unheard(minutes, 0.5)
    minutes.live(60.0, 5.0)
    assert the_trade().amount == 1.5
    assert minutes.paper.is_covered(BTC)
    assert held(minutes).own == 1.5
    assert is_blameless(minutes)


def test_what_a_list_lacks_for_a_moment_is_not_booked(minutes: Minutes) -> None:
    """Lists lag: a fill may take its time to show."""
    in_a_trade(minutes)
    shown = minutes.paper.held()
    minutes.paper.views["positions"] = lambda _: shown
    minutes.bot.enter(BTC, 1.0)
    minutes.live(9.0, 1.0)
    minutes.paper.views.clear()
    assert minutes.live(30.0, 5.0)["orders_since"] == 0
    assert the_trade().amount == 3.0


def test_a_list_alone_closes_no_part(minutes: Minutes) -> None:
    """No order explains that less is there."""
    in_a_trade(minutes)
    half = minutes.paper.held()
    minutes.paper.by_hand(BTC, 1.0)
    minutes.paper.by_hand(BTC, -1.0)
    minutes.live(10.0, 5.0)
    smaller = {pair: type(p)(pair, p.is_short, 1.0, 100.0, 10.0) for pair, p in half.items()}
    minutes.paper.views["positions"] = lambda _: smaller
    minutes.live(60.0, 5.0)
    assert the_trade().amount == 2.0
    assert minutes.paper.is_covered(BTC)


def test_while_entries_cannot_be_asked_for_no_part_is_booked(minutes: Minutes) -> None:
    """What an entry has filled hides what is missing."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    minutes.paper.failing["find_order"] = LOST
    closed_unheard(minutes, 0.5)
    minutes.live(40.0, 5.0)
    assert held(minutes).base == 2.0
    minutes.paper.failing.clear()
    minutes.live(40.0, 5.0)
    assert held(minutes).base == 1.5


# Nothing of what the trade has


def test_a_position_that_others_closed_unheard_ends_its_trade(minutes: Minutes) -> None:
    """By their order; its stop goes, and the pair is free."""
    in_a_trade(minutes)
    closed_unheard(minutes, 2.0)
    minutes.live(60.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert (trade.is_open, trade.exit_reason) == (False, "sold_on_exchange")
    assert stops(minutes) == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_a_position_that_no_order_closed_keeps_its_stop(
    minutes: Minutes, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said, once each time that the list begins not to show it."""
    text = "does not show the position of BTCUSDT, and knows no order that closed it"
    in_a_trade(minutes)
    for times in (1, 2):
        minutes.paper.views["positions"] = lambda _: {}
        minutes.live(PROVEN_S, 5.0)
        assert caplog.text.count(text) == times
        minutes.paper.views.clear()
        minutes.live(40.0, 5.0)
    assert stops(minutes) == [(2.0, 95.0)]
    assert the_trade().amount == 2.0


def test_one_pair_s_trouble_is_no_other_s(
    minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails for one is said; the other's close is booked."""
    in_a_trade(minutes)
    minutes.bot.enter(ETH, 1.0)
    minutes.live(40.0, 5.0)
    broken = held(minutes, ETH)
    monkeypatch.setattr(
        type(minutes.bot.stops._books._comparison._positions._recovery),
        "recover_unseen",
        lambda _self, each, _trade: 1 / 0 if each is broken else None,
    )
    closed_unheard(minutes, 2.0)
    minutes.live(60.0, 5.0)
    assert [trade.pair for trade in Trade.get_open_trades()] == [ETH]
    assert minutes.paper.is_covered(ETH)


# More than the trade has


def test_what_is_shown_beyond_a_trade_keeps_every_stop_at_first(minutes: Minutes) -> None:
    """Until it is certain whose that is, nothing that may cover it goes."""
    in_a_trade(minutes)
    namer = minutes.bot.stops._books._entries._cover.manager.namer
    minutes.paper.stray_stop(BTC, 3.0, 95.0, namer.new(Role.STOP, BTC))
    unheard(minutes, partial(minutes.paper.by_hand, BTC, 1.0))
    minutes.bot.stops._books._watch.filled = minutes._clock.now  # so that the list is due
    minutes.live(2.0, 1.0)
    assert held(minutes).more_shown
    assert minutes.paper.is_covered(BTC)
    minutes.live(40.0, 5.0)
    assert not held(minutes).more_shown
    assert minutes.paper.is_covered(BTC)


def test_what_an_entry_filled_unheard_is_no_stranger_s(minutes: Minutes) -> None:
    """It is asked for before anything is called surplus."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    unheard(minutes, partial(minutes.paper.fill, entries(minutes)[-1]["id"], 1.0))
    minutes.live(60.0, 5.0)
    assert held(minutes).external.position is None
    assert the_trade().amount == 3.0


# At a start


def test_positions_keep_the_cover_they_have_until_all_is_known(minutes: Minutes) -> None:
    """Trades take their stops over, strangers' positions get one."""
    in_a_trade(minutes)
    minutes.bot.end()
    minutes.paper.by_hand(ETH, 1.0)
    placed = minutes.paper.sent("place_stop")
    minutes.restart()
    assert stops(minutes) == [(2.0, 95.0)]
    assert stops(minutes, ETH) == [(1.0, 95.0)]
    assert minutes.paper.sent("place_stop") == placed + 1


def test_a_stop_that_fired_while_no_bot_ran_ends_its_trade(minutes: Minutes) -> None:
    """The position is not shown, and the stop tells why."""
    in_a_trade(minutes)
    minutes.bot.end()
    minutes.paper.trigger(minutes.paper.live(BTC)[0]["id"])
    minutes.restart()
    minutes.live(10.0, 5.0)
    (trade,) = Trade.get_trades().all()
    assert (trade.is_open, trade.exit_reason) == (False, "stoploss_on_exchange")


def test_a_first_look_that_fails_leaves_every_stop(minutes: Minutes) -> None:
    """It is done again with the next loop, from the beginning."""
    in_a_trade(minutes)
    minutes.bot.end()
    minutes.paper.failing["open_stops"] = LOST
    minutes.restart()
    assert minutes.bot.stops.unsettled(ETH)
    assert held(minutes).external.position is None
    minutes.paper.failing.clear()
    minutes.live(10.0, 5.0)
    assert not minutes.bot.stops.unsettled(ETH)
    assert stops(minutes) == [(2.0, 95.0)]


def test_an_exit_that_a_kill_kept_off_the_record_is_booked_beside_a_stranger_s_part(
    minutes: Minutes,
) -> None:
    """The position is as large as the trade was, so no list would ever lack it."""
    in_a_trade(minutes)
    minutes.paper.by_hand(BTC, 1.0)
    minutes.live(40.0, 5.0)
    killed_after(minutes, "create_order", partial(minutes.bot.exit, BTC, 1.0))
    minutes.live(40.0, 5.0)
    assert the_trade().amount == 1.0
    assert minutes.paper.size[BTC] == 2.0
    assert minutes.paper.is_covered(BTC)


# Stops of an earlier run


def inherited_stop(minutes: Minutes, amount: float, trigger: float) -> str:
    """Let an earlier run have left a stop, and start anew; return the stop."""
    minutes.bot.end()
    namer = minutes.bot.stops._books._entries._cover.manager.namer
    stop = minutes.paper.stray_stop(BTC, amount, trigger, namer.new(Role.STOP, BTC))
    minutes.restart()
    return stop


def test_one_that_protects_nothing_goes_once_that_is_proven(minutes: Minutes) -> None:
    """Both lists for a minute: it may protect an entry whose answer was lost."""
    stop = inherited_stop(minutes, 1.0, 95.0)
    minutes.live(50.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "open"
    minutes.live(60.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "canceled"


def closed_while_no_bot_ran(minutes: Minutes) -> str:
    """Let a position go while no bot runs, and its stop stay; return the stop."""
    minutes.paper.by_hand(BTC, 2.0)
    minutes.live(30.0, 5.0)
    (stop,) = minutes.paper.live(BTC)
    minutes.bot.end()
    minutes.paper.by_hand(BTC, -2.0)
    minutes.restart()
    return str(stop["id"])


def test_one_whose_position_was_closed_goes_by_the_orders(minutes: Minutes) -> None:
    """As soon as nothing that the earlier run sent can arrive: a minute would block the pair."""
    stop = closed_while_no_bot_ran(minutes)
    minutes.live(5.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "open"
    minutes.live(15.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "canceled"


@pytest.mark.parametrize("silent", ["orders_since", "account_positions"])
def test_one_whose_position_was_closed_stays_without_both_witnesses(
    minutes: Minutes, silent: str
) -> None:
    """The orders and the second list."""
    stop = closed_while_no_bot_ran(minutes)
    minutes.paper.failing[silent] = LOST
    minutes.live(40.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "open"


def test_one_stays_while_orders_that_rest_cannot_be_asked_for(minutes: Minutes) -> None:
    """An entry may rest that it protects."""
    stop = inherited_stop(minutes, 1.0, 95.0)
    minutes.paper.failing["open_orders"] = LOST
    minutes.live(150.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "open"
    minutes.paper.failing.clear()
    minutes.live(PROVEN_S, 5.0)
    assert minutes.paper.stops[stop]["status"] == "canceled"


def test_one_that_a_position_explains_is_the_position_s(minutes: Minutes) -> None:
    """A smaller one stands beside it, and is left over."""
    in_a_trade(minutes)
    stop = inherited_stop(minutes, 1.0, 95.0)
    minutes.live(10.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "canceled"
    assert stops(minutes) == [(2.0, 95.0)]


def test_one_of_the_other_side_is_not_explained_by_an_entry_that_rests(minutes: Minutes) -> None:
    """No position is shown: it may protect an entry of the other side that is still to come."""
    minutes.bot.enter(BTC, 1.0, at_market=False)
    minutes.live(10.0, 5.0)
    stop = inherited_stop(minutes, -1.0, 105.0)
    minutes.live(40.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "open"
    assert [each.order_id for each in held(minutes).inherited] == [stop]
    minutes.paper.fill(entries(minutes)[0]["id"], 1.0)
    minutes.live(40.0, 5.0)
    assert minutes.paper.stops[stop]["status"] == "canceled"
    assert stops(minutes) == [(1.0, 95.0)]


def test_what_differs_is_asked_for_more_often(minutes: Minutes) -> None:
    """Each loop, until it is settled; then every 30 s again."""
    in_a_trade(minutes)
    minutes.live(30.0, 5.0)
    assert minutes.live(60.0, 5.0)["positions"] == 2
    closed_unheard(minutes, 0.5)
    minutes.live(40.0, 5.0, until=lambda: minutes.paper.sent("positions") > 0)
    assert minutes.live(6.0, 3.0)["positions"] >= 2
    minutes.live(40.0, 5.0)
    assert the_trade().amount == 1.5
    assert minutes.live(60.0, 5.0)["positions"] == 2
