"""Three real clients under one face: ccxt, python-binance and Binance's official connector.

Each call is named once by the client's own method; answers come back as plain JSON.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt
import pydantic
from binance.client import Client as PythonBinance
from binance.exceptions import BinanceAPIException
from binance_common.configuration import ConfigurationRestAPI
from binance_common.errors import Error
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.overlay import ccxt_config
from qt_protections.rehearsal.server import RehearsalServer
from tests.patience import PATIENCE_S

# The call, then its name in ccxt, python-binance and the official connector.
_NAMES = """
exchangeInfo fapiPublicGetExchangeInfo futures_exchange_info exchange_information
klines fapiPublicGetKlines futures_klines kline_candlestick_data
continuousKlines fapiPublicGetContinuousKlines futures_continuous_klines continuous_contract_kline_candlestick_data
depth fapiPublicGetDepth futures_order_book order_book
trades fapiPublicGetTrades futures_recent_trades recent_trades_list
historicalTrades fapiPublicGetHistoricalTrades futures_historical_trades old_trades_lookup
aggTrades fapiPublicGetAggTrades futures_aggregate_trades compressed_aggregate_trades_list
markPrice fapiPublicGetPremiumIndex futures_mark_price mark_price
ticker fapiPublicGetTicker24hr futures_ticker ticker24hr_price_change_statistics
openInterest fapiPublicGetOpenInterest futures_open_interest open_interest
insurance fapiPublicGetInsuranceBalance futures_insurance_fund_balance_snapshot query_insurance_fund_balance_snapshot
account fapiPrivateV2GetAccount futures_account account_information_v2
balance fapiPrivateV3GetBalance futures_account_balance futures_account_balance_v3
positions fapiPrivateV3GetPositionRisk futures_position_information position_information_v3
commission fapiPrivateGetCommissionRate futures_commission_rate user_commission_rate
brackets fapiPrivateGetLeverageBracket futures_leverage_bracket notional_and_leverage_brackets
symbolConfig fapiPrivateGetSymbolConfig futures_symbol_config symbol_configuration
accountConfig fapiPrivateGetAccountConfig futures_account_config futures_account_configuration
positionMode fapiPrivateGetPositionSideDual futures_get_position_mode get_current_position_mode
assetsMode fapiPrivateGetMultiAssetsMargin futures_get_multi_assets_mode get_current_multi_assets_mode
feeBurn fapiPrivateGetFeeBurn futures_v1_get_fee_burn get_bnb_burn_status
leverage fapiPrivatePostLeverage futures_change_leverage change_initial_leverage
marginType fapiPrivatePostMarginType futures_change_margin_type change_margin_type
positionMargin fapiPrivatePostPositionMargin futures_change_position_margin modify_isolated_position_margin
marginHistory fapiPrivateGetPositionMarginHistory futures_position_margin_history get_position_margin_change_history
forceOrders fapiPrivateGetForceOrders futures_liquidation_orders users_force_orders
adlQuantile fapiPrivateGetAdlQuantile futures_adl_quantile_estimate position_adl_quantile_estimation
testOrder fapiPrivatePostOrderTest futures_create_test_order test_order
newOrder fapiPrivatePostOrder futures_create_order new_order
getOrder fapiPrivateGetOrder futures_get_order query_order
openOrder fapiPrivateGetOpenOrder futures_v1_get_open_order query_current_open_order
openOrders fapiPrivateGetOpenOrders futures_get_open_orders current_all_open_orders
allOrders fapiPrivateGetAllOrders futures_get_all_orders all_orders
cancelOrder fapiPrivateDeleteOrder futures_cancel_order cancel_order
amendOrder fapiPrivatePutOrder futures_modify_order modify_order
amendments fapiPrivateGetOrderAmendment futures_v1_get_order_amendment get_order_modify_history
newBatch fapiPrivatePostBatchOrders futures_place_batch_order place_multiple_orders
amendBatch fapiPrivatePutBatchOrders futures_v1_put_batch_orders modify_multiple_orders
cancelBatch fapiPrivateDeleteBatchOrders futures_cancel_orders cancel_multiple_orders
cancelAll fapiPrivateDeleteAllOpenOrders futures_cancel_all_open_orders cancel_all_open_orders
countdown fapiPrivatePostCountdownCancelAll futures_countdown_cancel_all auto_cancel_all_open_orders
newAlgo fapiPrivatePostAlgoOrder futures_create_algo_order new_algo_order
getAlgo fapiPrivateGetAlgoOrder futures_get_algo_order query_algo_order
openAlgos fapiPrivateGetOpenAlgoOrders futures_get_open_algo_orders current_all_algo_open_orders
allAlgos fapiPrivateGetAllAlgoOrders futures_get_all_algo_orders query_all_algo_orders
cancelAlgo fapiPrivateDeleteAlgoOrder futures_cancel_algo_order cancel_algo_order
cancelAlgos fapiPrivateDeleteAlgoOpenOrders futures_cancel_all_algo_open_orders cancel_all_algo_open_orders
userTrades fapiPrivateGetUserTrades futures_account_trades account_trade_list
income fapiPrivateGetIncome futures_income_history get_income_history
"""  # noqa: E501 - a table
NAMES = {row[0]: tuple(row[1:]) for row in (line.split() for line in _NAMES.split("\n")) if row}
KINDS = ("ccxt", "python-binance", "official")


class Ccxt:
    """The implicit methods of ccxt as the overlay sets it up."""

    def __init__(self, server: RehearsalServer) -> None:
        """Connect."""
        config: Any = ccxt_config(server.port)
        self._client = ccxt.binance({"apiKey": API_KEY, "secret": API_SECRET, **config})

    def __call__(self, call: str, **params: Any) -> Any:
        """Call the implicit method."""
        return getattr(self._client, NAMES[call][0])(params)

    def refused(self, call: str, **params: Any) -> int:
        """Return the code in the error's text."""
        try:
            self(call, **params)
        except ccxt.BaseError as error:
            return int(re.findall(r'"code":(-\d+)', str(error))[0])
        return 0

    @property
    def headers(self) -> Any:
        """Headers of the latest answer."""
        return self._client.last_response_headers

    def close(self) -> None:
        """Hang up."""
        self._client.session.close()


class Binance:
    """The futures methods of python-binance."""

    def __init__(self, server: RehearsalServer) -> None:
        """Connect; the address of the futures host is an attribute of the client."""
        check = {"verify": str(server.certificate)}
        self._client = PythonBinance(API_KEY, API_SECRET, requests_params=check, ping=False)
        self._client.FUTURES_URL = f"{server.url}/fapi"

    def __call__(self, call: str, **params: Any) -> Any:
        """Call the client's method."""
        return getattr(self._client, NAMES[call][1])(**params)

    def refused(self, call: str, **params: Any) -> int:
        """Return the error's code."""
        try:
            self(call, **params)
        except BinanceAPIException as error:
            return int(error.code)
        return 0

    @property
    def headers(self) -> Any:
        """Headers of the latest answer."""
        return self._client.response.headers

    def close(self) -> None:
        """Hang up."""
        self._client.session.close()


class Official:
    """Binance's own connector; its models complain in the log where a type is not theirs."""

    def __init__(self, server: RehearsalServer) -> None:
        """Connect."""
        self.headers: Any = {}
        configuration = ConfigurationRestAPI(
            api_key=API_KEY,
            api_secret=API_SECRET,
            base_path=server.url,
            timeout=round(PATIENCE_S * 1000),
            retries=0,
            https_agent=ssl.create_default_context(cafile=str(server.certificate)),
        )
        self._client = DerivativesTradingUsdsFutures(config_rest_api=configuration).rest_api

    def __call__(self, call: str, **params: Any) -> Any:
        """Call the client's method and return what its model kept."""
        named = {re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", k): v for k, v in params.items()}
        answer = getattr(self._client, NAMES[call][2])(**named)
        self.headers = answer.headers
        return _plain(answer.data())

    def refused(self, call: str, **params: Any) -> int:
        """Return the error's code."""
        try:
            self(call, **params)
        except Error as error:
            return int(getattr(error, "status_code", 0) or 0)
        return 0

    def close(self) -> None:
        """Hang up."""
        self._client._session.close()


@contextmanager
def connected(kind: str, server: RehearsalServer) -> Iterator[Any]:
    """A client of one of `KINDS`."""
    made = {"ccxt": Ccxt, "python-binance": Binance, "official": Official}[kind](server)
    try:
        yield made
    finally:
        made.close()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, pydantic.BaseModel):
        return _plain(getattr(value, "actual_instance", None) or value.to_dict())
    return value
