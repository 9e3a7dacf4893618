"""The exchange as a whole: time moves the market, the market moves orders and positions."""

from collections.abc import Callable
from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO, Account
from qt_protections.rehearsal.engine.agenda import Agenda
from qt_protections.rehearsal.engine.amendments import Amendments
from qt_protections.rehearsal.engine.conditional import ConditionalDesk, FlatStops
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.funding import Funding
from qt_protections.rehearsal.engine.ledger import Ledger
from qt_protections.rehearsal.engine.liquidation import Liquidator
from qt_protections.rehearsal.engine.listen_keys import ListenKeys
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoRequest, Order, OrderRequest
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind, Journal
from qt_protections.rehearsal.market.feed import PriceFeed, Tick
from qt_protections.rehearsal.market.recordings import ReplayFacts
from qt_protections.rehearsal.market.tape import Tape
from qt_protections.rehearsal.verdict.coverage import Replay
from qt_protections.rehearsal.verdict.report import Report
from qt_protections.rehearsal.verdict.traffic import Traffic

Clock = Callable[[], int]
START_BALANCE = Decimal(10_000)
POSITION_LAG_MS = 1000


class Venue:
    """The state of the exchange.

    Attributes:
        tape: Prices and candles.
        ledger: Account, trades and incomes.
        desk: Plain orders.
        amendments: Changes of resting plain orders.
        conditional: Stops and other conditional orders.
        journal: Every event, and the exchange's time.
        funding: Rates and times of funding payments.
        liquidator: Closes what is short of margin.
        verdict: What the journal tells of the protection of positions.
        traffic: Requests, counted.
        market: Name of the market, for people.
        agenda: What is to be done at a moment to come.
        replayed: The recorded market, None if prices are made up.
        listen_keys: Who may hear the user data stream.
        collateral: Coin of the wallet, at the worth of USDT.
        on_moved: Called whenever time and market have moved on.
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
        position_lag_ms: int = POSITION_LAG_MS,
        market: str = "scripted",
        replayed: ReplayFacts | None = None,
        funding_seed: int | None = None,
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
            position_lag_ms: Time for which `closePosition` orders do not see a new position.
            market: Name of the market, for people.
            replayed: The recorded market `feed` replays, None if it replays none.
            funding_seed: Of the funding rates, see `Funding`.
        """
        self.tape = tape
        self.depth_ratio = depth_ratio
        self.market = market
        self.replayed = replayed
        self.journal = Journal(clock())
        self.agenda = Agenda()
        self.listen_keys = ListenKeys(lambda: self.now_ms)
        self.on_moved: Callable[[], None] = lambda: None
        self.ledger = Ledger(Account(balance), self.journal)
        self.desk = Desk(tape, self.ledger, depth_ratio)
        self.amendments = Amendments(self.desk)
        self.conditional = ConditionalDesk(self.desk, flat_stops, trigger_delay_ms, position_lag_ms)
        self.liquidator = Liquidator(self.desk)
        self._clock = clock
        self._feed = feed
        self.verdict = Replay()
        self.journal.subscribe(self.verdict.take)
        self.traffic = Traffic()
        self.collateral = "USDT"
        self.funding = Funding(self.now_ms, funding_seed)
        self._countdowns: dict[str, int] = {}

    @property
    def account(self) -> Account:
        """Wallet and positions."""
        return self.ledger.account

    @property
    def now_ms(self) -> int:
        """Exchange time, epoch milliseconds."""
        return self.journal.now_ms

    def advance(self, now_ms: int | None = None) -> None:
        """Bring the exchange to `now_ms` (the clock's time if None), tick by tick."""
        target_ms = self._clock() if now_ms is None else now_ms
        for due_ms, action in self.agenda.due(target_ms):
            self._run_until(due_ms)
            action()
        self._run_until(target_ms)
        self.on_moved()

    def place_order(self, request: OrderRequest) -> Order:
        """Take a plain order, or raise `VenueError`; requests from outside come by `intake`."""
        return self.desk.place(request)

    def place_algo(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order, or raise `VenueError`; see `place_order`."""
        return self.conditional.place(request)

    def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Choose the leverage of `symbol` and return the largest notional it allows, in USDT.

        Raises:
            VenueError: -4028; -2027 if the position is too large for it; with a position, -4161 if
                it falls in isolated margin, and -2028 if it falls further than the margin allows.
        """
        limit = self.tape.instrument(symbol).largest_notional(leverage)
        if leverage < 1 or not limit:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        before, isolated = self.account.leverage_of(symbol), symbol in self.account.isolated
        if self.account.position(symbol).amount and leverage < before and isolated:
            raise VenueError(-4161)
        if self.desk.valuation.notional(symbol) > limit:
            raise VenueError(-2027)
        unbound = self.desk.unbound
        self.account.leverage[symbol] = leverage
        if self.desk.unbound < min(unbound, ZERO):
            self.account.leverage[symbol] = before
            raise VenueError(-2028)
        if leverage != before:
            self.journal.add(EventKind.LEVERAGE_CHANGED, symbol)
        return limit

    def move_margin(self, symbol: str, amount: Decimal) -> None:
        """Add USDT to an isolated margin, or take it out if `amount` is negative.

        Only what the position does not need at its initial margin can be taken out; unrealised
        profit cannot.

        Raises:
            VenueError: -4049, -4050, -4051 or -4054.
        """
        if symbol not in self.account.isolated:
            raise VenueError(-4049)
        position, valuation = self.account.position(symbol), self.desk.valuation
        if not position.amount:
            raise VenueError(-4054)
        if amount > self.desk.available:
            raise VenueError(-4050)
        loss = min(valuation.unrealized(symbol), ZERO)
        if -amount > max(position.margin + loss - valuation.initial(symbol), ZERO):
            raise VenueError(-4051)
        self.ledger.move_margin(symbol, amount)

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
        self.journal.add(EventKind.MARGIN_TYPE_CHANGED, symbol)

    def set_countdown(self, symbol: str, countdown_ms: int) -> None:
        """Cancel the resting orders of `symbol` in `countdown_ms` unless set again; 0 stops it."""
        if countdown_ms:
            self._countdowns[symbol] = self.now_ms + countdown_ms
        else:
            self._countdowns.pop(symbol, None)

    def report(self) -> Report:
        """Return what happened so far, as the journal tells it."""
        self.verdict.pass_time(self.now_ms)
        report = self.verdict.report()
        report.traffic = self.traffic.report()
        report.replay = self.replayed
        return report

    def _run_until(self, target_ms: int) -> None:
        for tick in self._feed.until(target_ms):
            self._pay_funding(tick.ms)
            self.conditional.run_due(tick.ms)
            self._step(tick)
        self._pay_funding(target_ms)
        self.conditional.run_due(target_ms)
        self.journal.now_ms = max(self.now_ms, target_ms)
        self._end_countdowns()

    def _step(self, tick: Tick) -> None:
        self.journal.now_ms = max(self.now_ms, tick.ms)
        self._end_countdowns()
        self.tape.record(tick)
        self.desk.match_resting()
        self.liquidator.run()
        self.conditional.watch()

    def _end_countdowns(self) -> None:
        for symbol in [name for name, ms in self._countdowns.items() if ms <= self.now_ms]:
            del self._countdowns[symbol]
            self.desk.cancel_all(symbol)

    def _pay_funding(self, until_ms: int) -> None:
        while self.funding.next_ms <= until_ms:
            self.conditional.run_due(self.funding.next_ms)
            self.journal.now_ms = max(self.now_ms, self.funding.next_ms)
            marks = {symbol: self.tape.mark(symbol) for symbol in self.tape.symbols}
            for symbol, position in self.account.held():
                rate = self.funding.next_rate(symbol)
                self.ledger.charge_funding(symbol, position.amount * marks[symbol] * rate)
            self.funding.settle(marks)
