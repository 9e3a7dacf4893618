"""The bot's own questions wait near the limit; what it sends never does."""

import asyncio
from collections.abc import Callable
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from qt_protections.stops.venue.budget import Budget
from qt_protections.stops.venue.pacing import pace
from qt_protections.stops.venue.protocol import Rank

WEIGHT = "X-MBX-USED-WEIGHT-1M"
MINUTE = 1_800_000_000.0


class Bot:
    """Freqtrade's two clients, with a wire that answers at once.

    Attributes:
        used: What the answers say was used of the minute.
        sent: Every request that went out, in order.
        fails: What the next requests fail with.
        paused: Every pause of the synchronous client, seconds.
    """

    def __init__(self) -> None:
        self.used, self.sent, self.paused = 0, [], []
        self.fails: list[Exception] = []
        self._api, self._api_async = ccxt.binanceusdm(), ccxt.async_support.binanceusdm()
        for api in (self._api, self._api_async):
            api.enableRateLimit = False
        self._api.fetch = self._wire(self._api)
        answer = self._wire(self._api_async)

        async def fetch(*asked: Any) -> Any:
            return answer(*asked)

        self._api_async.fetch = fetch
        self.budget = Budget(lambda: MINUTE + 30.0)
        pace(self, self.budget, self.paused.append)  # type: ignore[arg-type]

    def _wire(self, api: Any) -> Callable[..., Any]:
        api.apiKey = api.secret = "x"  # noqa: S105  of nobody

        def fetch(url: str, method: str = "GET", *_: Any) -> Any:
            self.sent.append(f"{method} {url.partition('?')[0].rpartition('/')[2]}")
            if self.fails:
                raise self.fails.pop()
            api.last_response_headers = {WEIGHT: str(self.used)}
            return {"serverTime": 1}

        return fetch


@pytest.fixture
def bot() -> Bot:
    """One far from the limit."""
    return Bot()


def test_every_answer_is_counted(bot: Bot) -> None:
    """Of orders too."""
    bot.used = 1700
    bot._api.fapiPrivatePostOrder()
    assert not bot.budget.has_room(Rank.COMPARE)


def test_other_services_count_by_themselves(bot: Bot) -> None:
    """The wallet's weight is another address's matter."""
    bot.used = 1700
    bot._api.sapiGetSystemStatus()
    assert bot.budget.has_room(Rank.COMPARE)


def test_far_from_the_limit_nothing_waits(bot: Bot) -> None:
    """The bot trades as without the guard."""
    for _ in range(50):
        bot._api.fapiPublicGetTime()
    assert bot.paused == []
    assert len(bot.sent) == 50


def test_near_the_limit_questions_wait_and_orders_do_not(bot: Bot) -> None:
    """Nor do questions for the account, with which exits begin; and no wait is long."""
    bot.used = 2200
    bot._api.fapiPublicGetTime()
    bot._api.fapiPrivatePostOrder()
    bot._api.fapiPrivateDeleteOrder()
    bot._api.fapiPrivateGetIncome()
    bot._api.fapiPrivateV3GetAccount()
    assert bot.paused == []
    bot._api.fapiPublicGetTime()
    assert bot.paused == [1.0]


def test_candles_wait_as_well(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Freqtrade asks for them over its other client."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    bot.budget.note({WEIGHT: "2200"})
    bot.used = 2201

    async def ask() -> None:
        await bot._api_async.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "5m"})
        await bot._api_async.close()

    asyncio.run(ask())
    assert slept[0] == 30.0
    assert bot.sent == ["GET klines"]


def test_during_a_ban_nothing_is_asked(bot: Bot) -> None:
    """Each question would make the ban longer; an exit is sent all the same."""
    bot.fails.append(ccxt.DDoSProtection('binanceusdm 418 {"code":-1003,"msg":"too many"}'))
    with pytest.raises(ccxt.DDoSProtection):
        bot._api.fapiPublicGetTime()
    with pytest.raises(ccxt.DDoSProtection, match=r"nothing is asked for \d+ s"):
        bot._api.fapiPublicGetTime()
    bot._api.fapiPrivatePostOrder()
    assert bot.sent == ["GET time", "POST order"]


def test_other_failures_are_the_bots(bot: Bot) -> None:
    """They change nothing, and count as over."""
    for _ in range(300):
        bot.fails.append(ccxt.NetworkError("lost"))
        with pytest.raises(ccxt.NetworkError):
            bot._api.fapiPublicGetTime()
    assert bot.paused == []
    bot._api.fapiPublicGetTime()
    assert bot.paused == []
