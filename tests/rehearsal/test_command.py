"""The command line and the config it prints."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import ccxt
import pytest

from qt_protections.rehearsal.api.intake import place_algo, place_order
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.market.candles import Window
from qt_protections.rehearsal.overlay import api_urls
from tests.patience import PATIENCE_S
from tests.rehearsal.recorded import frame, write
from tests.rehearsal.stage import code_of

COMMAND = [sys.executable, "-m", "qt_protections.rehearsal", "exchange"]


def run(*args: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *args], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def test_print_config() -> None:
    """The overlay is JSON for the chosen port, live, isolated, with a database of its own."""
    done = run("--print-config", "--port", "19001")
    overlay = json.loads(done.stdout)
    assert (done.returncode, overlay["dry_run"], overlay["margin_mode"]) == (0, False, "isolated")
    assert overlay["db_url"] == "sqlite:///rehearsal.sqlite"
    assert "127.0.0.1:19001" in overlay["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]
    assert "BTC/USDT:USDT" in overlay["exchange"]["pair_whitelist"]


def test_more_pairs() -> None:
    """The usual contracts come first, made-up ones after them; each has what Freqtrade reads."""
    overlay = json.loads(run("--print-config", "--pairs", "9").stdout)
    pairs = overlay["exchange"]["pair_whitelist"]
    assert (pairs[0], pairs[7:]) == ("BTC/USDT:USDT", ["MADE001/USDT:USDT", "MADE002/USDT:USDT"])
    venue = open_venue("calm", 7, pairs=9)
    assert venue.tape.symbols == tuple(p.split(":")[0].replace("/", "") for p in pairs)
    market = {"symbol": "MADE002USDT", "side": "BUY", "type": "MARKET", "quantity": "10"}
    venue.advance()
    place_order(venue, Params(market))
    assert venue.account.position("MADE002USDT").amount == 10
    assert venue.tape.bars("MADE001USDT", "4h", Window(limit=1000)).columns.shape[1] >= 360


def test_nothing_can_leave_the_machine() -> None:
    """Every base URL ccxt knows for Binance is replaced by a loopback one."""
    urls = api_urls(1)
    assert set(ccxt.binance().urls["api"]) <= set(urls)
    assert {urlsplit(url).hostname for url in urls.values()} == {"127.0.0.1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_starts_and_ends(number: signal.Signals) -> None:
    """The command says where it is, and a signal ends it with code 0."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--scenario", "violent"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(4)]
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(PATIENCE_S) == 0
    assert "https://127.0.0.1:" in head[2]
    assert "violent, seed 7, 50 ms" in head[3]
    assert rest.endswith("Rehearsal exchange is closed.\n")


def test_port_in_use() -> None:
    """A taken port gives one sentence with the fix, and code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is in use" in done.stderr
    assert f"--port {port + 1}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args",
    [["--port", "99999"], ["--latency-ms", "-1"], ["--scenario", "boring"], ["--seed", "x"]],
    ids=lambda args: args[0],
)
def test_bad_options(args: list[str]) -> None:
    """Options out of bounds are refused with their name and bounds."""
    done = run(*args)
    assert done.returncode == 2
    assert args[0] in done.stderr


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--start", "2025-02-02T20:00"], "--start and --speed need --replay"),
        (["--speed", "2"], "--start and --speed need --replay"),
        (["--replay", "."], "--replay needs --start"),
        (["--replay", ".", "--pairs", "9"], "--pairs needs a scenario"),
        (["--replay", ".", "--start", "2025-02-02T20:00"], "has no 1m candles"),
        (["--replay", ".", "--print-config"], "has no 1m candles"),
    ],
    ids=["start-alone", "speed-alone", "no-start", "pairs", "no-files", "no-pairs"],
)
def test_replay_refusals(args: list[str], reason: str) -> None:
    """A replay that cannot be is refused in one sentence, with code 2."""
    done = run(*args)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args",
    [
        ["--start", "yesterday", "--replay", "."],
        ["--start", "2025-02-02T20:00:30", "--replay", "."],
        ["--speed", "1000", "--replay", "."],
        ["--scenario", "gap", "--replay", "."],
    ],
    ids=["no-time", "seconds", "too-fast", "both"],
)
def test_bad_replay_options(args: list[str]) -> None:
    """Options that make no replay are refused by name."""
    done = run(*args)
    assert done.returncode == 2
    assert args[0] in done.stderr


def test_replay_starts_and_ends(tmp_path: Path) -> None:
    """The banner states the start, the shift and the end; the config lists the pairs found."""
    folder = write(tmp_path, frame(), "TON")
    replay = [*COMMAND, "--port", "0", "--replay", str(folder)]
    with subprocess.Popen(
        [*replay, "--start", "2025-02-02T17:00"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(9)]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(PATIENCE_S) == 0
    assert "replay from 2025-02-02T17:00" in head[3]
    assert "so that --start is now; speed 1" in head[4]
    assert "prices hold still from" in head[5]
    assert f"--replay {folder} --print-config" in head[8]
    overlay = json.loads(run("--replay", str(folder), "--print-config").stdout)
    assert overlay["exchange"]["pair_whitelist"] == ["TON/USDT:USDT"]


@pytest.mark.parametrize(("lag_ms", "code"), [(60_000, -4509), (0, 0)], ids=["hidden", "seen"])
def test_position_lag(lag_ms: int, code: int) -> None:
    """A new position stays hidden from closePosition orders for as long as chosen."""
    venue = open_venue("calm", 7, position_lag_ms=lag_ms)
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    place_order(venue, Params(market))
    stop = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"}
    stop |= {"triggerPrice": "1000", "closePosition": "true"}
    assert code_of(place_algo, venue, Params(stop)) == code


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "neither a readable file nor one of"),
        (
            "[[fault]]\nkind = 'busy'\nrate = 2\n",
            "mine.toml, fault 1 (busy) has rate = 2; it should be",
        ),
    ],
    ids=["no-file", "bad-value"],
)
def test_fault_script_refusals(tmp_path: Path, script: str | None, said: str) -> None:
    """A script that cannot be used is refused in one sentence, with code 2."""
    path = tmp_path / "mine.toml"
    if script is not None:
        path.write_text(script)
    done = run("--port", "0", "--faults", str(path))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "name"), [(["--faults"], "mix"), (["--faults", "down"], "down")], ids=str
)
def test_fault_script_by_name(options: list[str], name: str) -> None:
    """The banner names the shipped script; today's mix if none is named."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(PATIENCE_S) == 0
    assert head[3].endswith(f"10000 USDT, faults {name}\n")
