"""Strategies as people keep them: any file name, any number of files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from freqtrade.resolvers import StrategyResolver

from qt_protections.conformance.guarding import strategies, write_guarded
from qt_protections.conformance.runs import Verdict, compare_all
from qt_protections.guard import QTGuard

_PLAIN = """
    from freqtrade.strategy import IStrategy
    {more}

    class {name}(IStrategy):
        def populate_indicators(self, dataframe, metadata):
            return dataframe
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Leave the imports of this process as they were."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(file: Path, name: str = "Kept", more: str = "") -> None:
    """Write a strategy."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(dedent(_PLAIN).format(name=name, more=more))


@pytest.mark.parametrize(
    "stem", ["kept", "my-strategy", "24h", "v1.2", "a file", "random", "class"]
)
def test_a_file_of_any_name_is_guarded(tmp_path: Path, stem: str) -> None:
    """Freqtrade takes them by their paths, whether or not they could be imported by name."""
    write(tmp_path / "plain" / f"{stem}.py", more="from beside_it import NUMBER")
    (tmp_path / "plain" / "beside_it.py").write_text("NUMBER = 1")
    (tmp_path / "guarded").mkdir()
    (found,) = strategies(tmp_path / "plain")
    name = write_guarded(found, tmp_path / "guarded")
    (loaded,) = StrategyResolver._search_all_objects(tmp_path / "guarded", enum_failed=True)
    assert loaded["name"] == name
    guarded = loaded["class"]
    assert issubclass(guarded, QTGuard)
    assert [cls.__name__ for cls in guarded.__mro__[:3]] == [name, "QTGuard", "Kept"]
    plain = sys.modules[guarded.__mro__[2].__module__]
    assert plain.__file__ == str(found.file)


def test_of_two_files_with_one_class_the_first_counts(tmp_path: Path) -> None:
    """Freqtrade takes the class of the first file by name; the others are told, not compared."""
    for stem in ("second", "first"):
        write(tmp_path / f"{stem}.py", "Twice")
    taken, other = strategies(tmp_path)
    assert (taken.file.name, taken.trouble) == ("first.py", "")
    assert other.name == "Twice"
    (told,) = compare_all([other], [], tmp_path, 1)
    assert (told.strategy, told.verdict) == ("Twice", Verdict.NOT_RUN)
    assert "second.py has it as well, and Freqtrade takes that of first.py" in told.words


@pytest.mark.parametrize("more", ["raise ValueError('no')", "import not_there", "1 +"])
def test_a_file_that_cannot_be_imported_keeps_no_other_back(tmp_path: Path, more: str) -> None:
    """Whatever it does: Freqtrade looks past some errors only."""
    write(tmp_path / "broken.py", more=more)
    write(tmp_path / "fine.py", "Fine")
    fine, broken = strategies(tmp_path)
    assert (fine.name, fine.trouble) == ("Fine", "")
    assert broken.name == "broken.py"
    (told,) = compare_all([broken], [], tmp_path, 1)
    assert (told.strategy, told.verdict) == ("broken.py", Verdict.NOT_RUN)
    assert "cannot be imported" in told.words


def test_results_of_hyperopt_lie_beside_a_link(tmp_path: Path) -> None:
    """A link to a strategy elsewhere is one of this folder, its parameters too."""
    write(tmp_path / "elsewhere" / "kept.py")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "link.py").symlink_to(tmp_path / "elsewhere" / "kept.py")
    (tmp_path / "guarded").mkdir()
    (found,) = strategies(tmp_path / "plain")
    write_guarded(found, tmp_path / "guarded")
    (loaded,) = StrategyResolver._search_all_objects(tmp_path / "guarded", enum_failed=True)
    plain = sys.modules[loaded["class"].__mro__[2].__module__]
    assert plain.__file__ == str(tmp_path / "plain" / "link.py")
