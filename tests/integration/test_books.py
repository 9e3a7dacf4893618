"""The bot's books against the exchange's, trade by trade."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.rehearsal.engine.ledger import Income
from tests.integration.hands import unlock
from tests.integration.rig import Rig, force_entry, held_market

pytestmark = pytest.mark.long

ROUNDS = 29
BOTH_SIDES = {"uptrend_short_exception_conf": 0.0}
MOVES = (1.004, 0.997, 1.0, 0.97, 1.012, 0.999, 1.03)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """An exchange whose book is so thin that market orders fill at several prices."""
    with Rig(tmp_path, held_market("uptrend"), depth_ratio=0.1, unlimited=True) as opened:
        yield opened


def trade_once(rig: Rig, bot: FreqtradeBot, round_: int) -> None:
    """Open a position in every pair, move the market, pay funding, and close what is left."""
    pairs = bot.config["exchange"]["pair_whitelist"]
    for number, pair in enumerate(pairs):
        unlock(pair)
        force_entry(bot, pair, "short" if (round_ + number) % 3 == 0 else "long")
    if round_ % 4 == 0:
        rig.fund()
        bot.update_funding_fees()  # as Freqtrade's own schedule does, just after each funding time
    for number, pair in enumerate(pairs):
        rig.move(pair.replace("/USDT:USDT", "USDT"), MOVES[(round_ * 3 + number) % len(MOVES)])
    bot.process()
    for trade in Trade.get_open_trades():
        RPC(bot)._rpc_force_exit(str(trade.id))
    bot.process()


def exchange_incomes(rig: Rig) -> dict[str, list[list[Income]]]:
    """Return the incomes of each position of a symbol, in order, from its first fill to flat."""
    found: dict[str, list[list[Income]]] = defaultdict(list)
    for position in rig.report()["positions"]:
        assert position["closed_ms"] is not None
        found[position["symbol"]].append(
            [
                line
                for line in rig.venue.ledger.incomes
                if line.symbol == position["symbol"]
                and position["opened_ms"] <= line.ms <= position["closed_ms"]
            ]
        )
    return found


def forgotten(trade: Trade, incomes: list[Income]) -> Decimal:
    """Return the funding Freqtrade leaves out: `Trade.update_trade` books none with a stop order.

    It is counted into `funding_fees` while the trade is open, and lost when its stop closes it.
    """
    if trade.exit_reason != "stoploss_on_exchange":
        return Decimal(0)
    return sum((line.amount for line in incomes if line.kind == "FUNDING_FEE"), Decimal(0))


def test_profit_per_trade_is_the_exchanges(rig: Rig) -> None:
    """Over 200 trades, stopped or not, long and short, with funding: equal within 1e-6 USDT."""
    bot = rig.bot("GuardedQuiet", max_open_trades=7, qt={**BOTH_SIDES, "max_open_risk": 20.0})
    for round_ in range(ROUNDS):
        trade_once(rig, bot, round_)
    incomes = exchange_incomes(rig)
    booked: dict[str, list[Trade]] = defaultdict(list)
    for trade in Trade.get_trades([]):
        booked[trade.pair.replace("/USDT:USDT", "USDT")].append(trade)
    pairs = [
        pair
        for symbol, trades in booked.items()
        for pair in zip(trades, incomes[symbol], strict=True)
    ]
    assert len(pairs) >= 200
    for trade, lines in pairs:
        earned = sum((line.amount for line in lines), Decimal(0)) - forgotten(trade, lines)
        assert trade.close_profit_abs == pytest.approx(float(earned), abs=1e-6), trade
    funded = [t for t, lines in pairs if any(line.kind == "FUNDING_FEE" for line in lines)]
    assert {t.exit_reason for t in funded} == {"stoploss_on_exchange", "force_exit"}
    assert len({t.is_short for t in funded}) == 2
    prices = defaultdict(set)
    for fill in rig.venue.ledger.trades:
        prices[fill.order_id].add(fill.price)
    assert max(map(len, prices.values())) > 1
