"""One service fails, the others answer: a position is covered, or closed by the road that works."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from qt_protections.errors import EntryRefused
from qt_protections.rehearsal.engine.orders import AlgoStatus
from qt_protections.rules.denial import DenyCode
from tests.inside import manager
from tests.integration.hands import by_hand, let_evidence_suffice
from tests.integration.rig import BTC, Rig, force_entry, held_market, naked_max, until
from tests.integration.test_unshown import fault

STOPS = ["POST /fapi/v1/algoOrder", "DELETE /fapi/v1/algoOrder", "GET /fapi/v1/algoOrder"]
OUTAGES = {
    "throttled": fault("busy", endpoints=STOPS),
    "gateway": fault("busy", endpoints=STOPS, status=502),
    "too many orders": fault(
        "refuse", endpoints=STOPS[:1], code=-1015, msg="Too many new orders.", status=429
    ),
    "too many requests": fault("refuse", endpoints=STOPS[:1], code=-1003, status=429),
    "untimely": fault("refuse", endpoints=STOPS[:1], code=-1021),
    "banned": fault("ban", endpoints=STOPS, for_s=10_000),
    "firewall": fault("firewall", endpoints=STOPS, status=403),
    "cut": fault("drop", endpoints=STOPS).replace("[[fault]]", "[[fault]]\nexecuted = false"),
    "silent": fault("hang", endpoints=STOPS).replace("[[fault]]", "[[fault]]\nexecuted = false"),
    "unknown, not done": fault("refuse", endpoints=STOPS[:1], code=-1000, status=503),
    "refused for ever": fault("refuse", endpoints=STOPS[:1], code=-2019),
    "full": fault("refuse", endpoints=STOPS[:1], code=-4045),
    "dead on arrival": fault("dead_on_arrival"),
}


def settings(placement: str, **more: object) -> dict[str, Any]:
    """Return a configuration with a short deadline."""
    return {
        "qt": {
            "trail_callback": None,
            "stop_placement": placement,
            "naked_deadline": 1.0,
            **more,
        }
    }


def loops_until_closed(rig: Rig, bot: FreqtradeBot) -> None:
    """Run the bot's loops until the exchange holds nothing and the books say so."""

    def is_closed() -> bool:
        bot.process()
        return rig.position("BTCUSDT") == 0 and not Trade.get_open_trades()

    until(is_closed)


@pytest.mark.parametrize("script", OUTAGES.values(), ids=OUTAGES)
def test_on_the_fill_what_cannot_be_covered_is_closed(tmp_path: Path, script: str) -> None:
    """The entry was taken, its stop is not: the close goes by the service of plain orders."""
    with Rig(tmp_path, held_market("uptrend"), faults=script, unlimited=True) as rig:
        bot = rig.bot(**settings("on_fill"))
        force_entry(bot, BTC)
        loops_until_closed(rig, bot)
        (trade,) = Trade.get_trades([])
        assert trade.exit_reason == "emergency_exit"
        assert rig.requests().count("POST order") == 2
        (position,) = rig.report()["positions"]
        assert trade.close_profit_abs == pytest.approx(
            position["realized_pnl"] - position["fees"], abs=1e-6
        )


@pytest.mark.parametrize("script", OUTAGES.values(), ids=OUTAGES)
def test_a_stop_that_is_lost_meanwhile(tmp_path: Path, script: str) -> None:
    """It stood before its entry; the exchange withdraws it, and takes no other."""
    with Rig(
        tmp_path, held_market("uptrend"), faults=script, faults_wait=True, unlimited=True
    ) as rig:
        bot = rig.bot(**settings("auto"))
        force_entry(bot, BTC)
        (stop,) = rig.live_stops("BTCUSDT")
        rig.faults.begin()
        rig.does(
            lambda: rig.venue.conditional.withdraw(stop.algo_id, "rejected", AlgoStatus.REJECTED)
        )
        loops_until_closed(rig, bot)
        (trade,) = Trade.get_trades([])
        assert trade.exit_reason == "emergency_exit"


@pytest.mark.parametrize("script", OUTAGES.values(), ids=OUTAGES)
def test_no_entry_goes_out_before_its_stop(tmp_path: Path, script: str) -> None:
    """Nothing is entered, and nothing is left behind."""
    with Rig(tmp_path, held_market("uptrend"), faults=script, unlimited=True) as rig:
        bot = rig.bot(**settings("before_entry"))
        with pytest.raises(EntryRefused) as refused:
            force_entry(bot, BTC)
        assert refused.value.denial.code is DenyCode.STOP_REFUSED
        assert rig.position("BTCUSDT") == 0
        assert Trade.get_open_trades() == []


def test_one_that_is_dead_on_arrival_is_replaced(tmp_path: Path) -> None:
    """The next one lives."""
    script = fault("dead_on_arrival", times=1)
    with Rig(tmp_path, held_market("uptrend"), faults=script) as rig:
        bot = rig.bot(**settings("on_fill"))
        trade = force_entry(bot, BTC)
        assert trade is not None
        (stop,) = rig.live_stops("BTCUSDT")
        assert [order.order_id for order in trade.open_sl_orders] == [str(stop.algo_id)]


def test_a_stop_that_does_not_fire(tmp_path: Path) -> None:
    """It is listed as live, and the price is beyond it: the position is closed at market."""
    script = fault("sleep")
    with Rig(
        tmp_path, held_market("uptrend"), faults=script, faults_wait=True, unlimited=True
    ) as rig:
        bot = rig.bot(**settings("auto"))
        force_entry(bot, BTC)
        rig.faults.begin()
        rig.feed.move("BTCUSDT", 0.977)  # type: ignore[attr-defined]
        loops_until_closed(rig, bot)
        (trade,) = Trade.get_trades([])
        assert trade.exit_reason == "emergency_exit"
        until(lambda: not rig.live_stops("BTCUSDT"))


@pytest.mark.parametrize("hides", ["name", "order", "both"])
def test_a_stop_whose_order_nobody_knows(tmp_path: Path, hides: str) -> None:
    """The position ends as the exchange says, in the books too, and no stop is left over."""
    script = fault("child_unknown", hides=hides, hidden_ms=4_000)
    with Rig(tmp_path, held_market("uptrend"), faults=script, unlimited=True) as rig:
        bot = rig.bot(**settings("auto"))
        force_entry(bot, BTC)
        rig.move("BTCUSDT", 0.978)
        loops_until_closed(rig, bot)
        until(lambda: not rig.live_stops("BTCUSDT"))
        (trade,) = Trade.get_trades([])
        (position,) = rig.report()["positions"]
        assert trade.close_profit_abs == pytest.approx(
            position["realized_pnl"] - position["fees"], abs=1e-6
        )


@pytest.mark.parametrize("restart", ["reload", "none"])
def test_an_entry_that_arrives_after_its_answer_was_lost(
    tmp_path: Path, restart: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stop stands for as long as it may arrive, whatever happens to the process."""
    script = fault(
        "lost",
        endpoints=["POST /fapi/v1/order"],
        status=408,
        executed_after_ms=4_000,
        times=1,
    )
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.SURPLUS_LAG_S", 0.0)
    with Rig(tmp_path, held_market("uptrend"), faults=script, unlimited=True) as rig:
        same = {"db_url": f"sqlite:///{tmp_path}/trades.sqlite"}
        bot = rig.bot(**same)
        with pytest.raises(DependencyException):
            force_entry(bot, BTC)
        (stop,) = rig.live_stops("BTCUSDT")
        if restart == "reload":
            bot.cleanup()
            rig.forget(bot)
            bot = rig.bot(**same)
        # On a busy machine the entry may have arrived by now.
        assert rig.live_stops("BTCUSDT") == [stop]
        until(lambda: rig.report() and rig.position("BTCUSDT") != 0)

        def is_on_record() -> bool:
            bot.process()
            return any(trade.amount for trade in Trade.get_open_trades())

        until(is_on_record)
        assert naked_max(rig) == 0


# Larger than one order at market


def limit_orders(rig: Rig, most: str) -> None:
    """Let one order at market be so much at most."""
    tape = rig.venue.tape["BTCUSDT"]  # contracts are shared with other exchanges
    tape.instrument = replace(tape.instrument, market_max_qty=Decimal(most))


@pytest.mark.parametrize("placement", ["auto", "on_fill"])
def test_a_position_larger_than_one_order_is_covered(rig: Rig, placement: str) -> None:
    """By several stops, which end it together; and restarts keep them."""
    limit_orders(rig, "0.05")
    same = {
        **settings(placement, max_open_risk=5.0),
        "db_url": f"sqlite:///{rig.folder}/trades.sqlite",
    }
    bot = rig.bot(**same)
    force_entry(bot, BTC)
    rig.move("BTCUSDT", 1.004)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") > 0.05
    amounts = [float(s.request.quantity or 0) for s in rig.live_stops("BTCUSDT")]
    assert max(amounts) <= 0.05
    assert sum(amounts) == pytest.approx(rig.position("BTCUSDT"))
    standing = [stop.algo_id for stop in rig.live_stops("BTCUSDT")]
    bot.process()
    bot.cleanup()
    rig.forget(bot)
    bot = rig.bot(**same)
    assert [stop.algo_id for stop in rig.live_stops("BTCUSDT")] == standing
    rig.move("BTCUSDT", 0.97)
    loops_until_closed(rig, bot)
    if placement == "auto":
        assert naked_max(rig) == 0


def test_a_large_position_of_a_person_is_covered_in_parts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by the first loop after a start."""
    let_evidence_suffice(monkeypatch)
    for _ in range(3):
        sent = by_hand(
            rig, "POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.04"
        )
        assert "orderId" in sent
    limit_orders(rig, "0.05")
    rig.bot()
    amounts = [float(s.request.quantity or 0) for s in rig.live_stops("BTCUSDT")]
    assert max(amounts) <= 0.05
    assert sum(amounts) == pytest.approx(0.12)


def test_a_large_position_is_closed_in_parts(rig: Rig) -> None:
    """When no stop is taken."""
    bot = rig.bot(**settings("on_fill", max_open_risk=5.0))
    force_entry(bot, BTC)
    rig.move("BTCUSDT", 1.004)
    force_entry(bot, BTC)
    limit_orders(rig, "0.05")
    keeps = manager(bot)
    keeps.book._largest = lambda _pair: 0.05
    held = keeps.book.of(BTC)
    with held.lock:
        keeps._emergency_close(held, "a test says so")
    assert rig.position("BTCUSDT") == 0
    loops_until_closed(rig, bot)
