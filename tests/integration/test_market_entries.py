"""Entries at market are judged by the market's price, whatever price they come with."""

import pytest
from freqtrade.exceptions import PricingError
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.errors import EntryRefused
from qt_protections.rules.denial import DenyCode
from tests.integration.rig import BTC, ZEN, Rig, force_entry, naked_max
from tests.integration.test_placement import ENTRY, STOP
from tests.integration.test_risk import account, settings
from tests.integration.test_stop_distance import loss_at_stop

RISK = 0.0075 * 9_900


def force_at(bot: FreqtradeBot, pair: str, side: str, ratio: float) -> Trade:
    """Enter as `/forcelong PAIR PRICE` does, with a price so many times the market's."""
    is_short = side == "short"
    price = bot.exchange.get_rate(pair, refresh=True, side="entry", is_short=is_short) * ratio
    trade = RPC(bot)._rpc_force_entry(pair, price, order_side=side)  # type: ignore[arg-type]
    assert trade is not None
    return trade


def assert_judged_at_the_market(rig: Rig, bot: FreqtradeBot, trade: Trade) -> None:
    """Stop, size and risk follow from the price it filled at."""
    (stop,) = rig.live_stops(trade.pair.partition(":")[0].replace("/", ""))
    trigger = float(stop.request.trigger_price)
    distance = 0.6 / trade.leverage  # the strategy's, of the margin
    assert abs(trigger / trade.open_rate - 1) == pytest.approx(distance, rel=0.01)
    assert loss_at_stop(trade) <= RISK * 1.005
    assert account(bot).open_risk() <= RISK * 1.005
    for _ in range(2):
        bot.process()
    assert trade.is_open
    assert trade.stop_loss == trigger
    assert naked_max(rig) == 0


@pytest.mark.parametrize("ratio", [0.9, 1.1])
@pytest.mark.parametrize(("pair", "side"), [(BTC, "long"), (ZEN, "short")])
def test_a_price_somebody_gives_moves_neither_stop_nor_size(
    rig: Rig, pair: str, side: str, ratio: float
) -> None:
    """Judged by it, a long 10 % below would lose six times its risk, and be liquidated first."""
    bot = rig.bot(max_open_trades=1, **settings())
    trade = force_at(bot, pair, side, ratio)
    assert_judged_at_the_market(rig, bot, trade)
    assert loss_at_stop(trade) >= RISK * 0.85


@pytest.mark.parametrize("ratio", [0.98, 1.02])
def test_nor_does_a_price_the_strategy_gives(rig: Rig, ratio: float) -> None:
    """Freqtrade asks `custom_entry_price` for market orders too, and only live."""
    bot = rig.bot(max_open_trades=1, **settings())
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * ratio  # type: ignore[method-assign]
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert_judged_at_the_market(rig, bot, trade)


def prices_asked(requests: list[str]) -> list[str]:
    """Return the questions for a price."""
    words = ("depth", "ticker", "bookTicker", "price", "24hr", "premiumIndex")
    return [line for line in requests if line.removeprefix("GET ") in words]


def test_the_price_freqtrade_asked_for_is_not_asked_for_again(rig: Rig) -> None:
    """Neither for a new trade nor for an adjustment of one: one question each, Freqtrade's own.

    The guard asks for the spread, of all pairs at once.
    """
    bot = rig.bot("GuardedAdjusting", max_open_trades=1, **settings())
    begin = len(rig.requests())
    trade = force_entry(bot, BTC)
    assert trade is not None
    first = rig.requests()[begin:]
    rig.move("BTCUSDT", 1.004)
    begin = len(rig.requests())
    bot.check_and_call_adjust_trade_position(trade)
    for requests in (first, rig.requests()[begin:]):
        assert requests.count(ENTRY) == 1
        before = requests[: requests.index(ENTRY)]  # the stop moves with the average after that
        assert before.count(STOP) == 1
        assert set(prices_asked(before)) == {"GET depth", "GET bookTicker"}
        assert before.count("GET depth") == 1


def test_without_a_price_there_is_no_entry(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gave another one is told, and nothing was sent."""
    bot = rig.bot(max_open_trades=1, **settings())

    def fail(*_: object, **__: object) -> None:
        raise PricingError("forced by a test")

    monkeypatch.setattr(bot.exchange, "fetch_l2_order_book", fail)
    with pytest.raises(EntryRefused, match=r"the price.*forced by a test") as refused:
        RPC(bot)._rpc_force_entry(BTC, 90_000.0)
    assert refused.value.denial.code is DenyCode.GATE_FAILED
    assert rig.events("stop_accepted", "order_accepted") == []


def test_an_entry_with_a_limit_is_judged_by_that(rig: Rig) -> None:
    """It fills there or better."""
    bot = rig.bot(max_open_trades=1, **settings())
    bot.strategy.order_types["entry"] = "limit"
    trade = force_at(bot, BTC, "long", 0.99)
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.trigger_price) == pytest.approx(trade.open_rate * 0.98, rel=1e-3)
    market = float(rig.venue.tape.last("BTCUSDT"))
    assert trade.open_rate == pytest.approx(market * 0.99, rel=1e-3)
