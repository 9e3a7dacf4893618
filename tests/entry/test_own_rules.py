"""Entry rules of a user's own: what the guard makes of them, whatever they answer."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import PairLocks, Trade
from hypothesis import given
from hypothesis import strategies as st

from qt_protections import Denial, EntryRule, ProposedEntry, deny
from qt_protections.configuration import load_settings
from qt_protections.entry.gates import Gates
from qt_protections.entry.own_rules import OwnRules, own_rules
from qt_protections.errors import GuardNotInstalled
from qt_protections.market.signals import Signals
from qt_protections.reporting.entry_summary import summary
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import DenyCode
from tests.extending import program

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DP = DataProvider({"runmode": RunMode.BACKTEST}, None)  # type: ignore[typeddict-item]


class Answers:
    """Answers what a test wants; what is an error is raised."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked: list[tuple[ProposedEntry, datetime]] = []

    def check(self, entry: ProposedEntry, now: datetime) -> Any:
        """Answer."""
        self.asked.append((entry, now))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Guard:
    """Stands for the guard in a class statement."""


class Wrapped:
    """A strategy that uses the name for something of its own."""

    entry_rules = {"rsi": 30}


def test_the_guarded_class_names_its_rules_and_the_strategy_keeps_its_own() -> None:
    """Nothing that a wrapped strategy calls so is taken for a rule."""
    rule = Answers()

    class Plain(Guard, Wrapped):
        pass

    class Ruled(Guard, Wrapped):
        entry_rules = (rule,)  # type: ignore[assignment]

    assert own_rules(Plain, Guard) == ()
    assert own_rules(Ruled, Guard) == (rule,)
    assert Plain.entry_rules == {"rsi": 30}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (Answers(), "is no sequence of rules"),
        ({Answers()}, "is no sequence of rules"),
        ((Answers,), "is no rule: each is an object"),
        ((None,), "is no rule: each is an object"),
        ("rule", "is no rule: each is an object"),
    ],
    ids=["no tuple", "no order", "a class", "nothing", "a text"],
)
def test_what_is_no_rule_stops_the_start(named: object, why: str) -> None:
    """A bot whose owner counts on a rule must not run without."""
    ruled = type("Ruled", (Guard,), {"entry_rules": named})
    with pytest.raises(GuardNotInstalled, match=rf"Ruled\.entry_rules .*{why}.*\(MyRule\(\),\)"):
        own_rules(ruled, Guard)


def test_the_first_objection_counts() -> None:
    """In the order in which the class names the rules; none is asked after that."""
    no, late = deny("moon_full", "the moon is full", phase=1.0), Answers()
    rules = [Answers(), Answers(no), late]
    assert OwnRules(rules, DP).check(BTC, NOON, is_short=True) == no
    assert rules[0].asked == [(ProposedEntry(BTC, True, DP), NOON)]
    assert late.asked == []


def test_what_no_rule_objects_to_passes(caplog: pytest.LogCaptureFixture) -> None:
    """Each rule was asked, and the log names them; without any nothing is said."""
    caplog.set_level(logging.INFO)
    rules = [Answers(), Answers()]
    assert OwnRules(rules, DP).check(BTC, NOON, is_short=False) is None
    assert [len(rule.asked) for rule in rules] == [1, 1]
    assert caplog.messages == ["[OK] Entry rules of your own: Answers, Answers"]
    caplog.clear()
    assert OwnRules([], DP).check(BTC, NOON, is_short=False) is None
    assert caplog.messages == []


WRONG = st.one_of(
    st.booleans(),
    st.integers(),
    st.text(),
    st.builds(object),
    st.sampled_from([ValueError("x"), KeyError(), RecursionError(), Denial]),
    st.sampled_from(DenyCode).map(lambda code: deny(code, "said by another")),
    st.builds(Denial, st.none() | st.integers(), st.text()),  # type: ignore[arg-type]
    st.builds(Denial, st.text(), st.none()),  # type: ignore[arg-type]
)


@given(WRONG)
def test_whatever_is_no_answer_refuses(wrong: object) -> None:
    """Nothing but None lets an entry pass."""
    denial = OwnRules([Answers(wrong)], DP).check(BTC, NOON, is_short=False)
    assert denial is not None
    assert denial.code == "Answers_failed"
    assert denial.text.startswith("the entry rule Answers failed, so the entry is refused (")
    assert denial.is_failure
    assert not denial.stands


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trades and locks as a backtest has them."""
    monkeypatch.setattr(Trade, "use_db", False)
    monkeypatch.setattr(PairLocks, "use_db", False)


def gates(log: OperatorLog, *rules: EntryRule) -> Gates:
    """Return the gates of a backtest."""
    signals = Signals(DP, "confidence", "1h")
    return Gates(load_settings().settings, signals, log, lambda _: [], OwnRules(rules, DP))


@pytest.mark.usefixtures("no_database")
def test_a_refusal_is_said_once_a_candle_and_counted_by_its_own_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A rule that fails is, too, and its traceback is in the log once."""
    caplog.set_level(logging.INFO)
    log, moody, broken = OperatorLog(), Answers(deny("moody", "not today")), Answers()
    asked = gates(log, moody, broken)
    for candle in range(3):
        log.new_candle(NOON + timedelta(hours=candle))
        for _ in range(2):
            moody.answer = deny("moody", "not today")
            assert asked.entry(BTC, NOON, is_short=False) is not None
            moody.answer, broken.answer = None, ZeroDivisionError("by zero")
            assert asked.entry(ETH, NOON, is_short=False) is not None
    assert summary(log.tally, log.refused.values()).refused == {"moody": 3, "Answers_failed": 3}
    said = [record for record in caplog.records if "Skipping" in record.getMessage()]
    assert [record.levelname for record in said] == ["INFO", "WARNING"] * 3
    assert said[0].getMessage() == "[SAFETY] Skipping BTCUSDT: not today"
    assert "ETHUSDT: the entry rule Answers failed" in said[1].getMessage()
    assert len([record for record in caplog.records if record.exc_info]) == 1


@pytest.mark.usefixtures("no_database")
def test_the_guards_own_rules_come_first() -> None:
    """A user's rule is not asked about an entry that is refused anyway."""
    rule = Answers(deny("moody", "not today"))
    denial = gates(OperatorLog(), rule).entry(BTC, NOON, is_short=True)
    assert denial is not None
    assert denial.code is DenyCode.SHORT_REGIME_UNKNOWN
    assert rule.asked == []


def provider(folder: Path, rates: dict[datetime, float]) -> DataProvider:
    """Return the data provider of a backtest on stored funding rates."""
    frame = pd.DataFrame({"date": list(rates), "funding_rate": list(rates.values())})
    frame["date"] = pd.to_datetime(frame["date"], utc=True)
    handler = get_datahandler(folder, "feather")
    handler.ohlcv_store(BTC, "1h", frame, CandleType.FUNDING_RATE)
    exchange: Any = type("Exchange", (), {"get_option": lambda *_: "1h"})()
    config: Any = {
        "datadir": folder,
        "dataformat_ohlcv": "feather",
        "candle_type_def": CandleType.FUTURES,
        "runmode": RunMode.BACKTEST,
    }
    return DataProvider(config, exchange)


EIGHT = datetime(2026, 1, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "large", "code"),
    [
        (-11, 0.0005, None),
        (-10, 0.0005, "funding_near"),
        (0, 0.0005, "funding_near"),
        (10, 0.0005, "funding_near"),
        (11, 0.0005, None),
        (0, 0.0008, None),
        (8 * 60, 0.0005, "funding_near"),
        (16 * 60 - 5, 0.0005, None),
        (24 * 60, 0.0005, "funding_unknown"),
    ],
)
def test_the_rule_of_the_page(minutes: int, large: float, code: str | None, tmp_path: Path) -> None:
    """The payments of 00:00 and 08:00 are large and the one of 16:00 is not; then nothing is known.

    A backtest shows a payment an hour late, and the rule decides alike before and after one.
    """
    rates = {EIGHT - timedelta(hours=8): -0.0007, EIGHT: 0.0006}
    rates[EIGHT + timedelta(hours=8)] = 0.0001
    dp, now = provider(tmp_path, rates), EIGHT + timedelta(minutes=minutes)
    dp._set_dataframe_max_date(now)
    names: dict[str, Any] = {}
    exec(program("near_funding.py"), names)  # noqa: S102  the page's own
    rule: Callable[..., Denial | None] = names["NearFunding"](large).check
    denial = rule(ProposedEntry(BTC, False, dp), now)
    assert (None if denial is None else denial.code) == code
    if code == "funding_near" and denial is not None and minutes < 60:
        assert denial.text == "funding is paid at 08:00 UTC, and the last rate was -0.070%"
