"""What the exchange does not show is not gone: no stop goes for a list that is short or old."""

from pathlib import Path

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC, RPCException

from qt_protections.errors import EntryRefused
from tests.inside import stop_service
from tests.integration.hands import kill, let_evidence_suffice, trade_by_hand, unlock
from tests.integration.rig import BTC, ETH, Rig, force_entry, held_market, naked_max, until

pytestmark = pytest.mark.long

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def fault(kind: str, **keys: object) -> str:
    """Return an entry of a fault script."""
    lines = [f'[[fault]]\nkind = "{kind}"', *(f"{key} = {value!r}" for key, value in keys.items())]
    return "\n".join(lines).replace("'", '"')


POSITIONS, ACCOUNT = "GET /fapi/v3/positionRisk", "GET /fapi/v3/account"
STOPS = "GET /fapi/v1/openAlgoOrders"
LISTS = {
    "no positions": fault("omit", endpoints=[POSITIONS]),
    "neither list": fault("omit", endpoints=[POSITIONS, ACCOUNT], symbols=[*SYMBOLS]),
    "half of them": fault("omit", endpoints=[POSITIONS], share=0.5),
    "positions of long ago": fault("position_lag", behind_ms=25_000),
    "no stops": fault("omit", endpoints=[STOPS]),
    "half of the stops": fault("omit", endpoints=[STOPS], share=0.5),
    "stops of long ago": fault("list_lag", behind_ms=60_000),
}


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference counts in the second loop that sees it, and two lists are evidence at once."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.MISSING_LAG_S", 0.0)
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    monkeypatch.setattr("qt_protections.stops.order_history._ASK_EVERY_S", 0.0)
    let_evidence_suffice(monkeypatch)


def stops(rig: Rig) -> list[int]:
    """Return the live stops of all pairs."""
    return [stop.algo_id for symbol in SYMBOLS for stop in rig.live_stops(symbol)]


def loops(bot: FreqtradeBot, count: int = 4) -> None:
    """Run some loops."""
    for _ in range(count):
        bot.process()


@pytest.mark.parametrize("script", LISTS.values(), ids=LISTS)
def test_every_position_keeps_its_stop(tmp_path: Path, script: str) -> None:
    """Through loops, a reload of the configuration, and a kill."""
    with Rig(tmp_path, held_market("uptrend"), faults=script) as rig:
        same = {"db_url": f"sqlite:///{tmp_path}/trades.sqlite"}
        bot = rig.bot(**same)
        force_entry(bot, BTC)
        force_entry(bot, ETH)
        held = [rig.position(symbol) for symbol in SYMBOLS]
        loops(bot)
        bot.cleanup()
        rig.forget(bot)
        bot = rig.bot(**same)
        loops(bot)
        kill(rig, bot)
        loops(rig.bot(**same))
        assert [rig.position(symbol) for symbol in SYMBOLS] == held
        assert all(rig.live_stops(symbol) for symbol in SYMBOLS)
        assert len(Trade.get_open_trades()) == 2
        assert naked_max(rig) == 0


def test_a_balance_that_is_not_shown_is_no_equity(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no entry, and no callback fails."""
    script = fault("omit", endpoints=[ACCOUNT, "GET /fapi/v*/balance"])
    with Rig(tmp_path, held_market("uptrend"), faults=script, faults_wait=True) as rig:
        bot = rig.bot()
        rig.faults.begin()
        bot.wallets.update()
        with pytest.raises((EntryRefused, RPCException)):
            force_entry(bot, BTC)
        assert rig.position("BTCUSDT") == 0
        assert "Unexpected error" not in caplog.text


def test_a_list_of_stops_that_is_empty_doubles_none(tmp_path: Path) -> None:
    """Each is asked after by its number, and stands."""
    with Rig(tmp_path, held_market("uptrend"), faults=LISTS["no stops"]) as rig:
        bot = rig.bot()
        force_entry(bot, BTC)
        (stop,) = stops(rig)
        loops(bot)
        assert stops(rig) == [stop]


def test_a_strangers_position_that_is_not_shown_keeps_its_stop(tmp_path: Path) -> None:
    """One list is no evidence, however often it is asked."""
    script = fault("omit", endpoints=[POSITIONS])
    with Rig(tmp_path, held_market("uptrend"), faults=script, faults_wait=True) as rig:
        bot = rig.bot()
        trade_by_hand(rig, "BTCUSDT", 0.2)
        loops(bot, 3)
        (stop,) = stops(rig)
        rig.faults.begin()
        loops(bot, 5)
        assert stops(rig) == [stop]
        assert stop_service(bot).unsettled(BTC)


def test_a_position_that_a_hand_closed_is_booked_as_its_order_tells(rig: Rig) -> None:
    """The order is the proof: the stop goes, and the trade ends with what it fetched."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    trade_by_hand(rig, "BTCUSDT", -rig.position("BTCUSDT"))
    until(lambda: not rig.live_stops("BTCUSDT"))
    loops(bot, 2)
    assert not trade.is_open
    assert trade.exit_reason == "sold_on_exchange"
    (position,) = rig.report()["positions"]
    assert trade.close_profit_abs == pytest.approx(
        position["realized_pnl"] - position["fees"], abs=1e-6
    )


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_deleveraging_is_heard_and_booked(tmp_path: Path, share: float) -> None:
    """What the exchange takes is off the trade at once; nothing is placed for what is gone."""
    script = fault("adl", after_ms=300, share=share, times=1)
    with Rig(tmp_path, held_market("uptrend"), faults=script) as rig:
        bot = rig.bot()
        trade = force_entry(bot, BTC)
        assert trade is not None
        whole = trade.orders[0].safe_amount  # a part may be gone already on a busy machine
        until(lambda: rig.report() and rig.position("BTCUSDT") < whole)
        until(lambda: stop_service(bot)._book.of(BTC).own == pytest.approx(rig.position("BTCUSDT")))
        loops(bot, 3)
        assert trade.is_open is (share < 1)
        if trade.is_open:
            assert trade.amount == pytest.approx(rig.position("BTCUSDT"))
        assert rig.requests().count("POST algoOrder") == 1
        assert naked_max(rig) == 0


def test_a_fresh_database_makes_no_trade_of_a_persons_position(rig: Rig, tmp_path: Path) -> None:
    """Three trades were entered and left; then somebody buys, and the database is lost."""
    same = {"db_url": f"sqlite:///{tmp_path}/trades.sqlite"}
    bot = rig.bot(**same)
    for _ in range(3):
        unlock(BTC)
        force_entry(bot, BTC)
        bot.process()
        RPC(bot)._rpc_force_exit("all")
        bot.process()
    assert rig.position("BTCUSDT") == 0
    bot.cleanup()
    rig.forget(bot)
    for file in tmp_path.glob("trades.sqlite*"):
        file.unlink()
    trade_by_hand(rig, "BTCUSDT", 0.2)
    bot = rig.bot(**same)
    loops(bot)
    assert Trade.get_open_trades() == []
    assert rig.position("BTCUSDT") == 0.2
    assert len(rig.live_stops("BTCUSDT")) == 1


def test_a_fresh_database_takes_no_more_than_the_remainder(rig: Rig, tmp_path: Path) -> None:
    """What is left of this bot's entries is its trade again, and the rest a person's."""
    same = {"db_url": f"sqlite:///{tmp_path}/trades.sqlite"}
    bot = rig.bot(**same)
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    RPC(bot)._rpc_force_exit(str(trade.id), "market", amount=trade.amount / 2)
    bot.process()
    own = rig.position("BTCUSDT")
    bot.cleanup()
    rig.forget(bot)
    for file in tmp_path.glob("trades.sqlite*"):
        file.unlink()
    trade_by_hand(rig, "BTCUSDT", 0.2)
    bot = rig.bot(**same)
    loops(bot)
    (trade,) = Trade.get_open_trades()
    assert trade.amount == pytest.approx(own)
    RPC(bot)._rpc_force_exit("all")
    loops(bot, 2)
    assert rig.position("BTCUSDT") == pytest.approx(0.2)


def test_a_hand_that_sells_more_than_its_own_takes_that_much_of_the_trade(rig: Rig) -> None:
    """The order was larger; the trade books what it lost, and what is left keeps its stop."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    own = trade.amount
    trade_by_hand(rig, "BTCUSDT", 0.05)
    loops(bot, 3)
    trade_by_hand(rig, "BTCUSDT", -0.068)
    until(rig.report)
    left = rig.position("BTCUSDT")
    assert left == pytest.approx(own + 0.05 - 0.068)

    def is_booked() -> bool:
        loops(bot, 1)  # the history of orders is not asked for in each of them
        return trade.amount == pytest.approx(left)

    until(is_booked)
    assert trade.is_open
    assert max(float(s.request.quantity or 0) for s in rig.live_stops("BTCUSDT")) >= left


def test_a_scalp_by_hand_beside_a_trade_leaves_the_trade_alone(rig: Rig) -> None:
    """Bought and sold before anybody knew of it."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    own, (stop,) = trade.amount, stops(rig)
    trade_by_hand(rig, "BTCUSDT", own)
    trade_by_hand(rig, "BTCUSDT", -own)
    loops(bot, 4)
    assert rig.position("BTCUSDT") == pytest.approx(own)
    assert (trade.is_open, trade.amount) == (True, own)
    assert stop in stops(rig)
