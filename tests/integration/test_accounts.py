"""Accounts and names beside the usual ones: other collateral, fees in BNB, ccxt's other id."""

import json
from typing import Any

import pytest
from freqtrade.persistence import Trade

from qt_protections.errors import EntryRefused
from qt_protections.rehearsal.api import wire
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rules.denial import DenyCode
from tests.inside import stop_service
from tests.integration.rig import BTC, Rig, force_entry, naked_max, record
from tests.integration.test_risk import account, settings
from tests.integration.test_stop_distance import loss_at_stop


def assert_sized_and_covered(rig: Rig, trade: Trade | None) -> None:
    """It loses at its stop what one trade may, and the stop was live before it."""
    assert trade is not None
    assert loss_at_stop(trade) == pytest.approx(0.0075 * 9_900, rel=0.03)
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == trade.amount == rig.position("BTCUSDT")
    assert naked_max(rig) == 0


def test_a_european_account_trades(rig: Rig) -> None:
    """Every entry was refused: cannot size, equity 0.0."""
    rig.venue.collateral = "BNFCR"
    bot = rig.bot(margin_mode="cross", proxy_coin="BNFCR", max_open_trades=1, **settings())
    assert account(bot).equity() == pytest.approx(9_900)
    trade = force_entry(bot, BTC)
    assert_sized_and_covered(rig, trade)
    bot.process()
    (told,) = (rig.folder / "qt_guard").glob("*.json")
    assert "BNFCR" in json.dumps(json.loads(told.read_text()))


def test_a_collateral_that_nobody_named_is_named(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """At the start: Freqtrade finds no stake, and asks for no entry."""
    rig.venue.collateral = "BNFCR"
    rig.bot(margin_mode="cross", **settings())
    assert "Freqtrade counts in USDT, and finds none; the account holds 10000 BNFCR" in caplog.text


def test_the_other_name_of_binance_futures_gets_the_whole_guard(rig: Rig) -> None:
    """It got stops on the fill, unwatched, without trailing."""
    tape = rig.venue.tape
    exchange: Any = config_overlay(rig._server.port, [tape.instrument(s) for s in tape.symbols])
    bot = rig.bot(exchange=exchange["exchange"] | {"name": "binanceusdm"}, **settings())
    assert bot.exchange.id == "binanceusdm"
    assert stop_service(bot).watches
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert_sized_and_covered(rig, trade)
    bot.process()
    assert record(bot, trade)["state"] == "live"
    rig.move("BTCUSDT", 0.97)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert rig.live_stops("BTCUSDT") == []


def test_fees_in_bnb_change_neither_size_nor_cover(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amounts are whole: the fee is another coin's."""
    told = wire.trade_json
    monkeypatch.setattr(wire, "trade_json", lambda t: told(t) | {"commissionAsset": "BNB"})
    bot = rig.bot(max_open_trades=1, **settings())
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    assert_sized_and_covered(rig, trade)
    rig.move("BTCUSDT", 0.97)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert rig.position("BTCUSDT") == 0
    assert rig.live_stops("BTCUSDT") == []


def test_a_balance_below_the_exchanges_minimum_is_named(rig: Rig) -> None:
    """Its risk makes less than BTC's least notional."""
    bot = rig.bot(available_capital=20.0, max_open_trades=1, **settings())
    with pytest.raises(EntryRefused, match="below the exchange's minimum") as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.STAKE_TOO_SMALL
    assert rig.events("stop_accepted", "order_accepted") == []
