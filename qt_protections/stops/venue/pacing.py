"""Slows the bot's own questions rather than have the address banned.

Freqtrade's requests and the guard's are counted together. ccxt paces each of its objects by itself,
and Freqtrade has two. So near the limit what the bot asks of the market waits: candles, order
books, tickers. What it asks of the account does not, since exits begin with such questions; and
what it sends never does.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ccxt
from freqtrade.exchange import Exchange

from qt_protections.stops.venue.budget import Budget
from qt_protections.stops.venue.failures import classify

#: The longest pause of a question that the bot's loop waits for, seconds: the price of an exit is
#: among those, and the lock of the trades, which a person's `/forceexit` waits for, may be held.
#: Candles are asked for by the other client, and wait longer.
_LONGEST_S = 1.0


def pace(exchange: Exchange, budget: Budget, pause: Callable[[float], None] = time.sleep) -> None:
    """Put the budget before each request of Freqtrade's two clients.

    While the exchange wants nothing from this address, questions fail at once, with the error that
    Freqtrade would get for them: each one that is sent makes a ban longer.

    Args:
        exchange: The bot's exchange, Binance USD-M futures.
        budget: Who counts.
        pause: Waits for some seconds.
    """
    _pace(exchange._api, budget, pause)
    _pace_async(exchange._api_async, budget)


def _pace(api: Any, budget: Budget, pause: Callable[[float], None]) -> None:
    send = api.fetch2

    def fetch2(*request: Any) -> Any:  # ccxt hands all five over by place
        with _counted(api, budget, *request) as pause_s:
            if pause_s > 0:
                pause(min(pause_s, _LONGEST_S))
            return send(*request)

    api.fetch2 = fetch2


def _pace_async(api: Any, budget: Budget) -> None:
    send = api.fetch2

    async def fetch2(*request: Any) -> Any:  # ccxt hands all five over by place
        with _counted(api, budget, *request) as pause_s:
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            return await send(*request)

    api.fetch2 = fetch2


@contextmanager
def _counted(
    api: Any,
    budget: Budget,
    path: str,
    section: Any,
    method: str,
    params: Mapping[str, Any],
    config: Mapping[str, Any],
) -> Iterator[float]:
    """Count a request; yield how long it should wait, seconds.

    Raises:
        ccxt.DDoSProtection: If the exchange wants no questions now.
    """
    if "fapi" not in str(section):
        yield 0.0  # other services count by themselves
        return
    asks = method == "GET"
    if asks and (silent_s := budget.silent_s):
        raise ccxt.DDoSProtection(
            f"{api.id} too many requests: nothing is asked for {silent_s:.0f} s"
        )
    weight = float(api.calculate_rate_limiter_cost(section, method, path, params, config))
    pause_s = budget.begin(weight)
    headers = None
    try:
        yield pause_s if asks and "public" in str(section).lower() else 0.0
        headers = api.last_response_headers
    except Exception as error:
        failure = classify(error)
        if failure.wants_silence:
            budget.refused(failure)
        raise
    finally:
        budget.end(weight, headers)
