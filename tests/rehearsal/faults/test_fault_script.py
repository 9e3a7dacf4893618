"""Fault scripts: what they may say, and the one sentence that tells what is wrong."""

from pathlib import Path

import pytest

from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.faults.kinds.order_life import Cancel
from qt_protections.rehearsal.faults.kinds.requests import Busy
from qt_protections.rehearsal.faults.script import (
    KINDS,
    SHIPPED,
    FaultScriptError,
    load_script,
    parse_script,
    shipped_scripts,
)

# What is wrong, and what the sentence must hold.
WRONG = [
    ("kind = 1", ["fault 1", "unknown kind 1", "busy"]),
    ("rate = 0.1", ["fault 1", "has no kind", "busy"]),
    ("kind = 'bussy'", ["unknown kind 'bussy'", "busy"]),
    ("kind = 'busy'\nrates = 0.1", ["(busy)", "unknown key rates = 0.1", "did you mean rate"]),
    ("kind = 'busy'\nxyz = 1", ["unknown key xyz = 1", "it takes", "rate", "for_s"]),
    ("kind = 'busy'\nrate = 1.5", ["rate = 1.5", "less than or equal to 1"]),
    ("kind = 'busy'\nrate = '1'", ["rate = '1'", "valid number"]),
    ("kind = 'busy'\nrate = nan", ["rate = nan", "finite"]),
    ("kind = 'busy'\nstatus = 500", ["status = 500", "502, 503 or 504"]),
    ("kind = 'busy'\ntimes = 0", ["times = 0", "greater than or equal to 1"]),
    ("kind = 'busy'\nsymbols = []", ["symbols = []", "at least 1"]),
    ("kind = 'busy'\nsymbols = ['BTC/USDT:USDT']", ["symbols = 'BTC/USDT:USDT'", "pattern"]),
    ("kind = 'busy'\nfrom_s = 5\nto_s = 5", ["to_s after from_s 5", "was 5"]),
    ("kind = 'busy'\nfrom_s = 5\nat_s = 5", ["not both"]),
    ("kind = 'busy'\nat_s = 5\nfor_s = 9\nevery_s = 8", ["every_s 8", "shorter for_s"]),
    ("kind = 'busy'\nevery_s = 8", ["every_s 8", "for_s"]),
    ("kind = 'busy'\nendpoints = ['POST /fapi/v1/algoOrders']", ["'POST /fapi/v1/algoOrder'"]),
    ("kind = 'stale'\nunseen_ms = 5\nendpoints = ['POST *']", ["'POST *'", "can strike"]),
    ("kind = 'stale'", ["(stale)", "needs unseen_ms"]),
    ("kind = 'withdraw'\nendpoints = ['POST *']", ["unknown key endpoints"]),
    ("kind = 'latency'", ["needs fixed_ms", "p99_ms", "was none of them"]),
    ("kind = 'latency'\nmin_ms = 5", ["min_ms with max_ms", "was min_ms"]),
    ("kind = 'latency'\nmin_ms = 5\nmax_ms = 2", ["from 5 to 2 ms", "swap"]),
    ("kind = 'refuse'", ["needs code"]),
    ("kind = 'refuse'\ncode = 2021", ["code = 2021", "less than 0"]),
    ("kind = 'refuse'\ncode = -9999", ["code -9999", "add msg"]),
    ("kind = 'ban'", ["needs an end", "for_s"]),
    ("kind = 'down'\nat_s = 3", ["needs an end", "for_s"]),
    ("kind = 'cancel'", ["needs after_ms", "at_s"]),
    ("kind = 'cancel'\nat_s = 3\nfor_s = 4", ["moment", "for_s"]),
    ("kind = 'stream_drop'", ["at_s", "per_minute"]),
    ("kind = 'stream_drop'\nat_s = 3\nper_minute = 4", ["one of them"]),
    ("kind = 'clock_skew'", ["needs ahead_ms"]),
    ("kind = 'firewall'\nstatus = 502", ["status = 502", "403, 418, 429 or 503"]),
    ("kind = 'lost'\nexecuted_after_ms = 0", ["executed_after_ms = 0", "greater than 0"]),
    ("kind = 'hang'\nexecuted = false\nexecuted_after_ms = 9", ["drop one of them"]),
    ("kind = 'omit'\nshare = 0.0", ["share = 0.0", "greater than 0"]),
    ("kind = 'omit'\nendpoints = ['GET */klines']", ["'GET */klines'", "can strike"]),
    ("kind = 'list_lag'", ["needs behind_ms"]),
    ("kind = 'list_lag'\nbehind_ms = 9\nendpoints = ['GET */account']", ["can strike"]),
    ("kind = 'dead_on_arrival'\noutcome = 'fill'", ["outcome = 'fill'", "reject"]),
    ("kind = 'sleep'\nrate = 0.5", ["unknown key rate = 0.5", "symbols"]),
    ("kind = 'child_unknown'\nhides = 'all'", ["hides = 'all'", "'name', 'order' or 'both'"]),
    ("kind = 'adl'", ["needs after_ms", "at_s"]),
    ("kind = 'adl'\nat_s = 3\nfor_s = 4", ["moment", "for_s"]),
    ("kind = 'adl'\nat_s = 3\nshare = 1.5", ["share = 1.5", "less than or equal to 1"]),
    ("kind = 'stream_mute'\nevents = ['kline']", ["events = 'kline'", "ALGO_UPDATE"]),
]


@pytest.mark.parametrize(("lines", "said"), WRONG, ids=[row[0] for row in WRONG])
def test_refusals(lines: str, said: list[str]) -> None:
    """File, entry, value and fix are named, in one sentence."""
    text = f"[[fault]]\n{lines}\n"
    with pytest.raises(FaultScriptError) as caught:
        parse_script(text, "bad.toml", 1, ENDPOINTS)
    sentence = str(caught.value)
    assert all(part in sentence for part in ["bad.toml, fault 1", *said]), sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_entry_is_numbered() -> None:
    """The number is that of the entry, counted from 1."""
    text = "[[fault]]\nkind = 'busy'\n[[fault]]\nkind = 'busy'\nrate = 2\n"
    with pytest.raises(FaultScriptError, match=r"bad.toml, fault 2 \(busy\)"):
        parse_script(text, "bad.toml", 1, ENDPOINTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fault", "is not TOML"),
        ("", "must hold"),
        ("title = 'x'\n[[fault]]\nkind = 'busy'", "found title"),
        ("fault = 3", "must hold"),
        ("[fault]\nkind = 'busy'", "must hold"),
    ],
)
def test_files_that_are_no_script(text: str, said: str) -> None:
    """What holds no entries, or something else, is refused."""
    with pytest.raises(FaultScriptError, match=said):
        parse_script(text, "bad.toml", 1, ENDPOINTS)


def test_neither_file_nor_name(tmp_path: Path) -> None:
    """A name that is none lists those that are."""
    with pytest.raises(
        FaultScriptError, match=r"neither a readable file nor one of adl, ban, busy"
    ):
        load_script("no-such", 1, ENDPOINTS)
    with pytest.raises(FaultScriptError, match="neither a readable file"):
        load_script(str(tmp_path), 1, ENDPOINTS)


def test_own_file(tmp_path: Path) -> None:
    """A file of one's own is read, with the seed."""
    path = tmp_path / "mine.toml"
    path.write_text("[[fault]]\nkind = 'busy'\n[[fault]]\nkind = 'cancel'\nat_s = 0\n")
    script = load_script(str(path), 5, ENDPOINTS)
    assert ([type(entry) for entry in script.entries], script.seed) == ([Busy, Cancel], 5)


@pytest.mark.parametrize("name", shipped_scripts())
def test_shipped_scripts(name: str) -> None:
    """Every script of the package is valid and begins with what it is for."""
    assert load_script(name, 1, ENDPOINTS).entries
    assert (SHIPPED / f"{name}.toml").read_text().startswith("# ")


def test_every_kind_is_shipped() -> None:
    """There is an example of each kind, and one script has them all."""
    for names in ([n for n in shipped_scripts() if n != "havoc"], ["havoc"]):
        entries = [e for name in names for e in load_script(name, 1, ENDPOINTS).entries]
        assert {entry.kind for entry in entries} == set(KINDS)
