"""Books fills: the account changes, and trades, incomes and events are written down."""

from collections import defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Unpack

from qt_protections.rehearsal.engine.account import MAKER_FEE_RATIO, Account
from qt_protections.rehearsal.engine.orders import Order, Trade
from qt_protections.rehearsal.journal import EventKind, Facts, Journal
from qt_protections.rehearsal.market.book import Level

MONEY_STEP = Decimal("1E-8")
KEPT_LINES = 20_000
INSURANCE_START = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class MarginChange:
    """A change of an isolated margin by a fill or by its owner (USDT, epoch milliseconds)."""

    number: int
    ms: int
    symbol: str
    amount: Decimal
    by_trade: bool


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
        trades: Our latest fills, oldest first.
        incomes: The latest incomes, oldest first; the sum of all is the change of the wallet.
        margin_changes: What went into isolated margins (positive) and out of them, oldest first.
        realized: Profit of all fills by symbol, in USDT, without fees.
        insurance_fund: USDT in the insurance fund. Below zero it goes on paying: nobody's position
            is auto-deleveraged.
    """

    def __init__(self, account: Account, journal: Journal) -> None:
        """Start with an account and no history."""
        self.account = account
        self.journal = journal
        self.trades: deque[Trade] = deque(maxlen=KEPT_LINES)
        self.incomes: deque[Income] = deque(maxlen=KEPT_LINES)
        self.margin_changes: deque[MarginChange] = deque(maxlen=KEPT_LINES)
        self.insurance_fund = INSURANCE_START
        self.realized: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._trade_ids = count(500_000_001)
        self._income_numbers = count(1)
        self._margin_numbers = count(1)

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
        margin = self.account.position(request.symbol).margin
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
        self.realized[request.symbol] += realized
        missing = self.account.cover(request.symbol)
        self._log_fill(order, trade)
        if missing:
            self._count_insurance(request.symbol, -missing)
        put_in = self.account.position(request.symbol).margin - margin
        self._change_margin(request.symbol, put_in, by_trade=True)

    def charge_funding(self, symbol: str, cost: Decimal) -> None:
        """Take a funding payment (USDT, negative = received) for the position in `symbol`."""
        self.account.charge_funding(symbol, cost)
        self._add_income(symbol, "FUNDING_FEE", -cost)
        self.journal.add(EventKind.FUNDING, symbol, fee=cost)

    def pay_insurance(self, symbol: str, fee: Decimal) -> None:
        """Take a liquidation fee (USDT) from the wallet into the insurance fund."""
        self.account.wallet -= fee
        self._count_insurance(symbol, fee)

    def take_over(self, symbol: str, quantity: Decimal, price: Decimal, won: Decimal) -> None:
        """Book what the insurance fund made of a position it took over.

        Args:
            symbol: Exchange name.
            quantity: Base units.
            price: What it took them over at, USDT.
            won: Its profit in USDT, negative for a loss.
        """
        self.insurance_fund += won
        reason = f"taken over by the insurance fund, which then holds {self.insurance_fund:f} USDT"
        self.journal.add(EventKind.INSURANCE, symbol, quantity=quantity, price=price, reason=reason)

    def move_margin(self, symbol: str, amount: Decimal) -> None:
        """Move USDT from the cross wallet into an isolated margin, or out of it if negative."""
        self.account.add_margin(symbol, amount)
        self._change_margin(symbol, amount, by_trade=False)
        self.journal.add(EventKind.MARGIN_MOVED, symbol)

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
            margin=self.account.entry_margin(trade.symbol),
        )

    def _count_insurance(self, symbol: str, paid: Decimal) -> None:
        """Write down what the account paid to the insurance fund, negative if it received."""
        self.insurance_fund += paid
        self._add_income(symbol, "INSURANCE_CLEAR", -paid)
        reason = f"the insurance fund holds {self.insurance_fund:f} USDT"
        self.journal.add(EventKind.INSURANCE, symbol, fee=paid, reason=reason)

    def _change_margin(self, symbol: str, amount: Decimal, *, by_trade: bool) -> None:
        if amount:
            number = next(self._margin_numbers)
            change = MarginChange(number, self.journal.now_ms, symbol, amount, by_trade)
            self.margin_changes.append(change)

    def _add_income(
        self, symbol: str, kind: str, amount: Decimal, trade_id: int | None = None
    ) -> None:
        number = next(self._income_numbers)
        self.incomes.append(Income(number, self.journal.now_ms, symbol, kind, amount, trade_id))
