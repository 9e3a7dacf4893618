"""The exchange as a whole: time moves the market, the market moves orders and positions."""

from collections.abc import Callable
from decimal import Decimal

from qt_protections.rehearsal.engine.account import Account
from qt_protections.rehearsal.engine.agenda import Agenda
from qt_protections.rehearsal.engine.amendments import Amendments
from qt_protections.rehearsal.engine.conditional import ConditionalDesk
from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.engine.countdowns import Countdowns
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.funding import Funding
from qt_protections.rehearsal.engine.ledger import Ledger
from qt_protections.rehearsal.engine.liquidation import Liquidator
from qt_protections.rehearsal.engine.listen_keys import ListenKeys
from qt_protections.rehearsal.engine.margin_settings import MarginSettings
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoRequest, Order, OrderRequest
from qt_protections.rehearsal.journal import Journal
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
        margin_settings: Leverage and margin type of each symbol, and isolated margins.
        countdowns: After which resting orders are cancelled.
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
        self.tape, self.depth_ratio = tape, depth_ratio
        self.market, self.replayed = market, replayed
        self.journal = Journal(clock())
        self.agenda = Agenda()
        self.listen_keys = ListenKeys(lambda: self.now_ms)
        self.on_moved: Callable[[], None] = lambda: None
        self.ledger = Ledger(Account(balance), self.journal)
        self.desk = Desk(tape, self.ledger, depth_ratio)
        self.amendments = Amendments(self.desk)
        self.margin_settings = MarginSettings(self.desk)
        self.countdowns = Countdowns(self.desk)
        self.conditional = ConditionalDesk(self.desk, flat_stops, trigger_delay_ms, position_lag_ms)
        self.liquidator = Liquidator(self.desk)
        self._clock, self._feed = clock, feed
        self.verdict = Replay()
        self.journal.subscribe(self.verdict.take)
        self.traffic = Traffic()
        self.collateral = "USDT"
        self.funding = Funding(self.now_ms, funding_seed)

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
        self.countdowns.run_due()

    def _step(self, tick: Tick) -> None:
        self.journal.now_ms = max(self.now_ms, tick.ms)
        self.countdowns.run_due()
        self.tape.record(tick)
        self.desk.match_resting()
        self.liquidator.run()
        self.conditional.watch()

    def _pay_funding(self, until_ms: int) -> None:
        while self.funding.next_ms <= until_ms:
            self.conditional.run_due(self.funding.next_ms)
            self.journal.now_ms = max(self.now_ms, self.funding.next_ms)
            marks = {symbol: self.tape.mark(symbol) for symbol in self.tape.symbols}
            for symbol, position in self.account.held():
                rate = self.funding.next_rate(symbol)
                self.ledger.charge_funding(symbol, position.amount * marks[symbol] * rate)
            self.funding.settle(marks)
