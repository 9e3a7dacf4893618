"""Tables of literal figures."""

from io import StringIO

from rich.console import Console

from benchmarks.never_naked.tables import side_by_side

RUN = {"loops": 7, "acts": {"enter": 3, "leave": 2}, "books": {"differ": [{}, {}]}, "settled": None}


def test_many_runs_are_summed_up() -> None:
    """Counts by kind are added, lists are counted."""
    rows = (
        ("loops", "loops"),
        ("acts", "acts"),
        ("differ", "books.differ"),
        ("settled", "settled"),
    )
    text = StringIO()
    Console(file=text, width=100).print(side_by_side("title", rows, {"1": RUN}, summed=True))
    found = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert found[-4:] == [["loops", "7"], ["acts", "5"], ["differ", "2"], ["settled", "never"]]
