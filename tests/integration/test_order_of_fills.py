"""A trade's profit is the exchange's to the sixth decimal, whatever order its fills came in."""

from collections.abc import Callable
from typing import Any

import pytest
from freqtrade.enums import SignalDirection
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.stops.reconciliation import positions
from qt_protections.stops.state.client_ids import Role
from tests.inside import manager
from tests.integration.hands import by_hand, kill
from tests.integration.rig import BTC, Rig, record, until

pytestmark = pytest.mark.long

SETTINGS = {
    "uptrend_short_exception_conf": 0.0,
    "trail_callback": None,
    "max_positions_per_symbol": 5,
}
#: Of the first entry; small enough that risk leaves room for further ones.
STAKE = 60.0


class Story:
    """A position that is entered, and what happens to it.

    Every price move is meant for a long; a short's goes the other way.
    """

    def __init__(self, rig: Rig, side: str, **qt: Any) -> None:
        self.rig = rig
        self.side = side
        self.changes = {
            "db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}",
            "qt": {**SETTINGS, **qt},
        }
        self.bot = rig.bot("GuardedQuiet", **self.changes)
        self.enter()

    @property
    def trade(self) -> Trade:
        """The one trade of this story."""
        (trade,) = Trade.get_trades([])
        return trade

    def enter(self, share: float = 1.0) -> None:
        """Enter at market, by a share of the first stake."""
        RPC(self.bot)._rpc_force_entry(
            BTC,
            None,
            order_side=SignalDirection(self.side),
            stake_amount=STAKE * share,
        )
        self.bot.process()

    def move(self, ratio: float) -> None:
        """Let the price gain, or lose, by this ratio, as the position's side sees it."""
        self.rig.move("BTCUSDT", ratio if self.side == "long" else 2 - ratio)

    def leave(self, share: float) -> None:
        """Give a share of the position back, as `/forceexit` does."""
        trade = self.trade
        RPC(self.bot)._rpc_force_exit(str(trade.id), "market", amount=trade.amount * share)
        self.bot.process()

    def leave_off_the_record(self, share: float) -> None:
        """Send an exit as a bot does that is killed before it has the exit on record."""
        name = manager(self.bot).namer.new(Role.EXIT, BTC)
        amount = round(self.trade.amount * share, 3)
        opposite = "SELL" if self.side == "long" else "BUY"
        sent = by_hand(
            self.rig, "POST", "order", symbol="BTCUSDT", side=opposite, type="MARKET",
            quantity=amount, reduceOnly="true", newClientOrderId=name,
        )  # fmt: skip
        assert "orderId" in sent, sent

    def stop_out(self) -> None:
        """Let the price run through the stop."""
        self.move(0.97)
        until(lambda: self.rig.position("BTCUSDT") == 0)

    def loops(self, count: int = 6) -> None:
        """Let the bot book what there is to book."""
        for _ in range(count):
            self.bot.process()

    def restart(self) -> None:
        """Kill the bot, and start another."""
        kill(self.rig, self.bot)
        self.bot = self.rig.bot("GuardedQuiet", **self.changes)

    def assert_books_agree(self) -> None:
        """Bot and exchange earned the same."""
        trade = self.trade
        assert not trade.is_open
        (position,) = self.rig.report()["positions"]
        earned = position["realized_pnl"] - position["fees"]
        assert trade.close_profit_abs == pytest.approx(earned, abs=1e-6)
        filled = [row for row in trade.orders if row.filled]
        assert [row.order_filled_utc for row in filled] == sorted(
            row.order_filled_utc for row in filled
        )


def stopped_after_a_further_entry(story: Story) -> None:
    """The stop's row is older than the partial exit and the further entry."""
    story.leave(0.5)
    story.move(0.996)
    story.enter(0.4)
    story.stop_out()


def stopped_after_many(story: Story) -> None:
    """Several of each, at several prices."""
    for share, ratio in ((0.5, 1.004), (0.3, 0.995), (0.6, 1.002)):
        story.leave(share)
        story.move(ratio)
        story.enter(0.3)
    story.stop_out()


def booked_by_the_next_bot(story: Story) -> None:
    """The stop fires while no bot runs: Freqtrade books it before the guard's first loop."""
    story.leave(0.5)
    story.move(0.996)
    story.enter(0.4)
    kill(story.rig, story.bot)
    story.stop_out()
    story.bot = story.rig.bot("GuardedQuiet", **story.changes)


def restarted_in_between(story: Story) -> None:
    """Rows are read anew, in the order of their ids."""
    story.leave(0.5)
    story.restart()
    story.move(0.996)
    story.enter(0.4)
    story.restart()
    story.stop_out()


def exit_put_on_record_late(story: Story) -> None:
    """An exit at market is taken up once a further entry is booked already."""
    story.move(1.004)
    story.leave_off_the_record(0.5)
    story.move(0.994)
    story.enter(0.4)
    story.loops(3)
    story.stop_out()


def searched_by_freqtrade(story: Story) -> None:
    """`/reload_trade_from_exchange` finds what the stop became before the guard's loop does."""
    story.leave(0.5)
    story.move(0.996)
    story.enter(0.4)
    story.stop_out()
    RPC(story.bot)._rpc_reload_trade_from_exchange(story.trade.id)


STORIES = (
    stopped_after_a_further_entry,
    stopped_after_many,
    booked_by_the_next_bot,
    restarted_in_between,
    exit_put_on_record_late,
    searched_by_freqtrade,
)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("happens", STORIES)
def test_books_agree(
    rig: Rig, happens: Callable[[Story], None], side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which things happened, the average price is the exchange's."""
    monkeypatch.setattr(positions, "MISSING_LAG_S", 0.0)
    story = Story(rig, side)
    happens(story)
    story.loops()
    story.assert_books_agree()


@pytest.mark.parametrize("side", ["long", "short"])
def test_books_agree_if_several_stops_cover_together(rig: Rig, side: str) -> None:
    """Each is on record and books what it filled; what Freqtrade does of itself harms none."""
    story = Story(rig, side)
    story.leave(0.3)
    story.move(0.997)
    story.enter(0.8)
    names = cover_by_two(story)
    story.loops(3)
    assert [row.order_id for row in story.trade.open_sl_orders] == names
    assert [str(stop.algo_id) for stop in rig.live_stops("BTCUSDT")] == names
    shown = record(story.bot, story.trade)
    assert (shown["id"], shown["amount"]) == (names[-1], pytest.approx(story.trade.amount))
    story.stop_out()
    story.loops()
    story.assert_books_agree()
    assert "emergency_exit" not in {row.ft_order_tag for row in story.trade.orders}


def cover_by_two(story: Story) -> list[str]:
    """Let one stop be half of the position at most; return the ids of the two that stand then."""
    keeps, trade = manager(story.bot), story.trade
    held = keeps.book.of(BTC)
    with held.lock:
        most = round(trade.amount / 2 + 0.0005, 3)
        keeps.book._largest = lambda _pair: most
        assert keeps.book.of(BTC).largest == most
        keeps.reconcile_stops(held)
        return [stop.order_id for stop in held.stops]


@pytest.mark.parametrize("side", ["long", "short"])
def test_books_agree_if_it_trails(rig: Rig, side: str) -> None:
    """The trailing stop's fill comes as an exit at market, told by the exchange alone."""
    story = Story(rig, side, trail_callback=0.3, trail_activation=0)
    story.leave(0.5)
    story.move(0.999)
    story.enter(0.4)
    story.move(1.01)
    story.move(0.996)
    until(lambda: rig.position("BTCUSDT") == 0)
    story.loops()
    story.assert_books_agree()
    assert story.trade.exit_reason == "trailing_stop_on_exchange"
