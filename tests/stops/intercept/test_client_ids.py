"""The names of orders that Freqtrade sends, and how far such an order has come."""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from qt_protections.stops.intercept.client_ids import ClientIds
from tests.stops.offline import offline_exchange
from tests.stops.paper import BTC

ENTRY = {"pair": BTC, "leverage": 7.0, "side": "buy"}


class Prepared:
    """An exchange that notes what is set before an order."""

    def __init__(self, folder: Path, *, dry_run: bool = False, are_found: bool = True) -> None:
        self.exchange: Any = offline_exchange(folder, "binance", "futures")
        self.exchange._config["dry_run"] = dry_run
        self.fails: Exception | None = None
        self.sets: list[tuple[Any, ...]] = []
        self.exchange._lev_prep = self._set
        self.names = ClientIds(self.exchange, are_found=are_found)

    def name(self) -> str | None:
        """Return the client id that an order would get now."""
        params = self.exchange._get_params("buy", "limit", 7.0, False, "GTC")
        found: str | None = params.get("clientOrderId")
        return found

    def send(self) -> None:
        """Do what Freqtrade does before it sends an entry."""
        self.exchange._lev_prep(BTC, 7.0, "buy", accept_fail=False)

    def _set(self, *what: Any, accept_fail: bool) -> None:
        self.sets.append((*what, accept_fail))
        if self.fails is not None:
            raise self.fails


@pytest.mark.parametrize(
    ("more", "sets"),
    [
        ({}, [(BTC, 7.0, "buy", False)]),
        ({"initial_order": False}, [(BTC, 7.0, "buy", True)]),
    ],
    ids=["opens", "adds"],
)
def test_margin_type_and_leverage_are_set_once(
    tmp_path: Path, more: dict[str, Any], sets: list[tuple[Any, ...]]
) -> None:
    """Before the stop. Only an entry that adds to a position may fail there: its position has them.

    Freqtrade asks for them again right before it sends, and again for the next order.
    """
    made = Prepared(tmp_path)
    made.names.prepare(ENTRY | more)
    with made.names.given("qt-1", is_prepared=True):
        made.send()
    assert made.sets == sets
    made.send()
    assert made.sets == [*sets, (BTC, 7.0, "buy", False)]


def test_a_dry_run_sets_nothing(tmp_path: Path) -> None:
    """Its orders are Freqtrade's imitation."""
    made = Prepared(tmp_path, dry_run=True)
    made.names.prepare(ENTRY)
    assert made.sets == []


@pytest.mark.parametrize(("are_found", "name"), [(True, "qt-1"), (False, None)])
def test_the_next_order_of_a_thread_has_the_name(
    tmp_path: Path, are_found: bool, name: str | None
) -> None:
    """No other order has, nor another thread's; where none is found by one, none is given."""
    made = Prepared(tmp_path, are_found=are_found)
    elsewhere: list[str | None] = []
    with made.names.given("qt-1"):
        assert made.name() == name
        thread = Thread(target=lambda: elsewhere.append(made.name()))
        thread.start()
        thread.join()
    assert elsewhere == [None]
    assert made.name() is None


def test_whether_an_order_can_have_been_sent(tmp_path: Path) -> None:
    """An entry not before its leverage is set; an exit, which sets none, at any time."""
    made = Prepared(tmp_path)
    with made.names.given("qt-1"):
        assert made.names.sent
    with made.names.given("qt-2", is_prepared=True):
        assert not made.names.sent
        made.send()
        assert made.names.sent
    made.fails = RuntimeError("forced by a test")
    with made.names.given("qt-3"), pytest.raises(RuntimeError):
        made.send()
    assert not made.names.sent
