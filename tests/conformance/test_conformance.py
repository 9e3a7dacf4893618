"""With every rule off, a guarded strategy trades like the plain one, trade for trade.

The strategies are our own, one for each style and age of interface that public ones have. Freqtrade
is the real one; its candles are made up here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from qt_protections.cli.command import main
from tests.conformance.candles import TIMERANGE, write_candles
from tests.conformance.markets import markets, write_config

pytestmark = [pytest.mark.freqtrade, pytest.mark.long]

STRATEGIES = Path(__file__).parent / "strategies"


def conform(folder: Path, market: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `qt-guard conform` over the strategies of a market; return code and results."""
    write_candles(folder / "data", market)
    (folder / "user_data").mkdir()
    with markets() as port:
        code = main(
            [
                "conform",
                f"--config={write_config(folder, port, market)}",
                f"--strategy-path={STRATEGIES / market}",
                f"--userdir={folder / 'user_data'}",
                f"--datadir={folder / 'data'}",
                f"--timerange={TIMERANGE}",
                "--jobs=2",
                "--json",
            ]
        )
    return code, {each["strategy"]: each for each in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(("market", "least"), [("futures", 40), ("spot", 7)])
def test_every_style_trades_alike(
    tmp_path: Path, market: str, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each strategy trades, and the guard changes nothing of that."""
    code, results = conform(tmp_path, market, capsys)
    assert len(results) >= least
    assert [name for name, each in results.items() if not each["plain"]] == [], results
    different = {
        name: each["words"] for name, each in results.items() if each["verdict"] != "equal"
    }
    assert different == {}
    assert code == 0
