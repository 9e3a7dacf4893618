"""What the guard leaves as the strategy has it, what it changes, and what it says of both."""

import logging

import pytest
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import Trade

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.stop_price import FARTHEST, StopBound
from tests.inside import runtime
from tests.integration.rig import BTC, ETH, Rig, force_entry, naked_max
from tests.integration.test_stop_distance import loss_at_stop

SOL = "SOL/USDT:USDT"


def lines(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    """Return the lines of the log with some words in them."""
    return [line for line in caplog.messages if words in line]


@pytest.mark.parametrize(
    ("strategy", "distance", "bound"),
    [
        ("GuardedFarStop", FARTHEST, StopBound.FARTHEST),
        ("GuardedNoStop", 0.95 / 1.25 / 3, StopBound.LIQUIDATION),
    ],
)
def test_a_strategy_without_a_stop_trades(
    rig: Rig,
    caplog: pytest.LogCaptureFixture,
    strategy: str,
    distance: float,
    bound: StopBound,
) -> None:
    """Behind the farthest stop that can stand, at a size that loses one trade's risk there."""
    bot = rig.bot(strategy, qt={"trail_callback": None, "max_stop": None})
    trade, other = force_entry(bot, ETH), force_entry(bot, SOL)
    assert trade is not None
    assert other is not None
    (stop,) = rig.live_stops("ETHUSDT")
    assert float(stop.request.trigger_price or 0) == trade.stop_loss
    assert 1 - trade.stop_loss / trade.open_rate == pytest.approx(distance, rel=0.002)
    assert loss_at_stop(trade) == pytest.approx(0.0075 * 9_900, rel=0.05)  # whole lots
    assert len(lines(caplog, "its stop stands")) == 1
    assert runtime(bot).operator_log.tally.clamped == {bound: 2}
    assert naked_max(rig) == 0


def test_a_bound_that_bites_is_said_once_and_counted(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """With where the strategy has its stop, where it stands, and the setting."""
    bot = rig.bot(qt={"trail_callback": None, "max_stop": 1.0})
    for pair in (BTC, ETH):
        trade = force_entry(bot, pair)
        assert trade is not None
        assert 1 - trade.stop_loss / trade.open_rate == pytest.approx(0.01, rel=0.01)
        assert loss_at_stop(trade) == pytest.approx(0.0075 * 9_900, rel=0.03)
    (line,) = lines(caplog, "its stop stands")
    assert "BTCUSDT: its stop stands 1 % of price from the entry, not 2 %: max_stop" in line
    assert runtime(bot).operator_log.tally.clamped == {StopBound.MAX_STOP: 2}


def test_without_a_bound_the_stop_is_the_strategys(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of price away, at leverage 1, is what it asks for; the size is small accordingly."""
    bot = rig.bot("GuardedHalfStop", qt={"trail_callback": None})
    trade = force_entry(bot, ETH)
    assert trade is not None
    assert 1 - trade.stop_loss / trade.open_rate == pytest.approx(0.5, rel=0.001)
    assert loss_at_stop(trade) == pytest.approx(0.0075 * 9_900, rel=0.03)
    assert lines(caplog, "its stop stands") == []
    assert not runtime(bot).operator_log.tally.clamped


def test_entries_that_share_lose_one_trades_risk(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Three thirds, the price falling; a fourth, by hand, gets nothing."""
    bot = rig.bot(
        "GuardedAdjusting",
        max_open_trades=1,
        max_entry_position_adjustment=2,
        qt={"trail_callback": None, "averaging_down": "share", "max_positions_per_symbol": 4},
    )
    assert lines(caplog, "averaging_down is refuse") == []
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert loss_at_stop(trade) == pytest.approx(0.0075 / 3 * 9_900, rel=0.03)
    for entries, move in ((2, 0.995), (3, 0.99), (3, 0.985)):
        rig.move("BTCUSDT", move)
        bot.process()
        assert trade.nr_of_successful_entries == entries
        assert loss_at_stop(trade) <= 0.0075 * 9_900 * 1.03  # the spread of market entries
    assert loss_at_stop(trade) > 0.006 * 9_900
    assert naked_max(rig) == 0


def test_sharing_among_any_number_is_refused_at_the_start(rig: Rig) -> None:
    """With what to set."""
    with pytest.raises(FreqtradeException, match="Set max_entry_position_adjustment"):
        rig.bot("GuardedAdjusting", qt={"averaging_down": "share"})


def test_what_does_not_fit_is_said_by_a_bot_that_starts(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Each once: at the start, and after the first analysis."""
    caplog.set_level(logging.INFO)
    qt = {"trail_callback": 0.1, "confidence_column": "sure"}
    bot = rig.bot("GuardedAdjusting", max_open_trades=7, qt=qt)
    for _ in range(2):
        bot.process()
    for words in (
        "positions (max_open_trades and pairs) at risk_per_trade 0.75 %",
        "averaging_down is refuse",
        "may add any number of entries",
        "The trailing stop's callback is 0.1 %",
        "no number to column 'sure'",
    ):
        assert len(lines(caplog, words)) == 1, words
    assert force_entry(bot, BTC) is not None
    rig.move("BTCUSDT", 0.99)
    bot.process()
    assert [
        key for key in runtime(bot).operator_log.refused if key[1] is DenyCode.AVERAGING_DOWN
    ] == [(BTC, DenyCode.AVERAGING_DOWN)]


def test_longs_of_a_strategy_that_may_not_go_short_stay(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """The gate refuses each short, for want of confidence or regime, and leaves the frame alone."""
    bot = rig.bot("GuardedBothSides")
    frame, _ = bot.dataprovider.get_analyzed_dataframe(BTC, "1m")
    assert set(frame["enter_long"]) == set(frame["enter_short"]) == {1}
    assert len(lines(caplog, "its can_short is False")) == 1
    assert Trade.get_open_trades() == []  # Freqtrade leaves out a candle that signals both ways
