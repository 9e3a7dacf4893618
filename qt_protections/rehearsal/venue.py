"""The exchange as a whole: time moves the market, the market moves orders and positions."""

from collections.abc import Callable
from decimal import Decimal

from qt_protections.rehearsal.account import Account, is_liquidated
from qt_protections.rehearsal.agenda import Agenda
from qt_protections.rehearsal.conditional import ConditionalDesk, FlatStops
from qt_protections.rehearsal.coverage import Replay
from qt_protections.rehearsal.desk import Desk
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.feed import PriceFeed, Tick
from qt_protections.rehearsal.journal import EventKind, Journal
from qt_protections.rehearsal.ledger import Ledger
from qt_protections.rehearsal.orders import AlgoOrder, AlgoRequest, Order, OrderRequest
from qt_protections.rehearsal.report import ReplayFacts, Report
from qt_protections.rehearsal.tape import Tape

Clock = Callable[[], int]
START_BALANCE = Decimal(10_000)
FUNDING_INTERVAL_MS = 8 * 3_600_000
FUNDING_RATE = Decimal("0.0001")


class Venue:
    """The state of the exchange.

    Attributes:
        tape: Prices and candles.
        ledger: Account, trades and incomes.
        desk: Plain orders.
        conditional: Stops and other conditional orders.
        journal: Every event, and the exchange's time.
        agenda: What is to be done at a moment to come.
        replayed: The recorded market, None if prices are made up.
    """

    def __init__(
        self,
        tape: Tape,
        feed: PriceFeed,
        clock: Clock,
        *,
        balance: Decimal = START_BALANCE,
        flat_stops: FlatStops = FlatStops.ACCEPT,
        depth_ratio: float = 1.0,
        trigger_delay_ms: int = 10,
        replayed: ReplayFacts | None = None,
    ) -> None:
        """Open the exchange.

        Args:
            tape: Prices so far.
            feed: Prices to come, for the same symbols in the same order.
            clock: Returns epoch milliseconds.
            balance: USDT in the wallet.
            flat_stops: The answer to a reduce-only stop that has no position to reduce.
            depth_ratio: Book depth as a ratio of the usual.
            trigger_delay_ms: Time between a trigger and its order reaching the engine.
            replayed: The recorded market `feed` replays, None if it replays none.
        """
        self.tape = tape
        self.depth_ratio = depth_ratio
        self.replayed = replayed
        self.journal = Journal(clock())
        self.agenda = Agenda()
        self.ledger = Ledger(Account(balance), self.journal)
        self.desk = Desk(tape, self.ledger, depth_ratio)
        self.conditional = ConditionalDesk(self.desk, flat_stops, trigger_delay_ms)
        self._clock = clock
        self._feed = feed
        self._replay = Replay()
        self.journal.subscribe(self._replay.take)
        self._next_funding_ms = self.next_funding_ms
        self._countdowns: dict[str, int] = {}

    @property
    def account(self) -> Account:
        """Wallet and positions."""
        return self.ledger.account

    @property
    def now_ms(self) -> int:
        """Exchange time, epoch milliseconds."""
        return self.journal.now_ms

    @property
    def next_funding_ms(self) -> int:
        """Time of the next funding payment, epoch milliseconds."""
        return (self.now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS

    def advance(self, now_ms: int | None = None) -> None:
        """Bring the exchange to `now_ms` (the clock's time if None), tick by tick."""
        target_ms = self._clock() if now_ms is None else now_ms
        for due_ms, action in self.agenda.due(target_ms):
            self._run_until(due_ms)
            action()
        self._run_until(target_ms)

    def place_order(self, request: OrderRequest) -> Order:
        """Take a plain order; refusals are written down and raised as `VenueError`."""
        try:
            return self.desk.place(request)
        except VenueError as refusal:
            self.note_refused_order(request, refusal)
            raise

    def note_refused_order(self, request: OrderRequest, refusal: VenueError) -> None:
        """Write down that a plain order was refused."""
        self.journal.add(
            EventKind.ORDER_REJECTED,
            request.symbol,
            side=request.side,
            type=request.type,
            client_id=request.client_id,
            quantity=request.quantity,
            reduce_only=request.reduce_only,
            code=refusal.code,
            reason=refusal.msg,
        )

    def place_algo(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order; refusals are written down and raised as `VenueError`."""
        try:
            return self.conditional.place(request)
        except VenueError as refusal:
            self.note_refused_algo(request, refusal)
            raise

    def note_refused_algo(self, request: AlgoRequest, refusal: VenueError) -> None:
        """Write down that a conditional order was refused."""
        self.journal.add(
            EventKind.STOP_REJECTED,
            request.symbol,
            side=request.side,
            type=request.type,
            client_id=request.client_id,
            quantity=request.quantity,
            price=request.trigger_price,
            reduce_only=request.reduces,
            code=refusal.code,
            reason=refusal.msg,
        )

    def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Choose the leverage of `symbol` and return the largest notional it allows, in USDT."""
        limit = self.tape.instrument(symbol).largest_notional(leverage)
        if leverage < 1 or not limit:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        if self.account.position(symbol).amount and leverage < self.account.leverage_of(symbol):
            raise VenueError(-4161)
        self.account.leverage[symbol] = leverage
        return limit

    def set_isolated(self, symbol: str, isolated: bool) -> None:
        """Switch the margin type of `symbol`; refuse if nothing changes or something is open."""
        self.tape.instrument(symbol)
        if isolated is (symbol in self.account.isolated):
            raise VenueError(-4046)
        if self.desk.open_orders(symbol):
            raise VenueError(-4047)
        if self.account.position(symbol).amount:
            raise VenueError(-4048)
        (self.account.isolated.add if isolated else self.account.isolated.discard)(symbol)

    def set_countdown(self, symbol: str, countdown_ms: int) -> None:
        """Cancel the resting orders of `symbol` in `countdown_ms` unless set again; 0 stops it."""
        if countdown_ms:
            self._countdowns[symbol] = self.now_ms + countdown_ms
        else:
            self._countdowns.pop(symbol, None)

    def report(self) -> Report:
        """Return what happened so far, as the journal tells it."""
        self._replay.pass_time(self.now_ms)
        report = self._replay.report()
        report.replay = self.replayed
        return report

    def _run_until(self, target_ms: int) -> None:
        for tick in self._feed.until(target_ms):
            self.conditional.run_due(tick.ms)
            self._step(tick)
        self.conditional.run_due(target_ms)
        self.journal.now_ms = max(self.now_ms, target_ms)
        self._end_countdowns()

    def _step(self, tick: Tick) -> None:
        self.journal.now_ms = max(self.now_ms, tick.ms)
        self._end_countdowns()
        self.tape.record(tick)
        self.desk.match_resting()
        self._liquidate()
        self.conditional.watch()
        if tick.ms >= self._next_funding_ms:
            self._pay_funding()

    def _end_countdowns(self) -> None:
        for symbol in [name for name, ms in self._countdowns.items() if ms <= self.now_ms]:
            del self._countdowns[symbol]
            self.desk.cancel_all(symbol)

    def _liquidate(self) -> None:
        for symbol, position in self.account.held():
            if is_liquidated(self.tape.instrument(symbol), position, self.tape.mark(symbol)):
                self.desk.liquidate(symbol)

    def _pay_funding(self) -> None:
        for symbol, position in self.account.held():
            self.ledger.charge_funding(
                symbol, position.amount * self.tape.mark(symbol) * FUNDING_RATE
            )
        self._next_funding_ms = self.next_funding_ms
