"""No symbol holds more entries than its limit, in whichever order entries of all kinds come."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count

import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode
from freqtrade.persistence import LocalTrade, Order, PairLocks, Trade
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.configuration import load_settings
from qt_protections.entry.gates import Gates
from qt_protections.market.signals import Signals
from qt_protections.portfolio.trades import exposures
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.pairs import base_of
from qt_protections.settings import Settings
from qt_protections.stops.state.exposures import unaccounted
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import Position
from tests.patience import MANY_EXAMPLES

#: Two quote currencies of one symbol, and another symbol.
PAIRS = ("BTC/USDT:USDT", "BTC/USDC:USDC", "ETH/USDT:USDT")
ENTRIES = ("market", "limit", "second order", "replaced", "lost")
EVENTS = ("fill", "fill in part", "cancel", "settle", "never arrived", "reduce", "close", "by hand")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def no_database() -> Iterator[None]:
    """Trades and locks as a backtest keeps them."""
    Trade.use_db = PairLocks.use_db = False
    yield
    Trade.use_db = PairLocks.use_db = True
    LocalTrade.reset_trades()


@cache
def settings_of(limit: int) -> Settings:
    """Return the guard's settings with a limit; to read them costs more than to live with them."""
    return load_settings({"max_positions_per_symbol": limit}).settings


@dataclass
class Account:
    """Freqtrade's books and the exchange's, and a count of its own of what entered.

    Attributes:
        limit: Entries a symbol may hold.
        entered: By pair, what filled so far of each entry that waits or holds something.
        lost: By pair, entries whose answer was lost.
        foreign: Pairs somebody trades by hand.
    """

    limit: int
    entered: dict[str, dict[str, float]] = field(default_factory=lambda: {p: {} for p in PAIRS})
    lost: dict[str, list[PendingEntry]] = field(default_factory=lambda: {p: [] for p in PAIRS})
    foreign: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        LocalTrade.reset_trades()
        self.book, self._ids = PairStates(), count(1)
        guard = settings_of(self.limit)
        dp = DataProvider({"runmode": RunMode.BACKTEST}, None)  # type: ignore[typeddict-item]
        self.gates = Gates(
            guard, Signals(dp, "confidence", "1h"), OperatorLog(speaks=False), self.exposures
        )

    def exposures(self, symbol: str | None) -> list[Exposure]:
        """Return what counts of a symbol, or all of it, as a live bot finds it."""
        beside = [e for held in self.book for e in unaccounted(held, self.lost[held.pair])]
        found = [*exposures(lambda trade: trade.stop_loss, symbol), *beside]
        return [e for e in found if symbol is None or e.symbol == symbol]

    def held(self, symbol: str) -> int:
        """Return the entries of a symbol by this account's own count."""
        pairs = [pair for pair in PAIRS if base_of(pair) == symbol]
        return sum(
            len(self.entered[pair]) + len(self.lost[pair]) + (pair in self.foreign)
            for pair in pairs
        )

    def enter(self, kind: str, pair: str) -> None:
        """Ask for an entry at the gate, and do what follows."""
        if kind == "replaced" and not self.cancel(pair):
            return
        before = self.held(base_of(pair))
        denial = self.gates.entry(pair, NOW, is_short=False)
        assert (denial is None) is (before < self.limit), f"{kind} of {pair} at {before}"
        if denial is not None:
            return
        if kind == "lost":
            pending = PendingEntry(
                EntryRequest(pair, False, 100.0, 1.0, 1.0), f"{next(self._ids)}", True
            )
            pending.lose_answer()
            self.lost[pair].append(pending)
            self.book.of(pair).pending_entries.append(pending)
            return
        self._order(pair)
        if kind == "market":
            self.fill(pair, 1.0)

    def happen(self, event: str, pair: str) -> None:
        """Let something happen that is no entry."""
        if event.startswith("fill"):
            self.fill(pair, 1.0 if event == "fill" else 0.25)
        elif event == "cancel":
            self.cancel(pair)
        elif event in ("settle", "never arrived"):
            self._settle(pair, arrived=event == "settle")
        elif event == "reduce":
            self._reduce(pair)
        elif event == "close":
            self._close(pair)
        else:
            self._by_hand(pair)

    def fill(self, pair: str, amount: float) -> None:
        """Fill the order that waits, or a part of it."""
        order = self._waiting(pair)
        if order is None:
            return
        order.filled = amount
        self.entered[pair][order.order_id] = amount
        if amount == 1.0:
            self._end(order, "closed")

    def cancel(self, pair: str) -> bool:
        """Cancel the order that waits; return whether nothing of it had filled."""
        order = self._waiting(pair)
        if order is None:
            return False
        filled = order.safe_filled > 0
        if not filled:
            del self.entered[pair][order.order_id]
        self._end(order, "canceled")
        return not filled

    def _order(self, pair: str) -> None:
        trade = self._trade(pair) or self._new_trade(pair)
        order_id = str(next(self._ids))
        self.entered[pair][order_id] = 0.0
        trade.orders.append(
            Order(
                order_id=order_id,
                ft_pair=pair,
                ft_order_side="buy",
                ft_amount=1.0,
                ft_price=100.0,
                ft_is_open=True,
                side="buy",
                status="open",
                amount=1.0,
                price=100.0,
                filled=0.0,
            )
        )

    def _end(self, order: Order, status: str) -> None:
        trade = self._trade(order.ft_pair)
        assert trade is not None
        order.ft_is_open, order.status = False, status
        trade.amount += order.safe_filled
        if not trade.amount and not self.entered[order.ft_pair]:
            LocalTrade.remove_bt_trade(trade)

    def _settle(self, pair: str, *, arrived: bool) -> None:
        if not self.lost[pair]:
            return
        self.book.of(pair).pending_entries.remove(self.lost[pair].pop(0))
        if arrived:
            self._order(pair)
            self.fill(pair, 1.0)

    def _reduce(self, pair: str) -> None:
        trade = self._trade(pair)
        if trade is not None and trade.amount > 0.1:
            trade.amount /= 2

    def _close(self, pair: str) -> None:
        trade = self._trade(pair)
        if trade is not None and trade.amount and self._waiting(pair) is None:
            LocalTrade.remove_bt_trade(trade)
            self.entered[pair].clear()

    def _by_hand(self, pair: str) -> None:
        self.foreign ^= {pair}
        held = self.book.of(pair)
        is_there = pair in self.foreign
        held.external.position = Position(pair, False, 5.0, 100.0, 1.0) if is_there else None

    def _waiting(self, pair: str) -> Order | None:
        trade = self._trade(pair)
        orders = [] if trade is None else [order for order in trade.orders if order.ft_is_open]
        return orders[0] if orders else None

    @staticmethod
    def _trade(pair: str) -> LocalTrade | None:
        return next(iter(LocalTrade.bt_trades_open_pp[pair]), None)

    @staticmethod
    def _new_trade(pair: str) -> LocalTrade:
        trade = LocalTrade(
            pair=pair, is_open=True, amount=0.0, open_rate=100.0, stop_loss=90.0, orders=[]
        )
        LocalTrade.add_bt_trade(trade)
        return trade


@settings(max_examples=MANY_EXAMPLES, deadline=None)
@given(
    limit=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(ENTRIES + EVENTS), st.sampled_from(PAIRS)), max_size=20
    ),
)
def test_the_limit_holds_over_every_interleaving(limit: int, steps: list[tuple[str, str]]) -> None:
    """An entry passes exactly while the symbol holds fewer: filled, waiting, lost, or by hand."""
    account = Account(limit)
    for kind, pair in steps:
        if kind in ENTRIES:
            account.enter(kind, pair)
        else:
            account.happen(kind, pair)
        counted = {each: account.gates.entries_held(each) for each in PAIRS}
        assert counted == {each: account.held(base_of(each)) for each in PAIRS}, (kind, pair)
