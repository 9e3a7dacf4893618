"""The second config file that points Freqtrade at the rehearsal exchange."""

from collections.abc import Iterable

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, Instrument

# ccxt chooses its table of futures errors by the beginning of the URL
# (binance.py, get_exceptions_by_url); on a bare loopback address -2021, -2022 and others would
# come out as plain ExchangeError. A user name in the address makes it begin as ccxt expects.
_PREFIXES = {"fapi": "demo-fapi:x@", "dapi": "demo-dapi:x@", "api": "demo-api:x@"}
_PATHS = {
    "fapiPublic": "fapi/v1",
    "fapiPublicV2": "fapi/v2",
    "fapiPublicV3": "fapi/v3",
    "fapiPrivate": "fapi/v1",
    "fapiPrivateV2": "fapi/v2",
    "fapiPrivateV3": "fapi/v3",
    "fapiData": "futures/data",
    "dapiPublic": "dapi/v1",
    "dapiPrivate": "dapi/v1",
    "dapiPrivateV2": "dapi/v2",
    "dapiData": "futures/data",
    "eapiPublic": "eapi/v1",
    "eapiPrivate": "eapi/v1",
    "papi": "papi/v1",
    "papiV2": "papi/v2",
    "sapi": "sapi/v1",
    "sapiV2": "sapi/v2",
    "sapiV3": "sapi/v3",
    "sapiV4": "sapi/v4",
    "public": "api/v3",
    "private": "api/v3",
    "v1": "api/v1",
}


def api_urls(port: int) -> dict[str, str]:
    """Return every base URL ccxt knows for Binance, all on loopback at `port`."""
    return {
        name: f"https://{_PREFIXES.get(path.split('/')[0], '')}127.0.0.1:{port}/{path}"
        for name, path in _PATHS.items()
    }


def ws_urls(port: int) -> JsonObject:
    """Return every websocket address ccxt.pro knows for Binance, all on loopback at `port`.

    ccxt.pro puts the category into the futures address by itself; only futures are served.
    """
    root = f"wss://127.0.0.1:{port}"
    futures = dict.fromkeys(("spot", "margin", "linear", "inverse", "stock"), f"{root}/ws")
    options = {
        "option": f"{root}/public/ws",
        "optionMarket": f"{root}/market/ws",
        "optionPrivate": f"{root}/private/ws",
        "papi": f"{root}/pm/ws",
    }
    calls = dict.fromkeys(("spot", "linear", "inverse"), f"{root}/ws-fapi/v1")
    return futures | options | {"ws-api": calls}


def ccxt_config(port: int) -> JsonObject:
    """Return the ccxt options for the exchange at `port`, keys left out."""
    return {
        "enableRateLimit": False,
        # The certificate is made anew at each start of the exchange and signed by nobody.
        "verify": False,
        "options": {
            "fetchMarkets": {"types": ["linear"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
        },
        "urls": {"api": api_urls(port) | {"ws": ws_urls(port)}},
    }


def config_overlay(port: int, instruments: Iterable[Instrument] = INSTRUMENTS) -> JsonObject:
    """Return the config to pass to `freqtrade` as its last `-c`, with the pairs to trade."""
    return {
        "bot_name": "rehearsal",
        "dry_run": False,
        "db_url": "sqlite:///rehearsal.sqlite",
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "exchange": {
            "name": "binance",
            "api_key": API_KEY,  # preferred to `key`, so a key of the user's own does not count
            "secret": API_SECRET,
            "enable_ws": False,
            "only_from_ccxt": True,
            "ccxt_config": ccxt_config(port),
            "ccxt_sync_config": {},
            "ccxt_async_config": {},
            "pair_whitelist": [f"{item.base}/USDT:USDT" for item in instruments],
            "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}],
    }
