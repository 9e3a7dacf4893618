"""A stop that moves, a position that grows and shrinks: covered in full all the while."""

import logging
from collections.abc import Callable

import pytest
from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.configuration import all_off
from qt_protections.rehearsal.errors import VenueError
from qt_protections.stops.monitor.monitor import Monitor
from tests.integration.rig import BTC, ETH, Rig, enter_by_limit, force_entry, naked_max, until

LOST = VenueError(-1007, "Timeout waiting for response from backend server.")


def entered(rig: Rig, strategy: str, side: str = "long") -> tuple[FreqtradeBot, Trade]:
    """Return a bot with one trade on BTC, its stop live."""
    shorts = {"trail_callback": None, "uptrend_short_exception_conf": 0.0}
    bot = rig.bot(strategy, qt=shorts)
    trade = force_entry(bot, BTC, side)
    assert trade is not None
    return bot, trade


def trigger(rig: Rig) -> float:
    """Return where BTC's only stop stands."""
    (stop,) = rig.live_stops("BTCUSDT")
    return float(stop.request.trigger_price or 0)


def stop_events(rig: Rig) -> list[tuple[str, int]]:
    """Return what happened to stops, in the exchange's order."""
    events = rig.events("stop_accepted", "stop_canceled", "stop_rejected")
    return [(event["kind"], event.get("algo_id", 0)) for event in events]


def assert_as_one(rig: Rig, trade: Trade) -> None:
    """The trade, its record and the exchange tell of one stop for the whole position."""
    (stop,) = rig.live_stops("BTCUSDT")
    assert [order.order_id for order in trade.open_sl_orders] == [str(stop.algo_id)]
    assert trade.stop_loss == float(stop.request.trigger_price or 0)
    assert float(stop.request.quantity or 0) >= abs(rig.position("BTCUSDT")) > 0
    assert trade.amount == pytest.approx(abs(rig.position("BTCUSDT")))
    assert naked_max(rig) == 0


def assert_nothing_left(rig: Rig, trade: Trade) -> None:
    """The trade is closed, and neither position nor order remains."""
    assert not trade.is_open
    assert rig.position("BTCUSDT") == 0
    assert rig.live_stops("BTCUSDT") == []
    assert rig.venue.desk.open_orders("BTCUSDT") == []
    assert naked_max(rig) == 0


@pytest.mark.parametrize(("side", "gain"), [("long", 1.01), ("short", 0.99)])
@pytest.mark.parametrize("strategy", ["GuardedFollowing", "GuardedTrailing"])
def test_the_new_stop_stands_before_the_old_one_goes(
    rig: Rig, caplog: pytest.LogCaptureFixture, strategy: str, side: str, gain: float
) -> None:
    """In the very loop the strategy moves it, and Freqtrade's own replacing never acts."""
    caplog.set_level(logging.INFO)
    bot, trade = entered(rig, strategy, side)
    bot.strategy.wanted = -0.15
    first = trade.stop_loss
    rig.move("BTCUSDT", gain)
    bot.process()
    assert trade.stop_loss > first if side == "long" else trade.stop_loss < first
    assert_as_one(rig, trade)
    (_, old), (_, new), _ = stop_events(rig)
    assert stop_events(rig) == [
        ("stop_accepted", old),
        ("stop_accepted", new),
        ("stop_canceled", old),
    ]
    for _ in range(3):
        bot.process()
    assert len(stop_events(rig)) == 3, "a stop that does not move was replaced"
    assert "Cancelling current stoploss on exchange" not in caplog.text
    assert trade.is_stop_loss_trailing
    rig.move("BTCUSDT", 1 - 2 * (gain - 1))
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    bot.process()
    assert_nothing_left(rig, trade)
    assert trade.exit_reason == "stoploss_on_exchange"


def test_a_stop_that_a_rule_counts_on_never_moves_away(rig: Rig) -> None:
    """Not in the loop, nor where Freqtrade would allow it: right after a fill."""
    bot, trade = entered(rig, "GuardedFollowingFills")
    bot.strategy.wanted = -0.15
    bot.process()
    tight = trigger(rig)
    bot.strategy.wanted = -0.9
    rig.move("BTCUSDT", 0.999)
    bot.process()
    force_entry(bot, BTC)
    for _ in range(3):
        bot.process()
        assert trigger(rig) == tight
    assert_as_one(rig, trade)


@pytest.mark.parametrize("into", [1.01, 0.995], ids=["gain", "loss"])
@pytest.mark.parametrize("side", ["long", "short"])
def test_a_further_entry_moves_the_stop_as_freqtrade_does(rig: Rig, side: str, into: float) -> None:
    """The strategy's 2 % from the new average, where that is tighter; else it stays."""
    bot = rig.bot("GuardedQuiet", qt=all_off())
    trade = force_entry(bot, BTC, side)
    assert trade is not None
    first, ratio = trade.stop_loss, trade.stop_loss_pct
    assert ratio == pytest.approx(-0.6, rel=0.01)  # the fill may be a little off the price
    rig.move("BTCUSDT", into if side == "long" else 2 - into)
    force_entry(bot, BTC, side)
    for _ in range(2):
        bot.process()
    assert trade.nr_of_successful_entries == 2
    assert_as_one(rig, trade)
    anew = trade.open_rate * (1 + ratio / 30 if side == "long" else 1 - ratio / 30)
    wanted = max(first, anew) if side == "long" else min(first, anew)
    assert trade.stop_loss == pytest.approx(wanted, abs=trade.price_precision)
    assert trade.stop_loss_pct == ratio
    assert (trade.stop_loss == first) is (into < 1)


def test_with_every_rule_off_a_fill_may_loosen_the_stop(rig: Rig) -> None:
    """Freqtrade asks `custom_stoploss` right after a fill, and takes what it says either way."""
    bot = rig.bot("GuardedFollowingFills", qt=all_off())
    trade = force_entry(bot, BTC)
    assert trade is not None
    for wanted, trades in ((-0.9, 2), (-0.3, 3)):
        bot.strategy.wanted = wanted
        force_entry(bot, BTC)
        bot.process()
        price = float(rig.venue.tape.last("BTCUSDT"))
        assert trade.nr_of_successful_entries == trades
        assert trigger(rig) == pytest.approx(price * (1 + wanted / 30), rel=1e-3)
        assert_as_one(rig, trade)
    tight = trigger(rig)
    bot.strategy.wanted = -0.9
    bot.process()
    assert trigger(rig) == tight, "in the loop it moves one way"


@pytest.mark.parametrize("code", [-2021, -2019, -1008, -4045])
def test_a_refused_move_leaves_the_old_stop(rig: Rig, code: int) -> None:
    """The trade's stop price goes back to where the live one stands, and the move comes later."""
    bot, trade = entered(rig, "GuardedFollowing")
    old = rig.live_stops("BTCUSDT")
    bot.strategy.wanted = -0.15
    rig.venue.refuse_stops.extend([VenueError(code)] * 2)
    bot.process()
    if not rig.venue.refuse_stops:  # tried twice
        assert rig.live_stops("BTCUSDT") == old
    assert_as_one(rig, trade)
    rig.venue.refuse_stops.clear()
    bot.process()
    assert_as_one(rig, trade)
    assert rig.live_stops("BTCUSDT") != old


@pytest.mark.parametrize("order_type", ["market", "limit"])
def test_a_second_entry_is_covered_before_it_goes_out(rig: Rig, order_type: str) -> None:
    """The first one's stop goes once the one for both is live."""
    bot, trade = entered(rig, "GuardedQuiet")
    bot.strategy.order_types["entry"] = order_type
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.9985  # type: ignore[method-assign]
    force_entry(bot, BTC)
    bot.process()
    rig.move("BTCUSDT", 0.99)
    for _ in range(3):
        bot.process()
    assert trade.nr_of_successful_entries == 2
    kinds = [
        event["kind"] for event in rig.events("stop_accepted", "stop_canceled", "order_accepted")
    ]
    first, second = ["stop_accepted", "order_accepted"], ["stop_accepted", "order_accepted"]
    assert kinds == [*first, *second, "stop_canceled"]
    assert_as_one(rig, trade)


def test_a_partial_exit_stays_covered(rig: Rig) -> None:
    """A stop for more than is left takes no more than there is; at the end nothing remains."""
    bot, trade = entered(rig, "GuardedQuiet")
    bot.strategy.adjust_trade_position = lambda trade, **_: -trade.stake_amount / 2  # type: ignore[method-assign]
    before = rig.position("BTCUSDT")
    bot.process()
    bot.strategy.adjust_trade_position = lambda **_: None  # type: ignore[method-assign]
    for _ in range(2):
        bot.process()
    assert 0 < rig.position("BTCUSDT") < before
    assert_as_one(rig, trade)
    rig.move("BTCUSDT", 0.97)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    bot.process()
    assert_nothing_left(rig, trade)


def test_a_full_exit_leaves_nothing(rig: Rig) -> None:
    """The stop goes after the position, in the same call."""
    bot, trade = entered(rig, "GuardedQuiet")
    RPC(bot)._rpc_force_exit(str(trade.id))
    assert_nothing_left(rig, trade)
    assert len(rig.events("stop_canceled")) == 1


def test_a_refused_exit_stays_covered(rig: Rig) -> None:
    """The stop is not cancelled ahead of an exit that may fail."""
    bot, trade = entered(rig, "GuardedQuiet")
    rig.venue.refuse_orders.extend([VenueError(-2022)] * 2)
    with pytest.raises(DependencyException):
        RPC(bot)._rpc_force_exit(str(trade.id))
    for _ in range(2):
        bot.process()
        assert_as_one(rig, trade)
    rig.venue.refuse_orders.clear()
    RPC(bot)._rpc_force_exit(str(trade.id))
    assert_nothing_left(rig, trade)


def _lose_the_answer(rig: Rig) -> None:
    rig.venue.lose_answers = 1


def _lose_the_request(rig: Rig) -> None:
    rig.venue.refuse_orders.append(LOST)


@pytest.mark.parametrize(
    ("lose", "done"), [(_lose_the_answer, True), (_lose_the_request, False)], ids=["done", "not"]
)
def test_an_exit_whose_answer_is_lost(rig: Rig, lose: Callable[[Rig], None], done: bool) -> None:
    """Executed or not is settled by asking; the stop stands until the position is gone."""
    bot, trade = entered(rig, "GuardedQuiet")
    lose(rig)
    if done:
        RPC(bot)._rpc_force_exit(str(trade.id))
    else:
        with pytest.raises(DependencyException):
            RPC(bot)._rpc_force_exit(str(trade.id))
        for _ in range(2):
            bot.process()
            assert_as_one(rig, trade)
        RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()
    assert_nothing_left(rig, trade)
    orders = [event for event in rig.events("order_accepted") if event["reduce_only"]]
    assert len(orders) == 1
    assert trade.exit_reason == "force_exit"


def test_a_limit_exit_that_waits_stays_covered(rig: Rig) -> None:
    """The stop stands beside it, and takes the position if the price turns."""
    bot, trade = entered(rig, "GuardedQuiet")
    RPC(bot)._rpc_force_exit(
        str(trade.id), "limit", price=float(rig.venue.tape.last("BTCUSDT")) * 1.01
    )
    for _ in range(2):
        bot.process()
    assert trade.has_open_orders
    assert_as_one(rig, trade)
    rig.move("BTCUSDT", 0.97)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(2):
        bot.process()
    assert_nothing_left(rig, trade)
    assert force_entry(bot, ETH) is not None


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "polled"])
def test_a_stop_above_a_waiting_entry(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    """It closes the trade, and the second entry that waits below is cancelled with it."""
    if not heard:
        monkeypatch.setattr(Monitor, "start", lambda self: None)
    bot, trade = entered(rig, "GuardedFollowing")
    enter_by_limit(bot, 0.9985)
    force_entry(bot, BTC)
    rig.move("BTCUSDT", 1.01)
    bot.strategy.wanted = -0.15
    bot.process()
    assert trigger(rig) == trade.stop_loss
    rig.move("BTCUSDT", 0.993)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(3):
        bot.process()
    assert_nothing_left(rig, trade)
    rig.move("BTCUSDT", 0.98)
    bot.process()
    assert rig.position("BTCUSDT") == 0
    assert not trade.has_open_orders
