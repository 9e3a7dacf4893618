"""Somebody else with the account's keys, and the end of a bot by `kill -9`."""

import hashlib
import hmac
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import PairLocks
from freqtrade.persistence.pairlock import PairLock

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rules.denial import DenyCode
from qt_protections.stops.reconciliation.absence import Absence
from tests.inside import monitor, pair_state, reconciliation, runtime
from tests.integration.rig import Rig
from tests.patience import PATIENCE_S


class Killed(BaseException):
    """The process is gone; nothing catches this."""


def by_hand(rig: Rig, method: str, path: str, **values: object) -> dict[str, Any]:
    """Send a signed request as a person does, or another program."""
    query = urlencode({**values, "timestamp": rig.venue.now_ms})
    seal = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"/fapi/v1/{path}?{query}&signature={seal}"
    answer: dict[str, Any] = rig.http.request(method, url, headers={"X-MBX-APIKEY": API_KEY}).json()
    return answer


def trade_by_hand(rig: Rig, symbol: str, amount: float) -> None:
    """Buy at market, or sell if the amount is negative."""
    side = "BUY" if amount > 0 else "SELL"
    sent = by_hand(
        rig, "POST", "order", symbol=symbol, side=side, type="MARKET", quantity=abs(amount)
    )
    assert "orderId" in sent, sent


def cancel_by_hand(rig: Rig, algo_id: int) -> None:
    """Cancel a conditional order."""
    answer = by_hand(rig, "DELETE", "algoOrder", algoId=algo_id)
    assert answer.get("code") == "200", answer


def unlock(pair: str) -> None:
    """Release every lock of a pair, as `/unlock` does."""
    for lock in PairLocks.get_pair_locks(pair):
        lock.active = False
    PairLock.session.commit()


def let_evidence_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two lists that agree for two looks be evidence, which takes a minute in life."""
    monkeypatch.setattr(Absence, "needed_s", 0.0)
    monkeypatch.setattr("qt_protections.stops.reconciliation.absence._AGREE_TIMES", 2)


def refusals(bot: FreqtradeBot) -> dict[tuple[str, DenyCode], int]:
    """Return how often each rule refused each pair, as `qt-guard status` counts."""
    refused = runtime(bot).operator_log.refused
    return {key: refusal.count for key, refusal in refused.items()}


def move_stop(bot: FreqtradeBot, pair: str, trigger: float) -> bool:
    """Move the stop of a pair; return whether the new one stands."""
    return reconciliation(bot)._mover.move(pair_state(bot, pair), trigger)


def kill(rig: Rig, bot: FreqtradeBot) -> None:
    """End a bot without a word: its threads stop, and nothing is tidied up."""
    monitor(bot).stop()
    rig.forget(bot)


def in_another_thread(act: Callable[[], object]) -> None:
    """Do this as remote control does, and wait for it."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it waits for a lock that nobody gives back"
