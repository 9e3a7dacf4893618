"""What the rules are told: what may be held beside trades, where stops stand, and for how sure."""

from functools import partial

from tests.stops.guards import approved
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.reconciliation.scenes import held, unheard


def in_a_trade(minutes: Minutes, amount: float = 1.0) -> None:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, amount)
    minutes.live(10.0, 5.0)


def test_nothing_is_settled_before_the_first_comparison(minutes: Minutes) -> None:
    """The exchange may hold anything: nothing enters."""
    minutes.paper.failing["open_orders"] = LOST
    minutes.restart()
    assert not minutes.bot.stops._books.view.has_looked()
    assert minutes.bot.stops.unsettled(ETH)
    minutes.paper.failing.clear()
    minutes.live(6.0, 5.0)
    assert minutes.bot.stops._books.view.has_looked()
    assert not minutes.bot.stops.unsettled(ETH)


def test_what_a_trade_accounts_for_is_settled(minutes: Minutes) -> None:
    """It may add to itself, and counts once."""
    in_a_trade(minutes)
    assert not minutes.bot.stops.unsettled(BTC)
    assert minutes.bot.stops.unaccounted() == []


def test_an_entry_without_a_trade_counts_whole(minutes: Minutes) -> None:
    """At its stop, until its end is known."""
    pending = minutes.bot.stops._books._entries._cover.expect(approved(BTC, 2.0, 95.0), 0.0)
    (exposure,) = minutes.bot.stops.unaccounted()
    assert (exposure.pair, exposure.amount, exposure.stop) == (BTC, 2.0, 95.0)
    assert minutes.bot.stops.unsettled(BTC)
    pending.hear("77", 0.0, is_over=True)
    assert minutes.bot.stops.unaccounted() == []
    assert not minutes.bot.stops.unsettled(BTC)


def test_an_entry_that_outlived_its_trade_is_not_settled(minutes: Minutes) -> None:
    """It may fill at any moment, and its trade is closed."""
    in_a_trade(minutes)
    minutes.bot.enter(BTC, 2.0, at_market=False)
    minutes.live(5.0, 5.0)
    minutes.paper.failing["cancel_order"] = LOST
    minutes.paper.trigger(minutes.paper.live(BTC)[-1]["id"])
    minutes.live(15.0, 5.0)
    assert minutes.bot.stops.unsettled(BTC)
    assert [exposure.amount for exposure in minutes.bot.stops.unaccounted()] == [2.0]


def test_an_earlier_run_s_stop_that_nothing_explains_is_not_settled(minutes: Minutes) -> None:
    """It may protect an entry whose answer was lost. Proof that there is none ends it."""
    minutes.bot.end()
    namer = minutes.bot.stops._books._manager.namer
    minutes.paper.stray_stop(BTC, 1.0, 95.0, namer.new("S", BTC))  # type: ignore[arg-type]
    minutes.restart()
    assert held(minutes).inherited
    assert minutes.bot.stops.unsettled(BTC)
    minutes.live(120.0, 5.0)
    assert not minutes.bot.stops.unsettled(BTC)
    assert minutes.paper.live(BTC) == []


def test_a_deleted_trade_is_not_settled(minutes: Minutes) -> None:
    """At once: no loop has to see that first."""
    in_a_trade(minutes)
    minutes.bot.forget(BTC)
    assert minutes.bot.stops.unsettled(BTC)


def test_a_trigger_is_that_of_its_side(minutes: Minutes) -> None:
    """A long's stop tells nothing of a short."""
    in_a_trade(minutes)
    view = minutes.bot.stops._books.view
    assert view.trigger(BTC, is_short=False) == 95.0
    assert view.trigger(BTC, is_short=True) == 0.0
    assert view.trigger(ETH, is_short=False) == 0.0


def test_a_stop_is_live_in_doubt_or_none(minutes: Minutes) -> None:
    """As the status table shows it."""
    assert minutes.bot.stops.stop_state(BTC) == "none"
    in_a_trade(minutes)
    assert minutes.bot.stops.stop_state(BTC) == "live"
    (stop,) = minutes.paper.live(BTC)
    minutes.paper.untold.add(stop["id"])
    minutes.paper.unlisted.add(stop["id"])
    unheard(minutes, partial(minutes.bot.stops._books._watch.look_at, held(minutes)))
    assert minutes.bot.stops.stop_state(BTC) == "in doubt"
