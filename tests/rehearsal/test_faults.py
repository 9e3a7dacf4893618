"""Faults: how often they strike, and what they leave behind."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import ccxt
import numpy as np
import pytest

from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.faults import BASELINE, Fault, Faults
from qt_protections.rehearsal.orders import AlgoStatus
from qt_protections.rehearsal.server import RehearsalServer
from tests.rehearsal.stage import Stage
from tests.rehearsal.test_server import PAIR, options

ORDER = "fapi/v1/algoOrder"


def test_rates() -> None:
    """Each fault strikes as often as its rate says."""
    faults = Faults(np.random.default_rng(1), BASELINE)
    drawn = Counter(faults.draw("POST", ORDER) for _ in range(20_000))
    assert {fault: drawn[fault] / 20_000 for fault in Fault} == pytest.approx(BASELINE, abs=0.01)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ORDER), ("POST", "fapi/v1/leverage"), ("GET", "fapi/v1/klines")],
)
def test_only_trading_requests_are_struck(method: str, path: str) -> None:
    """Reading and settings always work."""
    faults = Faults(np.random.default_rng(1), {Fault.BUSY: 1.0})
    assert faults.draw(method, path) is None
    assert faults.draw("DELETE", ORDER) is Fault.BUSY


def test_no_faults_by_default() -> None:
    """Without rates nothing goes wrong."""
    assert Faults().draw("POST", ORDER) is None


def test_withdrawn_stop_covers_no_more() -> None:
    """A stop rejected after its acceptance leaves the position naked from that moment on."""
    stage = Stage()
    algo = stage.algo()
    stage.order()
    stage.wait(1000)
    stage.venue.conditional.withdraw(algo.algo_id)
    stage.wait(500)
    assert algo.status is AlgoStatus.REJECTED
    assert stage.venue.report().positions[0].naked_s == 0.5
    stage.venue.conditional.withdraw(algo.algo_id)


@pytest.fixture(params=[Fault.BUSY, Fault.LOST])
def struck(request: pytest.FixtureRequest) -> Iterator[tuple[Fault, Any, RehearsalServer]]:
    """A server where one fault strikes every trading request, and a client."""
    faults = Faults(np.random.default_rng(1), {request.param: 1.0})
    with RehearsalServer(open_venue("calm", 1), faults=faults) as server:
        client = ccxt.binance(options(server.port))
        yield request.param, client, server
        client.session.close()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_answers(struck: tuple[Fault, Any, RehearsalServer]) -> None:
    """A busy exchange did nothing; a lost answer hides an order that exists."""
    fault, client, server = struck
    kind = {Fault.BUSY: ccxt.OperationFailed, Fault.LOST: ccxt.RequestTimeout}[fault]
    with pytest.raises(kind) as caught:
        client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
    assert type(caught.value) is kind
    assert len(server.venue.desk.orders) == {Fault.BUSY: 0, Fault.LOST: 1}[fault]
