"""The wheel, in an environment that has never seen the checkout."""

import json
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from qt_protections.rehearsal.page.routes import PAGE
from tests.integration.commands import ROOT, run

pytestmark = [pytest.mark.freqtrade, pytest.mark.long]


def test_the_wheel_brings_strategies_and_protections(tmp_path: Path) -> None:
    """Installed alone, it lists its parts, and Freqtrade lists its strategies from there.

    The page of the rehearsal exchange is in it.
    """
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist")
    assert built.code == 0, built.output
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    page = {f"qt_protections/rehearsal/page/static/{path.name}" for path in PAGE.iterdir()}
    assert page <= set(zipfile.ZipFile(wheel).namelist())
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    pip = run(python, "-m", "pip", "install", "--quiet", "-c", constraints, wheel)
    assert pip.code == 0, pip.output

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    listed = run(python.with_name("qt-guard"), "list", "--json", cwd=elsewhere, PYTHONPATH="")
    parts = json.loads(listed.output)
    assert all(str(tmp_path / "empty") in part["folder"] for part in parts)
    assert {part["name"] for part in parts} >= {"QTStrategy", "QtGlobalRegime", "QtSymbolStacking"}
    options = run(
        python.with_name("qt-guard"), "exchange", "--help", cwd=elsewhere, PYTHONPATH=""
    ).output
    assert "position-lag" in options, "the fault scripts stayed behind"
    folder = next(part["folder"] for part in parts if part["kind"] == "strategy")
    stock = run(
        python.with_name("freqtrade"), "list-strategies", "--strategy-path", folder,
        "--userdir", elsewhere, "-1", cwd=elsewhere, PYTHONPATH="",
    )  # fmt: skip
    assert stock.code == 0, stock.output
    assert {"QTStrategy", "GuardedSample"} <= set(stock.output.split())
