"""What a person reads in Telegram when the guard refuses what they typed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks
from freqtrade.rpc.telegram import Telegram
from telegram.ext import Application

from qt_protections.rehearsal.errors import VenueError
from qt_protections.stops.venue.binance.orders import BinanceVenue
from tests.integration.bot_api import CHAT_ID, BadRequestError, BotApi, shown
from tests.integration.rig import BTC, ETH, Rig, held_market, naked_max

SOL, XRP, DOGE = "SOL/USDT:USDT", "XRP/USDT:USDT", "DOGE/USDT:USDT"
#: No test is in the way of the next one's risk, in whichever order they come.
ROOM = {"max_open_risk": 20.0, "trail_callback": None}


@dataclass(frozen=True)
class Phone:
    """Somebody's chat with a bot that trades on the exchange."""

    chat: BotApi
    rig: Rig
    bot: FreqtradeBot

    def asks(self, command: str, says: str = "") -> str:
        """Return the first answer that has this in it."""
        return self.chat.answer(command, says)

    def is_refused(self, command: str) -> str:
        """Return the sentence a command is refused with, when the exchange has heard of nothing."""
        before = self._changes()
        sentence = self.asks(command, says="refused")
        assert self._changes() == before
        return sentence

    def _changes(self) -> int:
        lines = self.rig.requests()
        return sum(line.startswith("POST") and line != "POST listenKey" for line in lines)


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phone]:
    """One bot for all: its Telegram thread takes 10 s to end. Each test has a symbol of its own."""
    folder = tmp_path_factory.mktemp("telegram")
    telegram = {"enabled": True, "token": "1:loopback", "chat_id": str(CHAT_ID)}
    with (
        BotApi() as chat,
        pytest.MonkeyPatch.context() as patch,
        Rig(folder, held_market("uptrend")) as rig,
    ):
        patch.setattr(Telegram, "_init_telegram_app", at_loopback(chat))
        db_url = f"sqlite:///{folder / 'trades.sqlite'}"
        yield Phone(chat, rig, rig.bot(telegram=telegram, db_url=db_url, qt=ROOM))


def at_loopback(chat: BotApi) -> Callable[[Telegram], Any]:
    """Return what makes Freqtrade's own module talk to this chat instead of Telegram's."""

    def init_telegram_app(telegram: Telegram) -> Any:
        token = telegram._config["telegram"]["token"]
        return Application.builder().token(token).base_url(chat.url).build()

    return init_telegram_app


def lock_with(table: str, reason: str) -> int:
    """Return the ID of the lock that has this in its reason, from the answer to `/locks`."""
    (line,) = (line for line in table.splitlines() if reason in line)
    return int(line.split(maxsplit=1)[0])


def test_a_full_symbol_is_refused_in_words(phone: Phone) -> None:
    """The person reads which rule objects; the exchange hears of nothing."""
    command = f"/forcelong {BTC}"
    assert BTC in phone.asks(command, says="New Trade")
    assert BTC in phone.asks(command, says="Increasing position")
    held = phone.rig.position("BTCUSDT")
    assert phone.is_refused(command) == (
        f"Entry of {BTC} refused, symbol_full: Already at max 2 positions for this symbol"
    )
    assert phone.rig.position("BTCUSDT") == held > 0
    assert naked_max(phone.rig) == 0


def test_a_lock_of_somebody_is_named_and_can_be_lifted(phone: Phone) -> None:
    """The refusal says which lock, and what to type; the entry passes once that was typed."""
    command, end = f"/forcelong {ETH}", datetime.now(UTC) + timedelta(hours=3)
    lock = PairLocks.lock_pair(ETH, end, "volume < 3 & falling")
    lock_id, end = lock.id, lock.lock_end_time
    phone.bot.process()
    assert phone.is_refused(command) == (
        f"Entry of {ETH} refused, pair_locked: locked until {end:%Y-%m-%d %H:%M} UTC: "
        f"volume \u2039 3 + falling (/unlock {lock_id})"
    )
    table = phone.asks("/locks", says="Reason")
    assert lock_with(table, "volume < 3 & falling") == lock_id
    assert lock_with(table, "QtGlobalRegime: BTC/USDT:USDT 4h is in UPTREND") != lock_id
    table = phone.asks(f"/unlock {lock_id}", says="Reason")
    assert "volume" not in table
    assert "QtGlobalRegime" in table
    assert ETH in phone.asks(command, says="New Trade")
    assert phone.rig.position("ETHUSDT") > 0


def test_lifting_the_regimes_lock_opens_no_door(phone: Phone) -> None:
    """A short is refused at the door meanwhile, and the next loop sets the lock again."""
    command = f"/forceshort {SOL}"
    sentence = (
        f"Entry of {SOL} refused, short_in_uptrend: the symbol is not below its own EMA200 (+"
    )
    phone.bot.process()
    assert phone.is_refused(command).startswith(sentence)
    lifted = lock_with(phone.asks("/locks", says="Reason"), "QtGlobalRegime")
    assert "QtGlobalRegime" not in phone.asks(f"/unlock {lifted}")
    assert phone.is_refused(command).startswith(sentence)
    phone.bot.process()
    assert lock_with(phone.asks("/locks", says="Reason"), "QtGlobalRegime") > lifted
    assert phone.is_refused(command).startswith(sentence)
    assert phone.rig.position("SOLUSDT") == 0


def test_what_the_exchange_refuses_is_told_too(phone: Phone) -> None:
    """The stop or the entry: the person reads what the exchange says."""
    command, venue = f"/forcelong {XRP}", phone.rig.venue
    venue.refuse_stops.append(VenueError(-4131, "PERCENT_PRICE < 5 & more."))
    assert phone.asks(command, says="refused") == (
        f"Entry of {XRP} refused, stop_refused: no stop, no entry: "
        "-4131: PERCENT_PRICE \u2039 5 + more."
    )
    venue.refuse_orders.append(VenueError(-2019, "Margin is insufficient."))
    assert phone.asks(command, says="did not happen") == (
        f"Entry of {XRP} did not happen: -2019: Margin is insufficient."
    )
    assert phone.rig.live_stops("XRPUSDT") == []


def test_an_entry_that_may_have_happened_is_told_as_such(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever typed it must not take silence for a no."""
    monkeypatch.setattr(BinanceVenue, "arrives_within_s", inf)
    timeout = "Timeout waiting for response from backend server."
    phone.rig.venue.refuse_orders.append(VenueError(-1007, timeout))
    assert phone.asks(f"/forcelong {DOGE}", says="unknown") == (
        f"Entry of {DOGE} ended unknown (-1007: {timeout}): it may have happened. Its stop "
        "stays, and no other entry goes out, until the exchange tells what became of it."
    )
    assert "entry_unsettled" in phone.is_refused(f"/forcelong {DOGE}")


@pytest.mark.parametrize(
    ("text", "parse_mode"),
    [
        ("volume < 3", "HTML"),
        ("up & down", "HTML"),
        ("<b>bold", "HTML"),
        ("<b><i>crossed</b></i>", "HTML"),
        ("<price>", "HTML"),
        ("symbol_full", "Markdown"),
        ("*bold", "Markdown"),
        ("`QT_PRICE", "Markdown"),
        ("[link", "Markdown"),
        (" ", None),
        ("*bold*", "MarkdownV2"),
    ],
)
def test_the_chat_takes_no_message_it_cannot_parse(text: str, parse_mode: str | None) -> None:
    """As Telegram: 400, and the person reads nothing."""
    with pytest.raises(BadRequestError):
        shown(text, parse_mode)


@pytest.mark.parametrize(
    ("text", "parse_mode", "plain"),
    [
        ("<pre>volume &lt; 3 &amp; <b>falling</b></pre>", "HTML", "volume < 3 & falling"),
        ("*Pair:* `A_B` \\_ _soon_", "Markdown", "Pair: A_B _ soon"),
        ("a < b & *c", None, "a < b & *c"),
    ],
)
def test_the_chat_shows_what_it_can_parse(text: str, parse_mode: str | None, plain: str) -> None:
    """Without its markup."""
    assert shown(text, parse_mode) == plain
