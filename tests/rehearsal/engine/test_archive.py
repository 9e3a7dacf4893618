"""Orders by number and by name, bounded."""

from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rehearsal.engine.archive import Archive


def test_names_mean_the_latest() -> None:
    """A name used again means its new record; numbers mean both."""
    archive = Archive[str](lambda _: True)
    archive.add(1, "a", "first")
    archive.add(2, "a", "second")
    assert (archive.named("a"), archive.get(1), archive.get(2)) == ("second", "first", "second")
    assert (archive.named("b"), archive.get(3)) == (None, None)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_forgets_the_oldest_that_is_done(records: list[tuple[str, bool]]) -> None:
    """What is not done stays; of the rest the latest stay; order and names hold."""
    archive = Archive[tuple[str, bool]](lambda record: record[1], keep=5)
    for number, record in enumerate(records):
        archive.add(number, record[0], record)
    kept = list(range(len(records)))
    for size in range(6, len(records) + 1):
        seen = [number for number in kept if number < size]
        done = [number for number in seen if records[number][1]]
        if len(seen) > 5 and done:
            kept.remove(done[0])
    assert list(archive) == [records[number] for number in kept]
    assert archive.added == len(records)
    for name in "abcd":
        latest = [n for n, record in enumerate(records) if record[0] == name]
        expected = records[latest[-1]] if latest and latest[-1] in kept else None
        assert archive.named(name) == expected
