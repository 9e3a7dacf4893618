"""What equity is counted in, by the account's collateral; what is held, and what contracts cost.

Wallets, trades and markets are Freqtrade's own.
"""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ccxt import DECIMAL_PLACES
from freqtrade.persistence import init_db
from freqtrade.resolvers import ExchangeResolver
from freqtrade.wallets import Wallets

from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import NoStops
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.liquidation import Bracket
from qt_protections.settings import Settings
from tests.entry.desk import BTC, ETH, TIER, Desk
from tests.stops.offline import offline_config

Make = Callable[..., Desk]

# Name: stake currency, margin mode, proxy coin, what the wallet holds: the coin that is counted,
# and how much of it there is.
TABLE: dict[str, tuple[str, str, str | None, dict[str, float], str, float]] = {
    "plain": ("USDT", "isolated", None, {"USDT": 1000.0}, "USDT", 1000.0),
    "plain, cross": ("USDT", "cross", None, {"USDT": 1000.0}, "USDT", 1000.0),
    "USDC margin": ("USDC", "isolated", None, {"USDC": 1000.0}, "USDC", 1000.0),
    "fees in BNB": ("USDT", "isolated", None, {"USDT": 1000.0, "BNB": 2.0}, "USDT", 1000.0),
    "European": ("USDC", "cross", "BNFCR", {"BNFCR": 1000.0}, "BNFCR", 1000.0),
    "European, pairs of USDT": ("USDT", "cross", "BNFCR", {"BNFCR": 1000.0}, "BNFCR", 1000.0),
    "multi-asset": ("USDT", "cross", "BFUSD", {"BFUSD": 500.0}, "BFUSD", 500.0),
    "proxy coin not named": ("USDC", "cross", None, {"BNFCR": 1000.0}, "USDC", 0.0),
    "proxy coin, isolated": ("USDC", "isolated", "BNFCR", {"BNFCR": 1000.0}, "USDC", 0.0),
    "empty": ("USDT", "isolated", None, {"USDT": 0.0}, "USDT", 0.0),
}


def account_of(
    folder: Path, stake: str, margin: str, proxy: str | None, wallet: dict[str, float]
) -> Account:
    """Return the account of a dry run on Binance futures."""
    init_db("sqlite://")
    config: dict[str, Any] = offline_config(folder, "binance", "futures")
    config |= {"stake_currency": stake, "margin_mode": margin, "dry_run_wallet": wallet}
    config |= {"tradable_balance_ratio": 0.9} | ({"proxy_coin": proxy} if proxy else {})
    config["exchange"] |= {"pair_whitelist": []}
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    dp = SimpleNamespace(_exchange=exchange, _pairlists=None, _config=config)
    strategy: Any = SimpleNamespace(config=config, dp=dp, wallets=Wallets(config, exchange))
    return Account(strategy, Settings(), NoStops)


@pytest.mark.parametrize("name", TABLE)
def test_equity_is_counted_in_the_collateral(tmp_path: Path, name: str) -> None:
    """Where there is none, entries are refused in words that name the coins."""
    stake, margin, proxy, wallet, coin, balance = TABLE[name]
    account = account_of(tmp_path, stake, margin, proxy, wallet)
    assert (account.currency, account.balance) == (coin, balance)
    assert account.equity() == pytest.approx(0.9 * balance)
    denial = account.check_equity(account.equity())
    if balance:
        assert denial is None
        return
    assert denial is not None
    assert denial.code is DenyCode.NO_EQUITY
    assert denial.text.startswith(f"Freqtrade counts in {coin}, and finds none")
    held = next((f"{amount:g} {other}" for other, amount in wallet.items() if amount), "nothing")
    assert f"the account holds {held}." in denial.text
    assert '"proxy_coin"' in denial.text


@pytest.mark.parametrize("coin", ["USDT", "USDC"])
def test_the_regime_is_read_in_the_stake_currency(coin: str) -> None:
    """Contracts of USDC have their own candles."""
    assert Settings().regime_pair_for(coin) == f"BTC/{coin}:{coin}"


# What there is


@pytest.mark.parametrize(
    ("config", "equity"),
    [
        ({}, 1000.0),
        ({"tradable_balance_ratio": 0.4}, 400.0),
        ({"available_capital": 250.0}, 250.0),
        ({"available_capital": 2500.0}, 1000.0),
    ],
)
def test_equity_is_what_freqtrade_may_use_and_the_account_has(
    desk: Make, config: dict[str, Any], equity: float
) -> None:
    """A capital that somebody wrote down beyond the balance is nowhere."""
    assert desk(config=config).account.equity() == equity


def test_on_spot_equity_counts_what_is_tied_up(desk: Make) -> None:
    """There the money has become coins."""
    made = desk(mode="spot", config={"margin_mode": ""})
    made.hold(2.0, "BTC/USDT", leverage=1.0)
    assert not made.account.has_futures
    assert made.account.equity() == pytest.approx(1000.0)
    assert desk().account.has_futures


def test_a_dry_runs_entry_has_paid_its_fee(desk: Make) -> None:
    """An exchange takes it at once, Freqtrade's imitation when the trade is closed."""
    made = desk()
    made.hold(2.0).fee_open = 0.001
    assert made.account.balance == pytest.approx(1000.0 - 0.2)
    made.strategy.config["dry_run"] = False
    assert made.account.balance == pytest.approx(1000.0)


# What is held


@pytest.mark.parametrize("counts", [True, False])
def test_positions_of_others_count_as_it_is_set(desk: Make, counts: bool) -> None:
    """What the bot itself may hold beside its trades always does."""
    made = desk(count_foreign_positions=counts)
    made.hold(1.0)
    by_hand = Exposure(ETH, False, 5.0, 100.0, 99.0, is_foreign=True)
    lost = Exposure(ETH, False, 3.0, 100.0, 99.0)
    made.stops.beside += [by_hand, lost]
    assert [held.amount for held in made.account.all_exposures()] == [1.0, 5.0, 3.0]
    assert [held.amount for held in made.account.exposures()] == [1.0, *[5.0] * counts, 3.0]
    assert made.account.open_risk() == pytest.approx(2.0 + 5.0 * counts + 3.0)


# What a contract costs


def test_costs_hold_the_fee_and_the_slippage_that_is_expected(desk: Make) -> None:
    """As ratios."""
    costs = desk(config={"fee": 0.0004}, stop_slippage=0.05).account.costs(BTC)
    assert (costs.fee_ratio, costs.slippage_ratio) == (0.0004, pytest.approx(0.0005))


def free_of_fees(made: Desk, monkeypatch: pytest.MonkeyPatch, market: float | None) -> None:
    """Have the market tell a fee, and nobody else any."""
    made.exchange._config.pop("fee")
    monkeypatch.setattr(made.exchange._api, "fees", {})
    made.exchange._markets[BTC]["taker"] = market
    made.account._contracts.clear()


@pytest.mark.parametrize(("market", "fee"), [(0.0004, 0.0004), (0.0, 0.0), (None, None)])
def test_no_fee_is_told_from_an_unknown_one(
    desk: Make, monkeypatch: pytest.MonkeyPatch, market: float | None, fee: float | None
) -> None:
    """Freqtrade says 0 of both."""
    made = desk()
    free_of_fees(made, monkeypatch, market)
    told = made.account.costs(BTC).fee_ratio
    assert math.isnan(told) if fee is None else told == fee


def test_a_fee_is_asked_for_until_it_is_known(desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is kept: an exchange changes it once in a long while."""
    made = desk()
    free_of_fees(made, monkeypatch, None)
    assert math.isnan(made.account.costs(BTC).fee_ratio)
    for market, told in ((0.001, 0.001), (0.002, 0.001)):
        made.exchange._markets[BTC]["taker"] = market
        assert made.account.costs(BTC).fee_ratio == told


def test_a_lot_is_in_base_currency(desk: Make) -> None:
    """Whatever a contract is; where an exchange counts digits, nobody rounds here."""
    made = desk()
    assert made.account.contract(BTC).lot == 1e-5
    made.account._contracts.clear()
    made.exchange._markets[BTC]["contractSize"] = 10.0
    assert made.account.contract(BTC).lot == pytest.approx(1e-4)
    made.account._contracts.clear()
    made.exchange._markets[BTC]["precision"]["amount"] = None
    assert made.account.contract(BTC).lot is None


def test_digits_are_no_lot(desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some exchanges name how many there are after the point."""
    made = desk()
    monkeypatch.setattr(made.exchange._api, "precisionMode", DECIMAL_PLACES)
    made.account._contracts.clear()
    assert made.account.contract(BTC).lot is None


def test_contracts_are_known_before_workers_lose_the_exchange(desk: Make) -> None:
    """Hyperopt's have none; a guard that is made there begins without."""
    made = desk()
    made.account._exchange = None  # type: ignore[assignment]
    assert made.account.costs(BTC).fee_ratio == 0.0
    made.strategy.dp._exchange = None
    account = Account(made.strategy, made.settings, lambda: made.stops)
    assert account._contracts == {}


# Where a position is liquidated


def test_brackets_are_read_anew_with_the_markets(desk: Make) -> None:
    """A pair may have had none before; while nothing changes they are worked out once."""
    made = desk()
    first = made.account.brackets(BTC)
    assert first == (Bracket(0.005, 0.0),)
    assert made.account.brackets(BTC) is first
    made.exchange._leverage_tiers = {BTC: [{**TIER, "maintAmt": None}, {**TIER, "maintAmt": 7.0}]}
    assert made.account.brackets(BTC) == (Bracket(0.005, 0.0), Bracket(0.005, 7.0))
    made.exchange._leverage_tiers = {}
    assert made.account.brackets(BTC) == ()


def test_a_bracket_without_a_rate_is_none(desk: Make) -> None:
    """Nor are the others then: the largest counts, and nobody knows which that is."""
    made = desk()
    made.exchange._leverage_tiers = {BTC: [TIER, {**TIER, "maintenanceMarginRate": None}]}
    assert made.account.brackets(BTC) == ()


@pytest.mark.parametrize(("highest", "brackets"), [(50.0, (Bracket(0.01, 0.0),)), (None, ())])
def test_an_exchange_without_tiers_has_one_bracket(
    desk: Make, monkeypatch: pytest.MonkeyPatch, highest: float | None, brackets: object
) -> None:
    """Half the initial margin at the highest leverage, as on Hyperliquid."""
    made = desk()
    monkeypatch.setitem(made.exchange._ft_has, "uses_leverage_tiers", False)
    made.exchange._markets[BTC]["limits"]["leverage"]["max"] = highest
    assert made.account.brackets(BTC) == brackets
    assert made.account.brackets("XRP/USDT:USDT") == ()


# Prices


@pytest.mark.parametrize(
    ("rate", "is_short", "is_best"),
    [(100.01, False, True), (100.0, False, False), (100.0, True, True), (100.01, True, False)],
)
def test_freqtrades_price_is_one_of_the_best(
    desk: Make, rate: float, is_short: bool, is_best: bool
) -> None:
    """A buyer's ask, a seller's bid, as the configuration prices entries."""
    assert desk().account.is_best_price(BTC, rate, is_short=is_short) is is_best


def test_a_price_from_deeper_in_the_book_is_not_the_best(desk: Make) -> None:
    """Though Freqtrade found it itself."""
    made = desk()
    made.strategy.config["entry_pricing"]["order_book_top"] = 2
    assert not made.account.is_best_price(BTC, 100.01, is_short=False)


def test_without_a_price_none_is_the_best(desk: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Then the book is asked, which is a request more and no harm."""
    made = desk()
    made.exchange.fetch_l2_order_book = lambda *_: {"bids": [], "asks": []}
    assert not made.account.is_best_price(BTC, 100.01, is_short=False)
    assert f"Could not read the price of {BTC}: PricingError" in caplog.text


@pytest.mark.parametrize(("dry_run", "slack"), [(True, 0.01), (False, 0.0)])
def test_only_freqtrades_imitation_fills_through_the_book(
    desk: Make, dry_run: bool, slack: float
) -> None:
    """At an order's own price, up to a hundredth."""
    made = desk()
    made.strategy.config["dry_run"] = dry_run
    assert made.account.fill_slack == slack
