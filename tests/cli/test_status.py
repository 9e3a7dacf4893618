"""`qt-guard status`: which file it looks for, and what it says when that is no help."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration import Configuration
from rich.console import Console
from rich.text import Text

from qt_protections.cli import bot_config
from qt_protections.cli.command import main
from qt_protections.cli.package_data import base_config
from qt_protections.cli.status import page, watch
from qt_protections.reporting.status_file import StatusFile, status_path
from qt_protections.stops.state.client_ids import identity
from tests.reporting.statuses import BOT, position, snapshot


@pytest.fixture
def bot_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bot's configuration, entered."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user_data").mkdir()
    (tmp_path / "config.json").write_text('{"bot_name": "my bot", "dry_run": true}')
    return tmp_path


def tell(folder: Path, url: str, *, age_s: float = 1, name: str = "my bot") -> Path:
    """Write what a bot would have, some seconds ago, and return where."""
    path = status_path(folder / "user_data", identity(name, url))
    content = replace(
        snapshot(position()),
        written_at=datetime.now(UTC) - timedelta(seconds=age_s),
        bot=replace(BOT, name=name),
    )
    StatusFile(path).write(lambda: content)
    return path


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and both outputs on one line each."""
    code = main(["status", *arguments])
    out, err = capsys.readouterr()
    return code, " ".join(out.split()), " ".join(err.split())


def test_the_bot_of_the_folder(bot_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its configuration says which file; what is in it is shown."""
    tell(bot_folder, "sqlite:///tradesv3.dryrun.sqlite")
    code, out, err = ended(capsys)
    assert (code, err) == (0, "")
    assert "my bot (ab12) DRY RUN Mine" in out
    assert "BTCUSDT long 0.15" in out


def test_json_is_the_file(bot_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An old one is said to be old, but not between the braces."""
    path = tell(bot_folder, "sqlite:///tradesv3.dryrun.sqlite", age_s=500)
    code, out, err = ended(capsys, "--json")
    assert code == 0
    assert json.loads(out) == json.loads(path.read_text())
    assert err.startswith("warning: This is 8 min old")


def test_an_old_one_is_shown_with_a_warning(
    bot_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the bot knew last may be just what is looked for."""
    tell(bot_folder, "sqlite:///tradesv3.dryrun.sqlite", age_s=500)
    code, out, _ = ended(capsys)
    assert code == 0
    assert "the bot is not running, is stopped, or hangs" in out
    assert "BTCUSDT long 0.15" in out


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--watch"]])
def test_without_a_file_it_says_which_and_what_to_do(
    bot_folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """And which other bots there are."""
    other = tell(bot_folder, "sqlite:///other.sqlite", name="another")
    (other.parent / "status-zzzz.json").write_text("{")
    code, out, err = ended(capsys, *arguments)
    expected = identity("my bot", "sqlite:///tradesv3.dryrun.sqlite")
    assert (code, out) == (2, "")
    assert f"there is no user_data/qt_guard/status-{expected}.json" in err
    assert "with the same -c, --user-data-dir, --db-url and --dry-run" in err
    assert f"of other bots: {other.name} (another, Mine, dry_run)." in err


def test_a_broken_file_is_named(bot_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is wrong with it."""
    path = tell(bot_folder, "sqlite:///tradesv3.dryrun.sqlite")
    path.write_text('{"bot": ')
    code, _, err = ended(capsys)
    assert code == 2
    assert f"{path.relative_to(bot_folder)} is broken (Invalid JSON" in err


def test_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no bot to ask about."""
    monkeypatch.chdir(tmp_path)
    code, _, err = ended(capsys)
    assert code == 2
    assert "name its configuration with -c" in err


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        ({"dry_run": True}, {}),
        ({"dry_run": False}, {}),
        ({"dry_run": False}, {"dry_run": True}),
        ({"dry_run": True, "db_url": "sqlite:///mine.sqlite"}, {}),
        ({"dry_run": True, "db_url": "sqlite:///tradesv3.sqlite"}, {}),
        ({"dry_run": False, "db_url": ""}, {}),
        ({"dry_run": False, "db_url": "sqlite:///a.sqlite"}, {"db_url": "sqlite:///b.sqlite"}),
        ({"dry_run": False}, {"user_data_dir": "elsewhere"}),
        ({"dry_run": False, "user_data_dir": "elsewhere"}, {}),
        ({"dry_run": True, "user_data_dir": "other"}, {"user_data_dir": "elsewhere"}),
    ],
    ids=lambda value: " ".join(f"{name}={each}" for name, each in value.items()) or "-",
)
@pytest.mark.parametrize("variable", ["", "FREQTRADE__DB_URL", "FREQTRADE__BOT_NAME"])
def test_a_configuration_is_read_as_freqtrade_reads_it(
    bot_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    arguments: dict[str, Any],
    variable: str,
) -> None:
    """Database, name and folder come out the same, with what the environment adds."""
    for folder in ("elsewhere", "other"):
        (bot_folder / folder).mkdir()
    if variable:
        monkeypatch.setenv(variable, "sqlite:///environment.sqlite")
    (bot_folder / "over.json").write_text(json.dumps(config))
    files = [str(base_config()), "over.json"]
    theirs = Configuration({"config": files, **arguments}, None).get_config()
    ours = bot_config.load(files)
    assert ours is not None
    url = bot_config.database(
        ours, arguments.get("db_url"), dry_run=arguments.get("dry_run", False)
    )
    assert url == theirs["db_url"]
    assert ours["bot_name"] == theirs["bot_name"]
    user_data = bot_config.user_data(ours, arguments.get("user_data_dir"))
    assert user_data.resolve() == theirs["user_data_dir"].resolve()


def test_freqtrades_default_file_comes_first(bot_folder: Path) -> None:
    """The one in user_data, whichever that is."""
    assert bot_config.load(None)["bot_name"] == "my bot"
    (bot_folder / "user_data" / "config.json").write_text('{"bot_name": "inner"}')
    assert bot_config.load(None)["bot_name"] == "inner"
    (bot_folder / "there").mkdir()
    (bot_folder / "there" / "config.json").write_text('{"bot_name": "there"}')
    assert bot_config.load(None, "there")["bot_name"] == "there"


def test_watching_shows_each_page_until_it_is_interrupted() -> None:
    """Ctrl-C is its end and no error."""
    pages: Iterator[str] = iter(["first", "second", "third"])
    waits: Iterator[bool] = iter([True, True, False])

    def wait() -> None:
        if not next(waits):
            raise KeyboardInterrupt

    console = Console(force_terminal=True, width=40)
    with console.capture() as capture:
        watch(console, lambda: Text(next(pages)), wait)
    shown = capture.get()
    assert [shown.index(page) for page in ("first", "second", "third")]


def test_a_watched_file_may_go_and_come(bot_folder: Path) -> None:
    """A bot that starts anew is no reason to leave."""
    path = tell(bot_folder, "sqlite:///tradesv3.dryrun.sqlite")
    console = Console(width=200)
    with console.capture() as capture:
        console.print(page(path))
        path.unlink()
        console.print(page(path))
    shown = capture.get()
    assert shown.index("BTCUSDT") < shown.index(f"there is no {path}")
