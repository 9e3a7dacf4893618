"""Books fills: the account changes, and trades, incomes and events are written down."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Unpack

from qt_protections.rehearsal.account import MAKER_FEE_RATIO, Account
from qt_protections.rehearsal.book import Level
from qt_protections.rehearsal.journal import EventKind, Facts, Journal
from qt_protections.rehearsal.orders import Order, Trade

MONEY_STEP = Decimal("1E-8")


@dataclass(frozen=True, slots=True)
class Income:
    """One line of the account's income history (USDT, epoch milliseconds)."""

    number: int
    ms: int
    symbol: str
    kind: str
    amount: Decimal
    trade_id: int | None = None


class Ledger:
    """The account with everything written about it.

    Attributes:
        account: Wallet and positions.
        journal: Events, and the exchange's time.
        trades: Our fills, oldest first.
        incomes: Income history, oldest first; its sum is the change of the wallet.
    """

    def __init__(self, account: Account, journal: Journal) -> None:
        """Start with an account and no history."""
        self.account = account
        self.journal = journal
        self.trades: list[Trade] = []
        self.incomes: list[Income] = []
        self._trade_ids = count(500_000_001)

    def book(self, order: Order, level: Level, fee_ratio: Decimal) -> None:
        """Book a fill of `order` at `level` that only opens or only closes.

        Args:
            order: The order.
            level: Price in USDT and size in base units.
            fee_ratio: Fee as a ratio of the fill's value.
        """
        request, now_ms = order.request, self.journal.now_ms
        fee = (level.price * level.quantity * fee_ratio).quantize(MONEY_STEP)
        amount = level.quantity * request.side.sign
        realized = self.account.trade(request.symbol, amount, level.price, fee, now_ms)
        trade = Trade(
            trade_id=next(self._trade_ids),
            order_id=order.order_id,
            symbol=request.symbol,
            side=request.side,
            ms=now_ms,
            price=level.price,
            quantity=level.quantity,
            fee=fee,
            realized=realized,
            maker=fee_ratio == MAKER_FEE_RATIO,
        )
        self.trades.append(trade)
        self._log_fill(order, trade)

    def charge_funding(self, symbol: str, cost: Decimal) -> None:
        """Take a funding payment (USDT, negative = received) for the position in `symbol`."""
        self.account.charge_funding(symbol, cost)
        self._add_income(symbol, "FUNDING_FEE", -cost)
        self.journal.add(EventKind.FUNDING, symbol, fee=cost)

    def log(self, kind: EventKind, order: Order, **facts: Unpack[Facts]) -> None:
        """Write an event about a plain order."""
        request = order.request
        about: Facts = {
            "side": request.side,
            "type": request.type,
            "order_id": order.order_id,
            "client_id": request.client_id,
            "reduce_only": request.reduce_only,
        }
        if request.algo_id is not None:
            about["algo_id"] = request.algo_id
        about.update(facts)
        self.journal.add(kind, request.symbol, **about)

    def _log_fill(self, order: Order, trade: Trade) -> None:
        if trade.realized:
            self._add_income(trade.symbol, "REALIZED_PNL", trade.realized, trade.trade_id)
        if trade.fee:
            self._add_income(trade.symbol, "COMMISSION", -trade.fee, trade.trade_id)
        self.log(
            EventKind.ORDER_FILLED,
            order,
            quantity=trade.quantity,
            price=trade.price,
            cause=order.request.cause,
            fee=trade.fee,
            realized=trade.realized,
            margin=self.account.position(trade.symbol).margin,
        )

    def _add_income(
        self, symbol: str, kind: str, amount: Decimal, trade_id: int | None = None
    ) -> None:
        number = len(self.incomes) + 1
        self.incomes.append(Income(number, self.journal.now_ms, symbol, kind, amount, trade_id))
