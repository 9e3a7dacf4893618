"""A signal that was refused and stands on costs no request until something has changed."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import Mock

import pytest
import time_machine
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks, Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.entry.decision import Decision
from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import EntryRequest
from tests.inside import runtime_of
from tests.integration.hands import trade_by_hand
from tests.integration.rig import BTC, ETH, SOL, Rig, force_entry
from tests.patience import until

#: The strategy's candle; none turns in a test unless the test lets one.
CANDLE = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def quiet_candle(quiet_hour: None) -> Iterator[None]:
    """Begin each test, and not the module only, soon after a candle did, and after funding."""
    now = datetime.now(UTC)
    since_candle = (now - datetime(2000, 1, 1, tzinfo=UTC)) % CANDLE
    with time_machine.travel(now - since_candle + timedelta(minutes=2), tick=True):
        yield


def start(rig: Rig, **changes: Any) -> FreqtradeBot:
    """Start a bot with a standing signal on each pair, and stop the clock of its memory."""
    bot = rig.bot("GuardedAlways", timeframe="15m", **changes)
    post_of(bot).pre_trade.policy._refusals._clock = lambda: 0.0
    return bot


def post_of(bot: FreqtradeBot) -> Any:
    """Return the guard's post."""
    strategy: Any = bot.strategy
    return runtime_of(strategy)


def refusals(bot: FreqtradeBot) -> dict[str, tuple[DenyCode, int]]:
    """Return per pair what was refused last, and in how many candles."""
    refused = post_of(bot).operator_log.refused.values()
    return {each.pair: (each.denial.code, each.count) for each in refused}


def judged(rig: Rig, bot: FreqtradeBot) -> int:
    """Run a loop, and return how many signals Freqtrade asked the exchange for.

    It reads the balance, the positions and an order book for each. The guard reads the positions
    once, and without an open trade nobody else reads a book.
    """
    begin = len(rig.requests())
    bot.process()
    lines = rig.requests()[begin:]
    signals = lines.count("GET account")
    assert lines.count("GET positionRisk") == 1 + signals
    assert Trade.get_open_trades() or lines.count("GET depth") <= signals
    return signals


def with_full_risk(rig: Rig) -> FreqtradeBot:
    """Start a bot beside somebody's position that risks more than all may; its stop stands."""
    trade_by_hand(rig, "ETHUSDT", 6.0)
    bot = start(rig)

    def stop_is_known() -> bool:
        (stranger,) = post_of(bot).account.all_exposures()
        stops = rig.live_stops("ETHUSDT")
        return bool(stops) and float(stops[0].request.trigger_price or 0) == stranger.stop

    until(stop_is_known)
    until(lambda: judged(rig, bot) == 0)
    return bot


def asked_anew(bot: FreqtradeBot, pair: str, *, is_short: bool) -> DenyCode | None:
    """Return what the rules say of a new entry now."""
    entries, heard = post_of(bot).pre_trade.policy, []
    entries.observe = heard.append
    rate = bot.exchange.get_rate(pair, refresh=True, side="entry", is_short=is_short)
    wish = EntryRequest(pair, is_short, rate, 30.0)
    entries.capped_stake(100.0, wish, datetime.now(UTC), None)
    entries.observe = None
    (decision,) = heard
    assert isinstance(decision, Decision)
    return decision.code


def test_a_standing_signal_is_refused_without_a_request(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the second loop on, until the blocker is gone: that very loop enters."""
    caplog.set_level(logging.INFO)
    bot = with_full_risk(rig)
    pairs = bot.active_pair_whitelist
    open_risk = {pair: (DenyCode.OPEN_RISK_FULL, 1) for pair in pairs}
    assert refusals(bot) == open_risk | {ETH: (DenyCode.ENTRY_UNSETTLED, 1)}
    said = len(caplog.messages)
    for _ in range(3):
        assert judged(rig, bot) == 0
    assert not [line for line in caplog.messages[said:] if "locked" in line or "Skipping" in line]
    assert refusals(bot) == open_risk | {ETH: (DenyCode.ENTRY_UNSETTLED, 1)}
    with monkeypatch.context() as patch:
        spread = Mock()
        patch.setattr(post_of(bot).stops, "quote", spread)
        assert asked_anew(bot, BTC, is_short=False) is DenyCode.OPEN_RISK_FULL
        spread.assert_not_called()

    with pytest.raises(EntryRefused, match="all positions together already risk"):
        force_entry(bot, SOL)
    assert judged(rig, bot) == 0, "a forced entry is asked for by itself"

    with time_machine.travel(datetime.now(UTC) + CANDLE, tick=True):
        assert judged(rig, bot) >= len(pairs) - 1, "a new candle"
        assert judged(rig, bot) == 0
        assert refusals(bot)[BTC] == (DenyCode.OPEN_RISK_FULL, 2)

        trade_by_hand(rig, "ETHUSDT", -6.0)
        for _ in range(3):
            assert Trade.get_open_trades() == []
            bot.process()
            if not [each for each in post_of(bot).account.all_exposures() if each.is_foreign]:
                break
        assert Trade.get_open_trades() != []


def test_a_trade_that_closes_lets_the_next_one_in(rig: Rig) -> None:
    """One position takes all the risk there may be, and leaves."""
    bot = start(rig, max_open_trades=0, qt={"max_open_risk": 0.75, "trail_callback": None})
    bot.config["max_open_trades"] = 3
    trade = force_entry(bot, BTC)
    assert trade is not None
    until(lambda: judged(rig, bot) == 0)  # what the fill and its stop have changed is known
    assert refusals(bot)[SOL] == (DenyCode.OPEN_RISK_FULL, 1)
    assert judged(rig, bot) == 0
    rig.move("BTCUSDT", 1.002)
    assert judged(rig, bot) == 0, "a price alone is no reason to ask"
    RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()
    assert not trade.is_open
    assert [each.pair for each in Trade.get_open_trades()] == [ETH]


def test_a_balance_that_grows_lets_the_signal_in(rig: Rig) -> None:
    """Five USDT are too few for a smallest order; ten thousand are not."""
    rig.venue.account.wallet = Decimal(5)
    bot = start(rig, max_open_trades=1)
    assert {code for code, _ in refusals(bot).values()} == {DenyCode.STAKE_TOO_SMALL}
    assert judged(rig, bot) == 0
    rig.venue.account.wallet = Decimal(10_000)
    assert judged(rig, bot) == 0, "nobody has read the balance yet"
    bot.wallets.update()
    bot.process()
    assert [each.pair for each in Trade.get_open_trades()] == [BTC]


def test_without_a_memory_every_signal_is_asked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in what is remembered refuses nothing, and is said once."""
    bot = with_full_risk(rig)
    before = len(caplog.messages)
    with monkeypatch.context() as patch:
        patch.setattr(post_of(bot).pre_trade.policy._refusals, "_version", lambda _: 1 / 0)
        for _ in range(2):
            assert judged(rig, bot) == len(bot.active_pair_whitelist) - 1
        lines = [line for line in caplog.messages[before:] if "no memory of them" in line]
        assert len(lines) == 1
    bot.process()
    assert judged(rig, bot) == 0


def test_a_locked_pair_costs_nothing_and_an_unlocked_one_enters(rig: Rig) -> None:
    """Freqtrade asks for locks first, and nobody remembers them."""
    bot = start(rig, max_open_trades=0)
    bot.config["max_open_trades"] = 1
    PairLocks.lock_pair("*", datetime.now(UTC) + timedelta(minutes=5), "by hand")
    assert judged(rig, bot) == 0
    PairLocks.unlock_pair("*")
    bot.process()
    assert [each.pair for each in Trade.get_open_trades()] == [BTC]
