"""Positions that no trade accounts for: by hand, of another bot, or of a trade that was deleted."""

from typing import Any

import pytest
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.rehearsal.errors import VenueError
from tests.inside import runtime, stop_service
from tests.integration.hands import by_hand, cancel_by_hand, kill, trade_by_hand
from tests.integration.rig import BTC, Rig, enter_by_limit, force_entry, naked_max, until


@pytest.mark.parametrize("amount", [0.02, -0.02], ids=["long", "short"])
def test_a_strangers_position_is_covered_and_blocks_its_symbol(
    rig: Rig, caplog: pytest.LogCaptureFixture, amount: float
) -> None:
    """At the strategy's distance from its entry; and its stop goes with it."""
    trade_by_hand(rig, "BTCUSDT", amount)
    entry = float(rig.venue.account.position("BTCUSDT").entry_price)
    bot = rig.bot()
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == abs(amount)
    trigger = float(stop.request.trigger_price or 0)
    assert (trigger < entry) is (amount > 0)
    assert "no trade accounts for" in caplog.text
    assert stop_service(bot).unsettled(BTC)
    for _ in range(3):
        bot.process()
    assert rig.live_stops("BTCUSDT") == [stop]
    assert caplog.text.count("no trade accounts for") == 1
    trade_by_hand(rig, "BTCUSDT", -amount)
    bot.process()
    bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert not stop_service(bot).unsettled(BTC)


def test_a_stranger_that_turns_is_covered_on_its_new_side(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its old stop could only have hit what comes next."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    trade_by_hand(rig, "BTCUSDT", 0.02)
    bot = rig.bot()
    trade_by_hand(rig, "BTCUSDT", -0.05)
    for _ in range(2):
        bot.process()
    (stop,) = rig.live_stops("BTCUSDT")
    assert stop.request.side == "BUY"
    assert float(stop.request.quantity or 0) == pytest.approx(0.03)
    assert float(stop.request.trigger_price or 0) > float(rig.venue.tape.last("BTCUSDT")) * 1.005


def test_a_position_larger_than_its_trade_is_covered_whole(rig: Rig, same: dict[str, Any]) -> None:
    """Somebody added to it while the bot was down."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    trade_by_hand(rig, "BTCUSDT", 0.01)
    bot = rig.bot(**same)
    (trade,) = Trade.get_open_trades()
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity or 0) == pytest.approx(rig.position("BTCUSDT"))
    assert float(stop.request.trigger_price or 0) == trade.stop_loss
    assert stop_service(bot).unsettled(BTC)


def test_another_bot_on_the_account_leaves_the_stops_alone(rig: Rig, same: dict[str, Any]) -> None:
    """It has another database; each knows its own by their names."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    (stop,) = rig.live_stops("BTCUSDT")
    other = rig.bot(db_url=f"sqlite:///{rig.folder / 'other.sqlite'}")
    for _ in range(2):
        other.process()
    theirs = [live for live in rig.live_stops("BTCUSDT") if live is not stop]
    assert stop in rig.live_stops("BTCUSDT")
    kill(rig, other)
    bot = rig.bot(**same)
    bot.process()
    assert [live for live in rig.live_stops("BTCUSDT") if live is not stop] == theirs


def test_another_bots_position_is_left_to_its_own_stop(rig: Rig, same: dict[str, Any]) -> None:
    """Ours at another distance would end the other bot's trade; once it is gone, ours goes out."""
    first = rig.bot(**same)
    force_entry(first, BTC)
    kill(rig, first)
    (stop,) = rig.live_stops("BTCUSDT")
    other = rig.bot(db_url=f"sqlite:///{rig.folder / 'other.sqlite'}")
    other.process()
    assert rig.live_stops("BTCUSDT") == [stop]
    assert stop_service(other).unsettled(BTC)
    cancel_by_hand(rig, stop.algo_id)
    other.process()
    (own,) = rig.live_stops("BTCUSDT")
    assert own.algo_id != stop.algo_id


def test_a_stranger_that_lost_more_than_a_stop_allows_is_not_closed(rig: Rig) -> None:
    """Its stop stands at the strategy's distance from the price it has now."""
    trade_by_hand(rig, "BTCUSDT", 0.02)
    rig.move("BTCUSDT", 0.8)
    price = float(rig.report() and rig.venue.tape.last("BTCUSDT"))
    rig.bot()
    (stop,) = rig.live_stops("BTCUSDT")
    assert 0.9 < float(stop.request.trigger_price or 0) / price < 0.996
    assert rig.position("BTCUSDT") == 0.02


def test_a_stranger_without_a_stop_is_left_open(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not this bot's to close."""
    monkeypatch.setattr("qt_protections.stops.placer.pause_s", lambda purpose, tries: None)
    trade_by_hand(rig, "BTCUSDT", 0.02)
    rig.venue.refuse_stops.append(VenueError(-1102))
    rig.bot()
    assert "takes no stop" in caplog.text
    assert "EMERGENCY CLOSE" not in caplog.text
    assert rig.position("BTCUSDT") == 0.02


def waiting_entry(rig: Rig, **qt: Any) -> Any:
    """Start a bot whose limit entry waits 1 % below the market."""
    bot = rig.bot(**qt)
    enter_by_limit(bot, 0.99)
    assert force_entry(bot, BTC) is not None
    return bot


def test_a_stranger_beside_a_waiting_entry_is_covered_with_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop covers what may still fill as well."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    bot = waiting_entry(rig)
    trade_by_hand(rig, "BTCUSDT", 0.05)
    for _ in range(3):
        bot.process()
    (order,) = rig.venue.desk.open_orders("BTCUSDT")
    covered = max(float(stop.request.quantity or 0) for stop in rig.live_stops("BTCUSDT"))
    assert covered == pytest.approx(0.05 + float(order.request.quantity))


def test_an_entry_that_waits_on_the_other_side_of_a_stranger_is_called_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stop cannot stand for both sides; it stays where the position is."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    bot = waiting_entry(rig)
    trade_by_hand(rig, "BTCUSDT", -0.05)

    def is_covered_alone() -> bool:
        bot.process()
        stops = [stop.request for stop in rig.live_stops("BTCUSDT")]
        return [(stop.side, float(stop.quantity or 0)) for stop in stops] == [("BUY", 0.05)]

    until(is_covered_alone)
    assert rig.venue.desk.open_orders("BTCUSDT") == []
    (stop,) = rig.live_stops("BTCUSDT")
    for _ in range(3):
        bot.process()
    assert rig.live_stops("BTCUSDT") == [stop]
    assert Trade.get_open_trades() == []


def test_a_stop_for_a_stranger_as_well_that_is_refused_closes_nothing(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trade's own part is covered by the stop it has."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    monkeypatch.setattr("qt_protections.stops.placer.pause_s", lambda purpose, tries: None)
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    trade_by_hand(rig, "BTCUSDT", 0.05)
    rig.venue.refuse_stops.extend([VenueError(-4005)] * 20)
    for _ in range(4):
        bot.process()
    assert "takes no stop" in caplog.text
    assert "EMERGENCY CLOSE" not in caplog.text
    assert rig.position("BTCUSDT") == pytest.approx(trade.amount + 0.05)


def test_a_stop_that_closes_a_stranger_too_is_booked_as_far_as_it_is_the_trades(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is somebody else's loss."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    amount, stop = trade.amount, trade.stop_loss
    bot.process()
    trade_by_hand(rig, "BTCUSDT", 0.05)
    for _ in range(3):
        bot.process()
    rig.move("BTCUSDT", stop * 0.999 / float(rig.venue.tape.last("BTCUSDT")))
    until(lambda: rig.report() and rig.position("BTCUSDT") == 0)
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.amount == pytest.approx(amount)
    assert trade.close_profit_abs == pytest.approx(
        (trade.close_rate - trade.open_rate) * amount, rel=0.2
    )


def test_a_position_under_a_far_stop_counts_at_that_one(rig: Rig) -> None:
    """It may lose what its own stop allows, not what one of ours would."""
    trade_by_hand(rig, "ETHUSDT", 1.0)
    entry = float(rig.venue.account.position("ETHUSDT").entry_price)
    by_hand(
        rig, "POST", "algoOrder", algoType="CONDITIONAL", symbol="ETHUSDT", side="SELL",
        type="STOP_MARKET", quantity=1.0, reduceOnly="true", triggerPrice=round(entry * 0.7, 2),
    )  # fmt: skip
    bot = rig.bot()
    assert len(rig.live_stops("ETHUSDT")) == 1
    for _ in range(3):
        (exposure,) = runtime(bot).account.exposures()  # type: ignore[attr-defined]
        assert exposure.stop == pytest.approx(entry * 0.7, rel=1e-4)
        bot.process()


@pytest.mark.parametrize("placement", ["before_entry", "on_fill"])
def test_an_entry_that_waits_keeps_its_risk_over_a_restart(
    rig: Rig, same: dict[str, Any], placement: str
) -> None:
    """Freqtrade's record has the strategy's stop, not the planned one."""
    config = {
        **same,
        "qt": {"stop_source": "fixed", "stop_fixed": 0.5, "stop_placement": placement},
    }
    first = waiting_entry(rig, **config)
    first.process()
    risk = runtime(first).account.open_risk()
    kill(rig, first)
    bot = rig.bot(**config)
    assert runtime(bot).account.open_risk() == pytest.approx(risk, rel=0.01)  # type: ignore[attr-defined]
    rig.move("BTCUSDT", 0.989)
    until(lambda: rig.report() and rig.position("BTCUSDT") > 0)
    for _ in range(2):
        bot.process()
    assert runtime(bot).account.open_risk() == pytest.approx(risk, rel=0.05)  # type: ignore[attr-defined]


def test_a_deleted_trade_leaves_its_position_covered(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/delete` forgets the trade and no more: nothing enters, and the position is told of."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    (stop,) = rig.live_stops("BTCUSDT")
    RPC(bot)._rpc_delete(str(trade.id))
    assert stop_service(bot).unsettled(BTC)
    for _ in range(4):
        bot.process()
        assert rig.live_stops("BTCUSDT") == [stop]
        assert stop_service(bot).unsettled(BTC)
    assert "no trade accounts for" in caplog.text
    assert Trade.get_open_trades() == []
    assert naked_max(rig) == 0
    trade_by_hand(rig, "BTCUSDT", -rig.position("BTCUSDT"))
    for _ in range(2):
        bot.process()
    assert rig.live_stops("BTCUSDT") == []
    assert force_entry(bot, BTC) is not None
