"""The hooks of Freqtrade that the guard stands on, and their comparison with the installed ones.

Freqtrade's internals are not a stable interface. A changed hook must stop the start with its name.
Without that, Freqtrade might no longer ask one of the guard's gates, and nobody would know.
"""

import inspect
from importlib import import_module

from freqtrade import __version__ as freqtrade_version
from freqtrade.data.dataprovider import DataProvider

from qt_protections.errors import GuardNotInstalled
from qt_protections.host.versions import WAY_OUT

#: module:attribute path -> parameter names, in order, as of Freqtrade 2026.9; none of a property.
KNOWN_HOOKS: dict[str, str] = {
    "freqtrade.data.dataprovider:DataProvider": "config exchange pairlists rpc",
    "freqtrade.data.dataprovider:DataProvider.current_whitelist": "self",
    "freqtrade.data.dataprovider:DataProvider.get_analyzed_dataframe": "self pair timeframe",
    "freqtrade.data.dataprovider:DataProvider.ohlcv": "self pair timeframe copy candle_type",
    "freqtrade.data.history:load_pair_history": (
        "pair timeframe datadir timerange fill_up_missing drop_incomplete "
        "startup_candles data_format data_handler candle_type"
    ),
    "freqtrade.exchange.exchange:Exchange._amount_to_contracts": "self pair amount",
    "freqtrade.exchange.exchange:Exchange._contracts_to_amount": "self pair num_contracts",
    "freqtrade.exchange.exchange:Exchange._get_params": (
        "self side ordertype leverage reduceOnly time_in_force"
    ),
    "freqtrade.exchange.exchange:Exchange._lev_prep": "self pair leverage side accept_fail",
    "freqtrade.exchange.exchange:Exchange._order_contracts_to_amount": "self order",
    "freqtrade.exchange.exchange:Exchange._order_needs_price": "self side ordertype",
    "freqtrade.exchange.exchange:Exchange._set_startup_candle_count": "self config",
    "freqtrade.exchange.exchange:Exchange.amount_to_precision": "self pair amount",
    "freqtrade.exchange.exchange:Exchange.cancel_order": "self order_id pair params",
    "freqtrade.exchange.exchange:Exchange.cancel_stoploss_order": "self order_id pair params",
    "freqtrade.exchange.exchange:Exchange.cancel_stoploss_order_with_result": (
        "self order_id pair amount"
    ),
    "freqtrade.exchange.exchange:Exchange.create_order": (
        "self pair ordertype side amount rate leverage time_in_force reduceOnly initial_order"
    ),
    "freqtrade.exchange.exchange:Exchange.create_stoploss": (
        "self pair amount stop_price order_types side leverage"
    ),
    "freqtrade.exchange.exchange:Exchange.fetch_l2_order_book": "self pair limit",
    "freqtrade.exchange.exchange:Exchange.fetch_order": "self order_id pair params",
    "freqtrade.exchange.exchange:Exchange.fetch_orders": "self pair since params",
    "freqtrade.exchange.exchange:Exchange.fetch_positions": "self pair params",
    "freqtrade.exchange.exchange:Exchange.fetch_stoploss_order": "self order_id pair params",
    "freqtrade.exchange.exchange:Exchange.fetch_ticker": "self pair",
    "freqtrade.exchange.exchange:Exchange.get_contract_size": "self pair",
    "freqtrade.exchange.exchange:Exchange.get_fee": (
        "self symbol order_type side amount price taker_or_maker"
    ),
    "freqtrade.exchange.exchange:Exchange.get_min_pair_stake_amount": (
        "self pair price stoploss leverage"
    ),
    "freqtrade.exchange.exchange:Exchange.get_option": "self param default",
    "freqtrade.exchange.exchange:Exchange.get_pair_base_currency": "self pair",
    "freqtrade.exchange.exchange:Exchange.get_precision_amount": "self pair",
    "freqtrade.exchange.exchange:Exchange.get_precision_price": "self pair",
    "freqtrade.exchange.exchange:Exchange.get_proxy_coin": "self",
    "freqtrade.exchange.exchange:Exchange.get_rate": (
        "self pair refresh side is_short order_book ticker"
    ),
    "freqtrade.exchange.exchange:Exchange.id": "",
    "freqtrade.exchange.exchange:Exchange.markets": "",
    "freqtrade.exchange.exchange:Exchange.name": "",
    "freqtrade.exchange.exchange:Exchange.precisionMode": "",
    "freqtrade.exchange.exchange:Exchange.precision_mode_price": "",
    "freqtrade.exchange.exchange:Exchange.price_to_precision": "self pair price rounding_mode",
    "freqtrade.exchange.exchange:Exchange.reload_markets": "self force load_leverage_tiers",
    "freqtrade.exchange.exchange:Exchange.validate_ordertypes": "self order_types",
    "freqtrade.freqtradebot:FreqtradeBot._update_trade_after_fill": "self trade order send_msg",
    "freqtrade.freqtradebot:FreqtradeBot.cancel_stoploss_on_exchange": (
        "self trade allow_nonblocking"
    ),
    "freqtrade.freqtradebot:FreqtradeBot.handle_onexchange_order": "self trade",
    "freqtrade.freqtradebot:FreqtradeBot.handle_stoploss_on_exchange": "self trade",
    "freqtrade.freqtradebot:FreqtradeBot.update_trade_state": (
        "self trade order_id action_order stoploss_order send_msg"
    ),
    "freqtrade.persistence.custom_data:_CustomData": "kwargs",
    "freqtrade.persistence.pairlock_middleware:PairLocks.get_pair_locks": "pair now side",
    "freqtrade.persistence.pairlock_middleware:PairLocks.unlock_reason": "reason now",
    "freqtrade.persistence.trade_model:LocalTrade.bt_trades_open": "",
    "freqtrade.persistence.trade_model:LocalTrade.bt_trades_open_pp": "",
    "freqtrade.persistence.trade_model:Order.order_by_id": "order_id pair",
    "freqtrade.persistence.trade_model:Order.order_date_utc": "",
    "freqtrade.persistence.trade_model:Order.order_filled_utc": "",
    "freqtrade.persistence.trade_model:Order.parse_from_ccxt_object": (
        "order pair side amount price"
    ),
    "freqtrade.persistence.trade_model:Order.safe_amount": "",
    "freqtrade.persistence.trade_model:Order.safe_amount_after_fee": "",
    "freqtrade.persistence.trade_model:Order.safe_filled": "",
    "freqtrade.persistence.trade_model:Order.safe_price": "",
    "freqtrade.persistence.trade_model:Order.stake_amount_filled": "",
    "freqtrade.persistence.trade_model:Order.to_ccxt_object": "self stopPriceName",
    "freqtrade.persistence.trade_model:Order.trade": "",
    "freqtrade.persistence.trade_model:Order.update_from_ccxt_object": "self order",
    "freqtrade.persistence.trade_model:Trade.adjust_stop_loss": (
        "self current_price stoploss initial allow_refresh"
    ),
    "freqtrade.persistence.trade_model:Trade.close": "self rate show_msg",
    "freqtrade.persistence.trade_model:Trade.close_date_utc": "",
    "freqtrade.persistence.trade_model:Trade.commit": "",
    "freqtrade.persistence.trade_model:Trade.date_last_filled_utc": "",
    "freqtrade.persistence.trade_model:Trade.delete": "self",
    "freqtrade.persistence.trade_model:Trade.entry_side": "",
    "freqtrade.persistence.trade_model:Trade.exit_side": "",
    "freqtrade.persistence.trade_model:Trade.fully_canceled_entry_order_count": "",
    "freqtrade.persistence.trade_model:Trade.get_custom_data": "self key default",
    "freqtrade.persistence.trade_model:Trade.get_open_trades": "",
    "freqtrade.persistence.trade_model:Trade.get_trades": "trade_filter include_orders",
    "freqtrade.persistence.trade_model:Trade.get_trades_proxy": "pair is_open open_date close_date",
    "freqtrade.persistence.trade_model:Trade.has_open_orders": "",
    "freqtrade.persistence.trade_model:Trade.has_open_position": "",
    "freqtrade.persistence.trade_model:Trade.open_date_utc": "",
    "freqtrade.persistence.trade_model:Trade.open_sl_orders": "",
    "freqtrade.persistence.trade_model:Trade.recalc_open_trade_value": "self",
    "freqtrade.persistence.trade_model:Trade.recalc_trade_from_orders": "self is_closing",
    "freqtrade.persistence.trade_model:Trade.rollback": "",
    "freqtrade.persistence.trade_model:Trade.select_filled_orders": "self order_side",
    "freqtrade.persistence.trade_model:Trade.select_order_by_order_id": "self order_id",
    "freqtrade.persistence.trade_model:Trade.set_custom_data": "self key value",
    "freqtrade.persistence.trade_model:Trade.sl_orders": "",
    "freqtrade.persistence.trade_model:Trade.use_db": "",
    "freqtrade.plugins.protectionmanager:ProtectionManager": "config protections",
    "freqtrade.plugins.protectionmanager:ProtectionManager.global_stop": (
        "self now side starting_balance"
    ),
    "freqtrade.plugins.protectionmanager:ProtectionManager.stop_per_pair": (
        "self pair now side starting_balance"
    ),
    "freqtrade.resolvers.iresolver:IResolver.build_search_paths": "config user_subdir extra_dirs",
    "freqtrade.rpc.rpc:RPC": "freqtrade",
    "freqtrade.rpc.rpc_manager:RPCManager": "freqtrade",
    "freqtrade.strategy.interface:IStrategy.adjust_trade_position": (
        "self trade current_time current_rate current_profit min_stake max_stake "
        "current_entry_rate current_exit_rate current_entry_profit current_exit_profit "
        "kwargs"
    ),
    "freqtrade.strategy.interface:IStrategy.advise_entry": "self dataframe metadata",
    "freqtrade.strategy.interface:IStrategy.advise_indicators": "self dataframe metadata",
    "freqtrade.strategy.interface:IStrategy.analyze": "self pairs",
    "freqtrade.strategy.interface:IStrategy.bot_loop_start": "self current_time kwargs",
    "freqtrade.strategy.interface:IStrategy.bot_start": "self kwargs",
    "freqtrade.strategy.interface:IStrategy.confirm_trade_entry": (
        "self pair order_type amount rate time_in_force current_time entry_tag side kwargs"
    ),
    "freqtrade.strategy.interface:IStrategy.custom_stake_amount": (
        "self pair current_time current_rate proposed_stake min_stake max_stake "
        "leverage entry_tag side kwargs"
    ),
    "freqtrade.strategy.interface:IStrategy.ft_bot_cleanup": "self",
    "freqtrade.strategy.interface:IStrategy.ft_stoploss_adjust": (
        "self current_rate trade current_time current_profit force_stoploss low high "
        "bound_profit after_fill"
    ),
    "freqtrade.strategy.interface:IStrategy.get_entry_signal": "self pair timeframe dataframe",
    "freqtrade.strategy.interface:IStrategy.get_strategy_name": "self",
    "freqtrade.strategy.interface:IStrategy.informative_pairs": "self",
    "freqtrade.strategy.interface:IStrategy.is_pair_locked": "self pair candle_date side",
    "freqtrade.strategy.interface:IStrategy.leverage": (
        "self pair current_time current_rate proposed_leverage max_leverage entry_tag side kwargs"
    ),
    "freqtrade.strategy.strategy_wrapper:strategy_safe_wrapper": (
        "f message default_retval supress_error"
    ),
    "freqtrade.wallets:Wallets.get_all_balances": "self",
    "freqtrade.wallets:Wallets.get_total": "self currency",
    "freqtrade.wallets:Wallets.get_total_stake_amount": "self",
    "freqtrade.wallets:Wallets.update": "self require_update",
}

#: Class -> what its objects have, beside the hooks. No class shows these before it has an object.
KNOWN_ATTRIBUTES = {
    "DataProvider": ("_config", "_exchange", "_pairlists"),
    "Exchange": ("_api", "_api_async", "_config", "_leverage_tiers", "required_candle_call_count"),
}

#: Modules that only a bot that trades loads.
_OF_THE_BOT = ("freqtrade.freqtradebot:", "freqtrade.rpc.")


def verify_hooks(known: dict[str, str] | None = None, *, trades: bool = True) -> None:
    """Compare Freqtrade's hooks with the ones the guard was written for.

    Args:
        known: The hooks; the guard's if None.
        trades: Whether a bot runs. Backtests have none: to load its modules takes a fifth of a
            second and 9 MB.

    Raises:
        GuardNotInstalled: If one is missing or takes other parameters; names each.
    """
    expected = KNOWN_HOOKS if known is None else known
    changed = [
        text
        for path, names in expected.items()
        if (trades or not path.startswith(_OF_THE_BOT)) and (text := _difference(path, names))
    ]
    if changed:
        raise GuardNotInstalled(
            f"Freqtrade {freqtrade_version} changed hooks the guard stands on: "
            f"{'; '.join(changed)}. {WAY_OUT}"
        )


def verify_attributes(dp: DataProvider) -> None:
    """Look whether the bot's own objects have what the guard reads of them.

    Args:
        dp: The strategy's, at the start of a bot or a backtest.

    Raises:
        GuardNotInstalled: If an attribute is missing; names each.
    """
    objects = {"DataProvider": dp, "Exchange": getattr(dp, "_exchange", None)}
    missing = [
        f"{owner}.{name} is gone"
        for owner, names in KNOWN_ATTRIBUTES.items()
        for name in names
        if objects[owner] is not None and not hasattr(objects[owner], name)
    ]
    if missing:
        raise GuardNotInstalled(
            f"Freqtrade {freqtrade_version} changed attributes the guard reads: "
            f"{'; '.join(missing)}. {WAY_OUT}"
        )


def _difference(path: str, expected: str) -> str | None:
    module_name, attribute_path = path.split(":")
    try:
        hook = import_module(module_name)
        for attribute in attribute_path.split("."):
            hook = getattr(hook, attribute)
    except (ImportError, AttributeError):
        return f"{attribute_path} is gone"
    found = " ".join(inspect.signature(hook).parameters) if callable(hook) else ""
    return None if found == expected else f"{attribute_path} takes ({found}), known is ({expected})"
