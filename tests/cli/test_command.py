"""What a person sees of `qt-guard`."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from qt_protections.cli.command import main
from qt_protections.cli.conform import show
from qt_protections.conformance.runs import Compared, Verdict
from qt_protections.settings import Settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with a `"qt"` block."""
    path = tmp_path / "config.json"
    path.write_text('{"qt": {"risk_per_trade": 1.25}}')
    return path


def test_settings_as_a_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting is shown with its value and where it came from."""
    assert main(["settings", "-c", str(config)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in Settings.model_fields)
    (line,) = [line for line in shown.splitlines() if "1.25" in line]
    assert "risk_per_trade" in line
    assert "config" in line


def test_settings_as_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets the same, complete."""
    assert main(["settings", "--json", "-c", str(config)]) == 0
    shown = {s["name"]: s for s in json.loads(capsys.readouterr().out)}
    assert shown["risk_per_trade"]["value"] == 1.25
    assert shown["risk_per_trade"]["origin"] == "config"
    assert shown["trail_callback"]["origin"] == "default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"qt": {"risk_per_trade": 9}}', "risk_per_trade"),
        ('{"qt": {', "config"),
        ("[1, 2]", "config.json is no configuration"),
    ],
    ids=["out-of-bounds", "not-json", "a-list"],
)
def test_a_mistake_is_one_sentence(
    config: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2 and the text names what is wrong."""
    config.write_text(text)
    assert main(["settings", "-c", str(config)]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """So is a configuration that is not there."""
    assert main(["settings", "-c", "nowhere.json"]) == 2
    assert "nowhere.json" in capsys.readouterr().err


def test_the_demonstration_spares_what_is_not_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with other files in it is refused, and stays as it is."""
    (tmp_path / "precious").write_text("keep")
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "keep"


def test_bad_trailing_is_a_warning(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and costs nothing else."""
    monkeypatch.setenv("QT_TRAIL_CALLBACK", "12")
    assert main(["settings", "-c", str(config)]) == 0
    assert "warning: QT_TRAIL_CALLBACK" in capsys.readouterr().err


def test_list_names_what_the_package_brings(capsys: pytest.CaptureFixture[str]) -> None:
    """Strategies and protections, as Freqtrade's own loaders find them."""
    assert main(["list", "--json"]) == 0
    parts = {(p["kind"], p["name"]) for p in json.loads(capsys.readouterr().out)}
    assert parts == {
        ("strategy", "QTStrategy"),
        ("strategy", "GuardedSample"),
        ("strategy", "QTDemo"),
        ("protection", "QtGlobalRegime"),
        ("protection", "QtSymbolStacking"),
    }


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["exchange", "--port", "99999"], ["demo", "--seconds=0"]]
)
def test_wrong_arguments_end_with_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt command is told how it is spelt."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: qt-guard" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy-path=nowhere"], "nowhere is no folder"),
        (["--strategy-path={empty}"], "has no plain strategy"),
        (["--strategy-path={spot}", "--strategy", "Bysell"], "has no Bysell; there are: BuySell,"),
        (["--strategy-path={spot}", "--keep={empty}"], "is there already"),
    ],
    ids=["no folder", "empty", "misspelt", "kept over"],
)
def test_conform_says_what_it_cannot_compare(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, before anything is backtested."""
    spot = Path(__file__).parents[1] / "conformance" / "strategies" / "spot"
    places = {"empty": str(tmp_path), "spot": str(spot)}
    assert main(["conform", *(argument.format(**places) for argument in arguments)]) == 2
    assert said in capsys.readouterr().err


def test_the_table_of_conform_fits_a_terminal() -> None:
    """80 columns, whatever the names; what differs is told below."""
    results = [
        Compared("S" * 70, 12_345, 12_346, Verdict.DIFFERENT, "trade 1: " + "word " * 40),
        Compared("Short", None, None, Verdict.NOT_RUN, "no data"),
        Compared("Equal", 5, 5, Verdict.EQUAL),
    ]
    console = Console(width=80, record=True)
    show(console, results)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("could not run" in line for line in lines)
    assert any(line.startswith("Short: no data") for line in lines)
