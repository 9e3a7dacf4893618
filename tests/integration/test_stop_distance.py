"""Where stops come from: one distance for the size, the exchange's stop and the backtest."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.persistence import Trade

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import RequestError
from tests.inside import runtime, stop_service
from tests.integration.rig import BTC, ETH, Rig, force_entry, naked_max, record
from tests.integration.test_simulated_trailing import A_TICK, backtest, gain


def loss_at_stop(trade: Trade) -> float:
    """Return what a trade loses at its stop, by the fills: 0.05 % slippage, 0.05 % fees."""
    fill = trade.stop_loss * (1 + (0.0005 if trade.is_short else -0.0005))
    way = fill - trade.open_rate if trade.is_short else trade.open_rate - fill
    return trade.amount * (way + 0.0005 * (trade.open_rate + fill))


def settings(**qt: Any) -> dict[str, Any]:
    """Return settings without trailing."""
    return {"qt": {"trail_callback": None, **qt}}


@pytest.mark.freqtrade
@pytest.mark.parametrize(
    ("qt", "distance"),
    [
        ({"stop_source": "fixed", "stop_fixed": 0.5}, 50.0),
        ({"stop_source": "atr", "min_stop": 0.3}, 30.0),
        ({"max_stop": 1.0}, 100.0),
    ],
    ids=["fixed", "atr of a calm market", "the strategy's, clamped"],
)
def test_a_backtest_stops_where_the_setting_says(
    tmp_path: Path, qt: dict[str, Any], distance: float
) -> None:
    """The path falls from 199 to -190 in the fourth minute; the strategy's own stop is at -200."""
    trades = backtest(
        tmp_path, "--timeframe-detail=1m", "--enable-protections", trail_callback=None, **qt
    )
    for base in ("BTC", "ETH"):
        assert trades[base]["exit_reason"] == "stop_loss"
        assert gain(trades[base]) == pytest.approx(-distance, abs=A_TICK)
        assert trades[base]["initial_stop_loss_ratio"] == pytest.approx(-distance / 1000)


@pytest.mark.parametrize("dry", [False, True], ids=["live", "dry run"])
def test_the_stop_stands_at_its_multiple_of_the_atr(rig: Rig, dry: bool) -> None:
    """And the size is taken from the very same distance."""
    bot = rig.bot(
        "GuardedAlways", max_open_trades=1, dry_run=dry, **settings(stop_source="atr", min_stop=0.0)
    )
    (trade,) = Trade.get_open_trades()
    frame, _ = bot.dataprovider.get_analyzed_dataframe(trade.pair, "1m")
    distance = 2 * frame["qt_atr"].iloc[-1]
    assert abs(trade.open_rate - trade.stop_loss) / trade.open_rate == pytest.approx(
        distance, rel=0.05
    )
    (stop,) = trade.open_sl_orders
    assert stop.stop_price == trade.stop_loss or dry
    assert loss_at_stop(trade) == pytest.approx(0.0075 * 9_900, rel=0.03)
    bot.process()
    assert trade.stop_loss == stop.ft_price


def test_without_an_atr_there_is_no_entry(rig: Rig) -> None:
    """A pair nobody analyses has none; never the closest stop instead."""
    bot = rig.bot(max_open_trades=1, **settings(stop_source="atr", stop_atr_candles=500))
    running = runtime(bot)
    frame, _ = bot.dataprovider.get_analyzed_dataframe(BTC, "1m")
    frame["qt_atr"] = float("nan")
    assert (
        running.pre_trade.signals.newest(BTC).atr_ratio
        != running.pre_trade.signals.newest(BTC).atr_ratio
    )
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.STOP_UNKNOWN


def test_a_second_entry_next_to_the_stop_is_refused(rig: Rig) -> None:
    """It would lose more to fees than to the market, and be enormous."""
    bot = rig.bot(**settings())
    trade = force_entry(bot, ETH)
    assert trade is not None
    rig.move("ETHUSDT", trade.stop_loss * 1.0008 / float(rig.venue.tape.last("ETHUSDT")))
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, ETH)
    assert refused.value.denial.code is DenyCode.STOP_TOO_CLOSE
    assert "fees of both fills (0.100%)" in str(refused.value)
    assert len(rig.live_stops("ETHUSDT")) == 1
    assert naked_max(rig) == 0


def test_a_stop_within_the_spread_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spread is read when an entry asks, of all pairs, and not again for the next ones."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.schedule.SPREADS_S", 3600.0)
    bot = rig.bot(**settings(stop_source="fixed", stop_fixed=0.5))
    running = runtime(bot)
    quote = running.stops.quote(BTC)
    assert 0 < quote.spread < 0.005
    running.stops._books.prices._quotes[BTC] = Quote(quote.bid, quote.bid * 1.006)
    with pytest.raises(EntryRefused, match="no farther than the spread"):
        force_entry(bot, BTC)
    running.stops._books.prices._quotes[BTC] = Quote(quote.bid, quote.bid * 1.004)
    before = len(rig.requests())
    assert force_entry(bot, BTC) is not None
    sent = rig.requests()[before:]
    assert not any("bookTicker" in line for line in sent[: sent.index("POST algoOrder")])


@pytest.mark.parametrize(
    "error", [RequestError("503", Outcome.UNKNOWN), KeyError("askPrice")], ids=["unasked", "unread"]
)
def test_spreads_that_cannot_be_read_hold_nothing_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The last ones count, and stops are looked after; before the first ones nothing enters."""
    failing = Mock(side_effect=error)
    with monkeypatch.context() as patch:
        patch.setattr(BinanceVenue, "quotes", failing)
        bot = rig.bot(**settings())
        with pytest.raises(EntryRefused, match="spread_unknown"):
            force_entry(bot, BTC)
    bot.process()
    assert stop_service(bot).quote(BTC).spread > 0
    monkeypatch.setattr(BinanceVenue, "quotes", failing)
    bot.process()
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    assert record(bot, trade)["state"] == "live"
    assert naked_max(rig) == 0
