"""What a program reads in the answers of Freqtrade's REST API when the guard refuses it."""

import secrets
import socket
from typing import Any

import pytest
from freqtrade_client import FtRestClient

from qt_protections.rehearsal.errors import VenueError
from tests.integration.rig import BTC, Rig, naked_max
from tests.patience import PATIENCE_S


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def client(rig: Rig) -> FtRestClient:
    """Freqtrade's own client, logged in to a bot that listens to it."""
    server = {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": free_port(),
        "username": "person",
        "password": secrets.token_hex(),
        "jwt_secret_key": secrets.token_hex(),
    }
    rig.bot(api_server=server, db_url=f"sqlite:///{rig.folder / 'trades.sqlite'}")
    url = f"http://127.0.0.1:{server['listen_port']}"
    return FtRestClient(url, server["username"], server["password"], timeout=round(PATIENCE_S))


def refusal(answer: dict[str, Any]) -> str:
    """Return why a forced entry was refused."""
    error: str = answer["error"]
    return error.removeprefix("Error querying /api/v1/forceenter: ")


def test_a_refusal_is_the_answer(client: FtRestClient, rig: Rig) -> None:
    """Short gate, liquidation and stacking limit, each in the guard's own words."""
    short = refusal(client.forceenter(BTC, "short"))
    assert short.startswith(
        f"Entry of {BTC} refused, short_in_uptrend: the symbol is not below its own EMA200 (+"
    )
    high = refusal(client.forceenter(BTC, "long", leverage=125, enter_tag="mine"))
    assert high == (
        f"Entry of {BTC} refused, stop_beyond_liquidation: at leverage 125 the position is "
        "liquidated 0.402% from its entry, and its stop at 0.480% needs 0.600% (liquidation_buffer)"
    )
    assert rig.events("stop_accepted", "order_accepted") == []
    for _ in range(2):
        assert client.forceenter(BTC, "long")["pair"] == BTC
    held = rig.position("BTCUSDT")
    assert refusal(client.forceenter(BTC, "long", leverage=10, enter_tag="mine")) == (
        f"Entry of {BTC} refused, symbol_full: Already at max 2 positions for this symbol"
    )
    assert rig.position("BTCUSDT") == held
    assert naked_max(rig) == 0


def test_a_second_entry_far_too_large_is_cut_to_the_risk(client: FtRestClient, rig: Rig) -> None:
    """It asks for 1.6 BTC, and loses 0.75 % of equity at the stop, as the first."""
    client.forceenter(BTC, "long")
    trade = client.forceenter(BTC, "long", stake_amount=5000)
    first, second, stop = trade["orders"]
    fill = trade["stop_loss_abs"] * (1 - 0.0005)
    fees = 0.0005 * (second["safe_price"] + fill)
    loss = second["filled"] * (second["safe_price"] - fill + fees)
    assert 0.97 < loss / (0.0075 * 9_900) <= 1
    assert second["filled"] == first["filled"]
    assert trade["amount"] == stop["amount"] == rig.position("BTCUSDT") == 2 * first["filled"]
    assert naked_max(rig) == 0


def test_a_lock_is_named_and_can_be_deleted(client: FtRestClient, rig: Rig) -> None:
    """The refusal says which lock it is, and the entry passes once that is gone."""
    client.lock_add(BTC, "2099-03-30 16:00:00Z", side="long", reason="volume < 3 & falling")
    guards, somebodys = client.locks()["locks"]
    assert guards["reason"].startswith(f"QtGlobalRegime: {BTC} 4h is in UPTREND")
    assert refusal(client.forceenter(BTC, "long")) == (
        f"Entry of {BTC} refused, pair_locked: locked until 2099-03-30 16:01 UTC: "
        f"volume \u2039 3 + falling (/unlock {somebodys['id']})"
    )
    assert rig.events("stop_accepted", "order_accepted") == []
    assert client.delete_lock(somebodys["id"])["locks"] == [guards]
    assert client.forceenter(BTC, "long")["pair"] == BTC
    assert rig.position("BTCUSDT") > 0


def test_what_the_exchange_refuses_is_the_answer(client: FtRestClient, rig: Rig) -> None:
    """Freqtrade by itself answers 500, which its own client cannot read."""
    rig.venue.refuse_orders.append(VenueError(-2019, "Margin is insufficient."))
    assert refusal(client.forceenter(BTC, "long")) == (
        f"Entry of {BTC} did not happen: -2019: Margin is insufficient."
    )
    assert rig.live_stops("BTCUSDT") == []
