"""Entries that fill later, in whole, in parts, or never: covered from the first contract on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from qt_protections.rehearsal.errors import VenueError
from tests.integration.rig import (
    BTC,
    Rig,
    enter_by_limit,
    force_entry,
    held_market,
    naked_max,
    until,
)

NO_STREAM = """
[[fault]]
kind = "refuse"
endpoints = ["POST /fapi/v1/listenKey"]
code = -1000
status = 503
"""


@pytest.fixture(params=["stream", "polling"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """An exchange whose user data stream is up, and one whose is not to be had."""
    faults = "" if request.param == "stream" else NO_STREAM
    with Rig(tmp_path, held_market("uptrend"), faults=faults) as opened:
        yield opened


def waiting_entry(rig: Rig, placement: str, better: float = 0.01) -> tuple[FreqtradeBot, Trade]:
    """Return a bot whose limit entry rests, by a ratio, below the market."""
    bot = rig.bot(qt={"trail_callback": None, "stop_placement": placement})
    enter_by_limit(bot, 1 - better)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert trade.has_open_orders
    assert rig.position("BTCUSDT") == 0
    return bot, trade


def covered(rig: Rig) -> bool:
    """Whether one live stop covers BTC's position in full."""
    size = rig.position("BTCUSDT")
    stops = rig.live_stops("BTCUSDT")
    return size > 0 and any(float(stop.request.quantity or 0) >= size for stop in stops)


def assert_never_naked(rig: Rig, placement: str) -> None:
    """With its stop before it an entry is never naked; else `until` has seen the watch at work."""
    if placement == "before_entry":
        assert naked_max(rig) == 0


@pytest.mark.parametrize("placement", ["before_entry", "on_fill"])
def test_an_entry_that_fills_later_is_covered(heard: Rig, placement: str) -> None:
    """Between two loops, without the bot's doing; its next loop books the very stop."""
    bot, trade = waiting_entry(heard, placement)
    assert len(heard.live_stops("BTCUSDT")) == (placement == "before_entry")
    heard.move("BTCUSDT", 0.985)
    assert heard.position("BTCUSDT") > 0
    until(lambda: covered(heard))
    for _ in range(3):
        bot.process()
    (stop,) = heard.live_stops("BTCUSDT")
    assert [order.order_id for order in trade.open_sl_orders] == [str(stop.algo_id)]
    assert trade.stop_loss == float(stop.request.trigger_price)
    assert trade.amount == pytest.approx(heard.position("BTCUSDT"))
    assert_never_naked(heard, placement)


@pytest.mark.parametrize("placement", ["before_entry", "on_fill"])
def test_an_entry_that_fills_in_parts_is_covered(heard: Rig, placement: str) -> None:
    """From the first contract, by one stop for all it may become."""
    bot, trade = waiting_entry(heard, placement)
    for _ in range(3):
        heard.fill_part("BTCUSDT", 0.01)
        until(lambda: covered(heard))
    heard.move("BTCUSDT", 0.985)
    assert heard.venue.desk.open_orders() == []
    for _ in range(3):
        bot.process()
    assert covered(heard)
    assert len(heard.events("stop_accepted")) == 1
    assert trade.amount == pytest.approx(heard.position("BTCUSDT"))
    assert len(trade.open_sl_orders) == len(heard.live_stops("BTCUSDT")) == 1
    assert_never_naked(heard, placement)


@pytest.mark.parametrize("placement", ["before_entry", "on_fill"])
@pytest.mark.parametrize("filled", [0.0, 0.01], ids=["unfilled", "in-part"])
def test_an_entry_that_times_out(heard: Rig, placement: str, filled: float) -> None:
    """Nothing filled leaves nothing behind; a part stays, and covered."""
    bot, trade = waiting_entry(heard, placement)
    if filled:
        heard.fill_part("BTCUSDT", filled)
        until(lambda: covered(heard))
    bot.strategy.check_entry_timeout = lambda **_: True  # type: ignore[method-assign]
    for _ in range(3):
        bot.process()
    assert heard.venue.desk.open_orders() == []
    assert heard.position("BTCUSDT") == pytest.approx(filled)
    stops = heard.live_stops("BTCUSDT")
    if not filled:
        assert stops == []
        assert Trade.get_open_trades() == []
        return
    assert trade.amount == pytest.approx(filled)
    assert covered(heard)
    assert [order.order_id for order in trade.open_sl_orders] == [str(stops[0].algo_id)]
    assert_never_naked(heard, placement)
    heard.move("BTCUSDT", 0.96)
    until(lambda: heard.report() and heard.position("BTCUSDT") == 0)
    bot.process()
    assert not trade.is_open
    assert heard.live_stops("BTCUSDT") == []


@pytest.mark.parametrize("placement", ["before_entry", "on_fill"])
@pytest.mark.parametrize("filled", [0.0, 0.01], ids=["unfilled", "in-part"])
def test_an_entry_that_is_replaced(heard: Rig, placement: str, filled: float) -> None:
    """Nearer to the market; after a part has filled Freqtrade only cancels. Either is covered."""
    bot, trade = waiting_entry(heard, placement)
    if filled:
        heard.fill_part("BTCUSDT", filled)
        until(lambda: covered(heard))
    near = float(heard.venue.tape.last("BTCUSDT")) * 0.995
    bot.strategy.adjust_entry_price = lambda **_: near  # type: ignore[method-assign]
    # A candle of a minute has closed since.
    heard.venue.desk.open_orders()[0].created_ms -= 120_000
    bot.process()
    assert len(heard.events("order_canceled")) == 1
    replaced = [float(order.request.price) for order in heard.venue.desk.open_orders("BTCUSDT")]
    assert replaced == ([] if filled else [pytest.approx(near, rel=1e-5)])
    heard.move("BTCUSDT", 0.99)
    for _ in range(3):
        bot.process()
    assert heard.venue.desk.open_orders() == []
    assert trade.amount == pytest.approx(heard.position("BTCUSDT"))
    assert covered(heard)
    assert len(trade.open_sl_orders) == len(heard.live_stops("BTCUSDT")) == 1
    assert_never_naked(heard, placement)


@pytest.mark.parametrize("ratio", [0.975, 0.985], ids=["farther", "nearer"])
def test_an_entry_that_is_replaced_again_and_again(heard: Rig, ratio: float) -> None:
    """Its stop is where plain Freqtrade has it: by the first price or the last, never between."""
    bot, trade = waiting_entry(heard, "before_entry", 0.02)
    market = float(heard.venue.tape.last("BTCUSDT"))
    for each in (0.995, ratio):
        rate = market * each
        bot.strategy.adjust_entry_price = lambda rate=rate, **_: rate  # type: ignore[method-assign]
        heard.venue.desk.open_orders()[0].created_ms -= 120_000  # a candle has closed since
        bot.process()
    assert len(heard.events("order_canceled")) == 2
    (stop,) = heard.live_stops("BTCUSDT")
    distance = -bot.strategy.stoploss / trade.leverage
    expected = market * max(0.98, ratio) * (1 - distance)
    assert float(stop.request.trigger_price or 0) == pytest.approx(expected, rel=1e-4)
    heard.move("BTCUSDT", ratio * 0.999)
    for _ in range(3):
        bot.process()
    assert trade.amount == pytest.approx(heard.position("BTCUSDT"))
    assert covered(heard)
    assert trade.stop_loss == float(stop.request.trigger_price or 0)
    assert naked_max(heard) == 0


def test_an_entry_that_times_out_leaves_its_pair_free_at_once(heard: Rig) -> None:
    """Plain Freqtrade enters again in the same loop."""
    bot, _ = waiting_entry(heard, "before_entry")
    bot.strategy.check_entry_timeout = lambda **_: True  # type: ignore[method-assign]
    bot.process()
    assert Trade.get_open_trades() == []
    assert heard.live_stops("BTCUSDT") == []
    assert not bot.strategy._qt.stops.unsettled(BTC)  # type: ignore[attr-defined]


def test_an_entry_that_outlives_its_trade(rig: Rig) -> None:
    """A trailing stop closes the trade, and its second entry cannot be cancelled in time.

    What fills then is a position of its own: covered all along, and a trade of its own.
    """
    bot = rig.bot(qt={"trail_callback": 1.5})
    trade = force_entry(bot, BTC)
    assert trade is not None
    enter_by_limit(bot, 0.9985)
    force_entry(bot, BTC)
    rig.venue.desk.cancel = _refuse  # type: ignore[method-assign]
    for ratio in (1.03, 0.98):
        rig.move("BTCUSDT", ratio)
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    rig.move("BTCUSDT", 0.985)
    assert rig.position("BTCUSDT") > 0
    for _ in range(3):
        bot.process()
        assert covered(rig)
    (second,) = Trade.get_open_trades()
    assert second.amount == pytest.approx(rig.position("BTCUSDT"))
    assert second.open_rate == pytest.approx(trade.open_rate * 0.9985, rel=1e-3)
    assert len(trade.orders) == len({order.order_id for order in trade.orders})
    assert not bot.strategy._qt.stops.unsettled(BTC)  # type: ignore[attr-defined]
    assert naked_max(rig) == 0


def _refuse(*_: object) -> None:
    raise VenueError(-1001)
