"""What equity is counted in, by the account's collateral; by Freqtrade's own wallets."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.persistence import init_db
from freqtrade.resolvers import ExchangeResolver
from freqtrade.wallets import Wallets

from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import NoStops
from qt_protections.rules.denial import DenyCode
from qt_protections.settings import Settings
from tests.stops.offline import offline_config

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
