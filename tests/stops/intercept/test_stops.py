"""Freqtrade's questions about stops are answered so that nothing is doubled and nothing bared."""

from pathlib import Path

import pytest
from freqtrade.exceptions import (
    InsufficientFundsError,
    InvalidOrderException,
    TemporaryError,
)
from freqtrade.exchange import Exchange
from freqtrade.persistence import Trade

from qt_protections.stops.intercept.stops import StopInterceptor
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.state.unbooked_fill import UnbookedFill
from qt_protections.stops.venue.protocol import Rank
from tests.stops.guards import Guards
from tests.stops.intercept.records import put_on_record
from tests.stops.offline import offline_exchange
from tests.stops.paper import BTC, LOST


@pytest.fixture
def exchange(on_paper: Guards, tmp_path: Path, database: None) -> Exchange:
    """Freqtrade's exchange object with the desk in front."""
    made = offline_exchange(tmp_path, "binance", "futures")
    StopInterceptor(made, on_paper.cover, lambda: True, Hearing(StreamProof()))
    return made


def create(exchange: Exchange, amount: float = 1.0, stop_price: float = 98.0) -> dict[str, object]:
    """Ask for a stop as Freqtrade does."""
    made = exchange.create_stoploss(
        pair=BTC, amount=amount, stop_price=stop_price, order_types={}, side="sell", leverage=10.0
    )
    return dict(made)


# create


def test_the_stop_that_stands_is_the_answer(on_paper: Guards, exchange: Exchange) -> None:
    """The trade has not learnt of it yet."""
    on_paper.enter()
    assert [create(exchange)["id"]] == on_paper.live()
    assert on_paper.paper.sent("place_stop") == 1


def test_a_missing_stop_is_placed(on_paper: Guards, exchange: Exchange) -> None:
    """Where nobody else has yet."""
    on_paper.paper.size[BTC] = 1.0
    assert [create(exchange)["id"]] == on_paper.live()
    assert on_paper.paper.is_covered(BTC)


def test_a_stop_the_trade_has_is_not_given_twice(on_paper: Guards, exchange: Exchange) -> None:
    """Freqtrade could not fetch it, and asks for another: that is no emergency either."""
    on_paper.enter()
    create(exchange)
    with pytest.raises(TemporaryError, match="is live, though it was not found"):
        create(exchange)
    assert len(on_paper.live()) == 1


def test_no_stop_is_placed_for_what_is_closed_already(on_paper: Guards, exchange: Exchange) -> None:
    """The guard closed at market, and the trade does not know it yet."""
    held = on_paper.enter()
    on_paper.paper.exit(BTC)
    held.base = 0.0
    held.ledger.unbooked_fills.append(UnbookedFill({"id": "9", "filled": 1.0}, "emergency_exit"))
    with pytest.raises(InsufficientFundsError, match="closed already"):
        create(exchange)
    assert on_paper.live() == []


def test_freqtrades_price_is_never_looser(on_paper: Guards, exchange: Exchange) -> None:
    """It may come from before a move."""
    held = on_paper.enter()
    on_paper.mover.move(held, 99.0)
    assert create(exchange, stop_price=98.0)["stopPrice"] == 99.0


def slices(on_paper: Guards) -> tuple[PairState, list[str]]:
    """Return a pair whose position is covered by two stops together, and their ids."""
    on_paper.paper.most[BTC] = 0.5
    held = on_paper.held()
    held.base, held.trigger = 1.0, 98.0
    on_paper.paper.size[BTC] = 1.0
    names = [on_paper.paper.stray_stop(BTC, 0.5, 98.0) for _ in range(2)]
    held.stops = [Stop.of(BTC, on_paper.paper.stops[name]) for name in names]
    return held, names


def test_of_several_stops_each_is_given_once(on_paper: Guards, exchange: Exchange) -> None:
    """Nothing is placed, and nothing raised that makes Freqtrade close a covered position."""
    _, names = slices(on_paper)
    given = {create(exchange)["id"], create(exchange)["id"]}
    assert given == set(names) == set(on_paper.live())
    with pytest.raises(TemporaryError, match="is live, though it was not found") as told:
        create(exchange)
    assert not isinstance(told.value, InvalidOrderException)  # upon which Freqtrade closes
    assert on_paper.paper.sent("place_stop") == on_paper.paper.sent("close") == 0


def test_one_of_several_stops_is_not_cancelled(
    on_paper: Guards, exchange: Exchange, trade: Trade
) -> None:
    """None of them covers the position without the others."""
    _, names = slices(on_paper)
    for name in names:
        exchange.cancel_stoploss_order(name, BTC)
    assert on_paper.live() == names
    assert trade.is_open


def test_what_freqtrade_asks_after_first_is_taken_off_once(
    on_paper: Guards, exchange: Exchange
) -> None:
    """The event comes after the trade has booked the fill: what covers the rest must stay."""
    held, (first, second) = slices(on_paper)
    on_paper.paper.trigger(first)
    told = exchange.fetch_stoploss_order(first, BTC)
    assert (told["id"], told["status"], told["filled"]) == (first, "closed", 0.5)
    assert held.base == 0.5
    held.ledger.unbooked_fills.clear()  # the trade has booked it
    child = on_paper.paper.stops[first]["info"]["actualOrderId"]
    on_paper.manager.outcomes.fired(held, first, child)
    assert held.base == 0.5
    assert on_paper.live() == [second]


# fetch


def known(on_paper: Guards) -> tuple[PairState, str]:
    """Return a pair and its stop."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    return held, stop


@pytest.mark.parametrize("silent", [True, False])
def test_what_the_exchange_cannot_tell_of_is_as_last_known(
    on_paper: Guards, exchange: Exchange, silent: bool
) -> None:
    """Live, so that Freqtrade asks for no other."""
    _, stop = known(on_paper)
    if silent:
        on_paper.paper.before["find_stop"].append(LOST)
    on_paper.paper.untold.add(stop)
    assert exchange.fetch_stoploss_order(stop, BTC)["status"] == "open"


def test_a_stop_that_is_gone_is_replaced_before_freqtrade_hears_of_it(
    on_paper: Guards, exchange: Exchange
) -> None:
    """Then it asks for another, and gets the one that stands."""
    _, stop = known(on_paper)
    on_paper.paper.stops[stop]["status"] = "canceled"
    assert exchange.fetch_stoploss_order(stop, BTC)["status"] == "canceled"
    assert on_paper.paper.is_covered(BTC)
    assert [create(exchange)["id"]] == on_paper.live()
    assert len(on_paper.live()) == 1


def test_a_stop_that_fired_is_told_as_what_it_filled(on_paper: Guards, exchange: Exchange) -> None:
    """Under its own id, as Freqtrade has it on record."""
    _, stop = known(on_paper)
    on_paper.paper.trigger(stop)
    told = exchange.fetch_stoploss_order(stop, BTC)
    assert (told["id"], told["status"], told["filled"]) == (stop, "closed", 1.0)
    assert told["status_stop"] == "triggered"


def test_a_trigger_alone_is_no_fill(on_paper: Guards, exchange: Exchange) -> None:
    """What became of it is not known yet: Freqtrade must not book it."""
    _, stop = known(on_paper)
    on_paper.paper.trigger(stop)
    on_paper.paper.stops[stop]["info"] = {"actualOrderId": ""}
    assert exchange.fetch_stoploss_order(stop, BTC)["status"] == "open"


def test_silence_about_a_stop_nobody_knows_is_no_end(on_paper: Guards, exchange: Exchange) -> None:
    """At a start: were it taken for cancelled, its fill would be lost."""
    on_paper.paper.before["find_stop"].append(LOST)
    with pytest.raises(TemporaryError):
        exchange.fetch_stoploss_order("1", BTC)


# cancel


def test_all_that_covers_a_position_is_not_cancelled(
    on_paper: Guards, exchange: Exchange, trade: Trade
) -> None:
    """Freqtrade does so after each fill, and before each of its own moves."""
    _, stop = known(on_paper)
    exchange.cancel_stoploss_order(stop, BTC)
    assert on_paper.live() == [stop]
    assert trade.is_open


def test_nothing_is_cancelled_before_the_first_look(on_paper: Guards, tmp_path: Path) -> None:
    """At a start Freqtrade books what filled meanwhile before the guard's first loop."""
    made = offline_exchange(tmp_path, "binance", "futures")
    StopInterceptor(made, on_paper.cover, lambda: False, Hearing(StreamProof()))
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0)
    on_paper.paper.size[BTC] = 1.0
    assert made.cancel_stoploss_order(stop, BTC) == {}
    assert on_paper.live() == [stop]


def test_one_of_two_may_go(on_paper: Guards, exchange: Exchange, trade: Trade) -> None:
    """The other covers all."""
    held, stop = known(on_paper)
    second = on_paper.paper.stray_stop(BTC, 1.0, 98.0, on_paper.manager.namer.new("S", BTC))  # type: ignore[arg-type]
    on_paper.paper.before["cancel"].append(LOST)
    on_paper.watch.look()
    exchange.cancel_stoploss_order(stop, BTC)
    assert on_paper.live() == [second]
    assert held.required_stop is not None
    assert trade.is_open


def test_everything_goes_once_the_trade_is_closed(
    on_paper: Guards, exchange: Exchange, trade: Trade
) -> None:
    """At once: it must not hit the next position."""
    _, stop = known(on_paper)
    on_paper.paper.exit(BTC)
    trade.is_open = False
    Trade.commit()
    exchange.cancel_stoploss_order(stop, BTC)
    assert on_paper.live() == []


# What is answered without a request, and what is asked all the same


@pytest.fixture
def heard(on_paper: Guards, tmp_path: Path, database: None) -> tuple[Exchange, Hearing]:
    """The same with a stream that somebody reviews."""
    made = offline_exchange(tmp_path, "binance", "futures")
    hearing = Hearing(StreamProof())
    StopInterceptor(made, on_paper.cover, lambda: True, hearing)
    hearing.opened()
    hearing.review(is_open=True, lag_s=0.0)
    return made, hearing


def ask(on_paper: Guards, exchange: Exchange, stop: str) -> bool:
    """Ask after a live stop, and return whether the exchange was asked."""
    on_paper.paper.asked.clear()
    assert exchange.fetch_stoploss_order(stop, BTC)["status"] == "open"
    return "find_stop" in on_paper.paper.asked


def test_a_stop_that_was_just_compared_is_not_asked_after(
    on_paper: Guards, heard: tuple[Exchange, Hearing]
) -> None:
    """Its end would have been heard; Freqtrade asks after each stop in each loop."""
    exchange, hearing = heard
    _, stop = known(on_paper)
    assert ask(on_paper, exchange, stop), "nobody has compared it yet"
    on_paper.watch.look()
    assert not ask(on_paper, exchange, stop)
    hearing.ended()
    assert ask(on_paper, exchange, stop), "nobody looks any more"


@pytest.mark.parametrize(
    ("is_heard", "ago_s", "asks"),
    [(True, 29.0, False), (True, 59.0, False), (True, 61.0, True), (False, 29.0, False),
     (False, 31.0, True)],
)  # fmt: skip
def test_a_comparison_answers_for_a_while(
    on_paper: Guards,
    heard: tuple[Exchange, Hearing],
    is_heard: bool,
    ago_s: float,
    asks: bool,
) -> None:
    """For longer while all that happened since was heard."""
    exchange, hearing = heard
    held, stop = known(on_paper)
    on_paper.watch.look()
    held.looked -= ago_s
    hearing.whole_since = held.looked - 1.0 if is_heard else held.looked + 1.0
    assert ask(on_paper, exchange, stop) is asks


def test_a_stop_in_doubt_is_asked_after(on_paper: Guards, heard: tuple[Exchange, Hearing]) -> None:
    """However lately it was compared."""
    exchange, _ = heard
    held, stop = known(on_paper)
    on_paper.watch.look()
    held.stops[0].track.hear(StopEvent.UNKNOWN)
    assert ask(on_paper, exchange, stop)


@pytest.mark.parametrize(("most", "asks"), [(Rank.COMPARE, False), (Rank.ASK, True), (None, False)])
def test_near_the_limit_freqtrade_asks_itself(
    on_paper: Guards, heard: tuple[Exchange, Hearing], most: Rank | None, asks: bool
) -> None:
    """Nobody looks there; nearer still its own questions wait as well."""
    exchange, _ = heard
    _, stop = known(on_paper)
    on_paper.watch.look()
    ranks = () if most is None else (Rank.ASK,) if most is Rank.ASK else (Rank.ASK, Rank.COMPARE)
    on_paper.paper.has_room = lambda rank: rank in ranks  # type: ignore[method-assign]
    assert ask(on_paper, exchange, stop) is asks


def test_what_a_stop_became_is_not_told_twice(
    on_paper: Guards, exchange: Exchange, trade: Trade
) -> None:
    """Its order is on the trade's record as an exit of its own: the stop adds nothing."""
    _, stop = known(on_paper)
    on_paper.paper.trigger(stop)
    child = on_paper.paper.stops[stop]["info"]["actualOrderId"]
    put_on_record(trade, child, 1.0, filled=1.0)
    told = exchange.fetch_stoploss_order(stop, BTC)
    assert (told["id"], told["filled"]) == (stop, 0.0)
    assert told["status"] != "open"


@pytest.mark.parametrize("silent", [True, False])
def test_a_stop_that_is_over_is_told_as_it_ended(
    on_paper: Guards, exchange: Exchange, silent: bool
) -> None:
    """Also where the exchange has forgotten it since, or does not answer."""
    _, stop = known(on_paper)
    on_paper.paper.trigger(stop)
    first = exchange.fetch_stoploss_order(stop, BTC)
    on_paper.paper.untold.add(stop)
    if silent:
        on_paper.paper.failing["find_stop"] = LOST
    assert exchange.fetch_stoploss_order(stop, BTC) == first
    assert first["filled"] == 1.0


def test_a_stop_that_nobody_knows_is_over(on_paper: Guards, exchange: Exchange) -> None:
    """The exchange forgets old ones; were it live after all, the next look finds it by its name."""
    told = exchange.fetch_stoploss_order("1", BTC)
    assert (told["id"], told["symbol"], told["filled"]) == ("1", BTC, 0.0)
    assert told["status"] != "open"


def test_a_stop_that_could_not_be_placed_is_no_reason_to_close(
    on_paper: Guards, exchange: Exchange
) -> None:
    """The watch goes on trying: Freqtrade must not close at market for that."""
    on_paper.paper.size[BTC] = 1.0
    on_paper.paper.failing["place_stop"] = LOST
    on_paper.paper.failing["find_stop"] = LOST
    with pytest.raises(TemporaryError, match="no stop could be placed") as told:
        create(exchange)
    assert not isinstance(told.value, InvalidOrderException)
    on_paper.paper.failing.clear()
    assert create(exchange)["id"] in on_paper.live()
