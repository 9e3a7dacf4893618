"""What the door adds to the orders that leave by it, on exchanges that are not there."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import ccxt
import pytest
from freqtrade.exceptions import InvalidOrderException, OperationalException, TemporaryError
from freqtrade.persistence import Trade, init_db

from qt_protections.errors import EntryFailed, EntryRefused
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.settings import StopPlacement
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.intercept.entries import EntryInterceptor
from qt_protections.stops.manager import StopManager
from qt_protections.stops.placer import Placer
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.freqtrade import FreqtradeVenue
from tests.integration.offline_bot import Quotes, offline_market
from tests.stops.guards import guards
from tests.stops.offline import offline_exchange
from tests.stops.paper import BTC

ENTRY, EXIT = False, True


def hold(pair: str, amount: float) -> None:
    """Have a trade on record that holds something."""
    trade = Trade(
        pair=pair, amount=amount, open_rate=100.0, stake_amount=100.0, fee_open=0.0, fee_close=0.0,
        is_open=True, exchange="binance", open_date=datetime.now(UTC),
    )  # fmt: skip
    Trade.session.add(trade)
    Trade.commit()


def sent(
    folder: Path,
    name: str,
    mode: str,
    *,
    reduces: bool,
    held: float | None = 1.0,
    error: Exception | None = None,
) -> list[tuple[Any, ...]]:
    """Send an order of 1.0 through the interceptor of a live bot, and return what ccxt gets.

    Args:
        folder: For the configuration.
        name: The exchange.
        mode: "spot" or "futures".
        reduces: Whether it is an exit.
        held: What the trade of an exit holds, base currency; None without a trade.
        error: What the answer is lost with; None if it comes.
    """
    init_db("sqlite://")
    pair = "BTC/USDT" if mode == "spot" else "BTC/USDT:USDT"
    exchange: Any = offline_exchange(folder, name, mode)
    exchange._config["dry_run"] = False
    exchange._markets = exchange._api.markets = {pair: offline_market(pair, mode)}
    orders: list[tuple[Any, ...]] = []

    def create_order(*order: Any) -> dict[str, Any]:
        orders.append(order)
        if error is not None:
            raise error
        return {"id": "1", "symbol": pair, "status": "canceled", "filled": 0.0, "amount": order[3]}

    exchange._api.create_order = create_order
    exchange._api.set_margin_mode = exchange._api.set_leverage = lambda *_, **__: {}
    watches = (name, mode) == ("binance", "futures")
    line = BinanceVenue(exchange, {}) if watches else FreqtradeVenue(exchange, {})
    namer = Namer("test", "sqlite://")
    manager = StopManager(PairStates(), line, namer, Placer(line, namer))
    EntryInterceptor(
        exchange,
        EntryCover(manager, "on_fill"),
        lambda entry: ApprovedEntry(entry, entry.rate, 98.0, entry.amount),
        lambda pair, denial: None,
        lambda: None,
    )
    if reduces and held is not None:
        hold(pair, held)
    exchange.create_order(
        pair=pair,
        ordertype="limit",
        side="sell" if reduces else "buy",
        amount=1.0,
        rate=100.0,
        leverage=1.0,
        reduceOnly=reduces and mode == "futures",
    )
    return orders


kinds = pytest.mark.parametrize("reduces", [ENTRY, EXIT], ids=["entry", "exit"])


@kinds
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("binance", "spot"),
        ("bybit", "futures"),
        ("okx", "futures"),
        ("okx", "spot"),
        ("gate", "futures"),
        ("bitget", "futures"),
        ("hyperliquid", "futures"),
        ("kraken", "spot"),
        ("krakenfutures", "futures"),
        ("kucoin", "spot"),
    ],
)
def test_no_order_is_named_where_none_is_found_by_its_name(
    tmp_path: Path, name: str, mode: str, reduces: bool
) -> None:
    """OKX takes letters and digits only, Gate 28 characters, Kraken 18, Hyperliquid hexadecimal."""
    ((*_, params),) = sent(tmp_path, name, mode, reduces=reduces)
    assert "clientOrderId" not in params


@kinds
def test_every_order_on_binance_futures_has_a_name(tmp_path: Path, reduces: bool) -> None:
    """By it a lost answer is settled."""
    ((*_, params),) = sent(tmp_path, "binance", "futures", reduces=reduces)
    role = "L" if reduces else "E"
    assert params["clientOrderId"].startswith("qt")
    assert f"-{role}BTCUSDT-" in params["clientOrderId"]


def test_an_exit_takes_no_more_than_its_trade_holds(tmp_path: Path) -> None:
    """Beside somebody else's part of the position, reduce-only does not stop a stale amount."""
    ((_, _, _, amount, *_),) = sent(tmp_path, "binance", "futures", reduces=EXIT, held=0.4)
    assert amount == 0.4


def test_a_closed_trade_has_no_exit(tmp_path: Path) -> None:
    """Freqtrade hears of the old exit's fill while it replaces that exit."""
    with pytest.raises(InvalidOrderException, match="its trade is closed already"):
        sent(tmp_path, "binance", "futures", reduces=EXIT, held=None)


# On paper: what is sent, what is judged, and what becomes of an answer that is lost


class Door:
    """The door of a live bot on Binance futures, whose orders arrive on paper.

    Attributes:
        before: What the next orders fail with, not executed.
        after: What the answers of the next orders are lost with.
        judged: Every entry that was asked about.
        most: What an entry may be, base currency.
        denial: Why entries are refused; None if they are not.
        announced: What was said of refused entries.
        waits: Seconds that were waited.
        steps: What was sent, in order; margin type and leverage with it.
    """

    def __init__(self, folder: Path, placement: StopPlacement = "auto") -> None:
        self.made = guards(placement)
        self.before: deque[Exception] = deque()
        self.after: deque[Exception] = deque()
        self.judged: list[EntryRequest] = []
        self.most = inf
        self.denial: Denial | None = None
        self.announced: list[tuple[str, Denial]] = []
        self.waits: list[float] = []
        self.steps: list[str] = []
        self.quotes = Quotes()
        self.exchange: Any = offline_exchange(folder, "binance", "futures")
        self.exchange._config["dry_run"] = False
        self.exchange._markets = {BTC: offline_market(BTC, "futures")}
        self.exchange._api.markets = self.exchange._markets
        self.exchange._api.create_order = self._create
        self.exchange._api.set_margin_mode = self._set("margin type")
        self.exchange._api.set_leverage = self._set("leverage")
        self.exchange.fetch_l2_order_book = self._book
        EntryInterceptor(
            self.exchange,
            self.made.cover,
            self._approve,
            lambda pair, denial: self.announced.append((pair, denial)),
            lambda: self.steps.append("warm up"),
            self.waits.append,
        )

    def send(self, amount: float = 1.0, *, reduces: bool = False, **order: Any) -> dict[str, Any]:
        """Send an order as Freqtrade does."""
        sent = {
            "pair": BTC,
            "ordertype": "limit",
            "side": "sell" if reduces else "buy",
            "amount": amount,
            "rate": 100.0,
            "leverage": 10.0,
            "reduceOnly": reduces,
            **order,
        }
        return dict(self.exchange.create_order(**sent))

    def _approve(self, entry: EntryRequest) -> ApprovedEntry:
        self.judged.append(entry)
        if self.denial is not None:
            raise EntryRefused(entry.pair, self.denial)
        return ApprovedEntry(entry, entry.rate, 98.0, min(entry.amount, self.most))

    def _create(
        self, pair: str, kind: str, side: str, amount: float, price: float, params: dict[str, Any]
    ) -> dict[str, Any]:
        self.steps.append(f"{side} {amount:g}")
        if self.before:
            raise self.before.popleft()
        signed = amount if side == "buy" else -amount
        order_id = self.made.paper.enter(pair, signed, params["clientOrderId"])
        if self.after:
            raise self.after.popleft()
        return {**self.made.paper.orders[order_id], "type": kind, "average": price or 100.0}

    def _set(self, what: str) -> Callable[..., dict[str, Any]]:
        def sent(*_: Any, **__: Any) -> dict[str, Any]:
            self.steps.append(what)
            return {}

        return sent

    def _book(self, *_: Any) -> Any:
        self.steps.append("book")
        return self.quotes.book()


@pytest.fixture
def door(tmp_path: Path, database: None) -> Door:
    """A door that all orders leave by."""
    return Door(tmp_path)


NO_ANSWER = ccxt.RequestTimeout("no answer in time")
NO_MONEY = ccxt.InsufficientFunds("margin is insufficient")


def test_an_entry_goes_out_with_its_stop_before_it(door: Door) -> None:
    """Margin type and leverage come first: Binance changes neither with an order open."""
    door.made.paper.between = lambda: door.steps.append("stop")
    answer = door.send()
    assert answer["status"] == "closed"
    steps = list(dict.fromkeys(door.steps))
    assert steps[:5] == ["warm up", "margin type", "leverage", "stop", "buy 1"]
    assert door.steps.count("leverage") == 1
    assert door.made.paper.is_covered(BTC)


def test_no_more_goes_out_than_was_approved(door: Door) -> None:
    """Nor is more covered."""
    door.most = 0.4
    assert door.send()["amount"] == 0.4
    assert [order["amount"] for order in door.made.paper.live()] == [0.4]
    assert door.judged[0].amount == 1.0


def test_an_entry_is_judged_as_the_exchange_executes_it(door: Door) -> None:
    """In whole steps, by its own price, side and leverage."""
    door.send(0.123456789, leverage=7.0)
    assert door.judged == [EntryRequest(BTC, False, 100.0, 7.0, 0.12345)]


def test_a_refused_entry_sends_nothing_and_says_why(door: Door) -> None:
    """To the log as well as to whoever asked."""
    door.denial = deny(DenyCode.SYMBOL_FULL, "Already at max 2")
    with pytest.raises(EntryRefused, match="Already at max 2"):
        door.send()
    assert door.announced == [(BTC, door.denial)]
    assert door.steps == []
    assert door.made.paper.asked == []


@pytest.mark.parametrize(
    ("has_trade", "initial", "code"),
    [
        (True, True, DenyCode.PAIR_TAKEN),
        (False, False, DenyCode.TRADE_CLOSED),
        (False, True, None),
        (True, False, None),
    ],
)
def test_an_entry_whose_trade_has_changed_is_refused(
    door: Door, has_trade: bool, initial: bool, code: DenyCode | None
) -> None:
    """A stop may have closed it meanwhile, or another thread opened one."""
    if has_trade:
        hold(BTC, 1.0)
        door.made.paper.size[BTC] = 1.0
    if code is None:
        door.send(initial_order=initial)
        assert door.made.paper.is_covered(BTC)
        return
    with pytest.raises(EntryRefused):
        door.send(initial_order=initial)
    assert [denial.code for _, denial in door.announced] == [code]
    assert door.judged == []
    assert door.steps == []


@pytest.mark.parametrize(
    ("kind", "rate", "judged", "books"),
    [
        ("limit", 105.0, 105.0, 0),
        ("market", 100.01, 100.01, 1),
        ("market", 105.0, 100.01, 2),
    ],
    ids=["a limit", "freqtrade's price", "somebody's price"],
)
def test_an_entry_at_market_is_judged_by_the_price_there_is(
    door: Door, kind: str, rate: float, judged: float, books: int
) -> None:
    """It takes no notice of its own; and what was just asked for is not asked again."""
    door.send(ordertype=kind, rate=rate)
    assert door.judged[0].rate == judged
    assert door.steps.count("book") == books


def test_without_a_price_no_entry_at_market_goes_out(door: Door) -> None:
    """Nobody knows what it would be."""
    door.exchange.fetch_l2_order_book = lambda *_: {"bids": [], "asks": []}
    with pytest.raises(EntryRefused, match="the price failed, so the entry is refused"):
        door.send(ordertype="market")
    assert [denial.code for _, denial in door.announced] == [DenyCode.GATE_FAILED]
    assert door.steps == []


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (ccxt.ExchangeError("no such leverage"), EntryFailed, "Entry of .* did not happen"),
        (ccxt.BaseError("not for you"), OperationalException, "not for you"),
    ],
    ids=["drops the entry", "stops the bot"],
)
def test_without_margin_type_and_leverage_there_is_no_entry(
    door: Door, error: Exception, raised: type[Exception], words: str
) -> None:
    """Nor a stop; what does more than to drop the entry stays what it is."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    door.exchange._api.set_leverage = fail
    with pytest.raises(raised, match=words):
        door.send()
    assert door.made.paper.asked == []
    assert door.made.held().is_empty


def test_an_entry_that_the_exchange_refuses_takes_its_stop_along(door: Door) -> None:
    """Whoever forced the entry hears why."""
    door.before.append(NO_MONEY)
    with pytest.raises(EntryFailed, match=r"did not happen: .*margin is insufficient"):
        door.send()
    assert door.made.live() == []
    assert door.made.held().is_empty
    assert door.waits == []


def test_an_entry_that_was_never_sent_is_not_asked_for(door: Door) -> None:
    """Whatever failed on the way: its answer cannot be lost."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("forced by a test")

    door.exchange.price_to_precision = fail
    with pytest.raises(RuntimeError):
        door.send()
    assert door.made.live() == []
    assert "find_order" not in door.made.paper.asked


def test_a_lost_answer_is_asked_for(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """The exchange has the entry: it counts as one, and its stop stands."""
    door.after.append(NO_ANSWER)
    answer = door.send()
    (order_id,) = door.made.paper.orders
    assert answer["id"] == order_id
    assert "The answer to the entry of BTCUSDT was lost" in caplog.text
    assert f"order ID {order_id}" in caplog.text
    assert door.made.paper.is_covered(BTC)
    assert door.steps.count("buy 1") == 1, "it is never sent twice"


def test_an_entry_that_nobody_can_tell_of_keeps_its_stop(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have happened; no other goes out until the exchange tells."""
    door.before.append(NO_ANSWER)
    with pytest.raises(EntryFailed, match=r"ended unknown .*: it may have happened"):
        door.send()
    assert len(door.made.live()) == 1
    (pending,) = door.made.held().pending_entries
    assert pending.is_lost
    assert door.waits == [0.2, 0.5, 1.0]
    assert "[ALERT] The entry of BTCUSDT ended unknown" in caplog.text


# Exits


def leaving(door: Door) -> PairState:
    """Return a pair whose position is about to be left."""
    held = door.made.enter()
    hold(BTC, 1.0)
    door.steps.clear()
    return held


def test_the_lost_answer_of_an_exit_is_asked_for(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    """Freqtrade would send another."""
    leaving(door)
    door.after.append(NO_ANSWER)
    answer = door.send(reduces=True)
    assert answer["side"] == "sell"
    assert "The answer to the exit of BTCUSDT was lost" in caplog.text
    assert door.steps == ["sell 1"], "neither margin type nor leverage"


def test_an_exit_that_nobody_can_tell_of_is_remembered(door: Door) -> None:
    """Freqtrade forgets it, and it may happen."""
    held = leaving(door)
    door.before.append(NO_ANSWER)
    with pytest.raises(TemporaryError):
        door.send(reduces=True)
    (name,) = held.exits
    assert door.made.manager.namer.is_of_this_run(name)


@pytest.mark.parametrize(
    ("error", "denied"),
    [
        (ccxt.InvalidOrder('binance {"code":-2022,"msg":"ReduceOnly Order is rejected."}'), 1),
        (ccxt.InvalidOrder('binance {"code":-1111,"msg":"Precision is over the maximum"}'), 0),
    ],
    ids=["no position", "malformed"],
)
def test_an_exit_that_the_exchange_refuses_is_freqtrades_to_repeat(
    door: Door, error: Exception, denied: int
) -> None:
    """That the exchange saw no position counts as a hint that there is none."""
    held = leaving(door)
    door.before.append(error)
    with pytest.raises(InvalidOrderException):
        door.send(reduces=True)
    assert held.trouble.denied == denied
    assert held.exits == {}
    assert door.waits == []


@kinds
def test_where_no_order_has_a_name_none_is_asked_for(tmp_path: Path, reduces: bool) -> None:
    """A lost answer stays lost there: nothing could be told from another's order."""
    with pytest.raises((EntryFailed, TemporaryError)) as told:
        sent(tmp_path, "bybit", "futures", reduces=reduces, error=NO_ANSWER)
    assert isinstance(told.value, EntryFailed) is not reduces
