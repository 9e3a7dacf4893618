"""`qt-guard conform` takes its backtests along when it is ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from qt_protections.conformance.runs import processes
from tests.conformance.candles import write_candles
from tests.conformance.markets import markets, write_config
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.freqtrade

#: Says which process it is in, and stays there.
_STAYS = """\
import os
import time

from freqtrade.strategy import IStrategy


class Stays(IStrategy):
    timeframe = "1h"
    minimal_roi = {{"0": 1}}
    stoploss = -0.1

    def bot_start(self, **kwargs):
        with open({told!r} + str(os.getpid()), "w"):
            pass
        time.sleep(600)

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_no_backtest_outlives_the_command(tmp_path: Path, number: signal.Signals) -> None:
    """Asked to end it removes what they wrote as well."""
    write_candles(tmp_path / "data", "futures")
    for folder in ("user_data", "mine", "told"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine" / "Stays.py").write_text(_STAYS.format(told=f"{tmp_path / 'told'}/"))
    # Not under pytest's folder: workers are started through a socket, whose path must be short.
    with TemporaryDirectory() as temporary, markets() as port:
        command = [
            *(sys.executable, "-m", "qt_protections.cli", "conform", "--jobs=2"),
            f"--config={write_config(tmp_path, port, 'futures')}",
            f"--strategy-path={tmp_path / 'mine'}",
            f"--userdir={tmp_path / 'user_data'}",
            f"--datadir={tmp_path / 'data'}",
        ]
        environment = {**os.environ, "TMPDIR": temporary}
        with (tmp_path / "said").open("wb") as said:
            conform = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            until(lambda: len(_told(tmp_path)) == 2 or conform.poll() is not None)
            assert conform.poll() is None, "it ended by itself"
        except AssertionError as error:
            conform.kill()
            told = [tmp_path / "said", *Path(temporary).rglob("*.log")]
            raise AssertionError("\n".join(path.read_text() for path in told)) from error
        conform.send_signal(number)
        conform.wait(PATIENCE_S)
        until(lambda: not any(_is_alive(pid) for pid in _told(tmp_path)))
        if number is signal.SIGTERM:
            assert conform.returncode == 128 + number
            assert list(Path(temporary).glob("qt-guard-conform-*")) == []


def test_what_is_forked_has_no_other_threads() -> None:
    """A fork in the middle of another thread's work may leave a lock that nobody gives back."""
    with processes(1) as pool:
        assert pool.submit(_threads_of_the_parent).result() == 1


def _threads_of_the_parent() -> int:
    return len(os.listdir(f"/proc/{os.getppid()}/task"))


def _told(folder: Path) -> list[int]:
    return [int(path.name) for path in (folder / "told").iterdir()]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
