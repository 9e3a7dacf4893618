"""What threads leave behind goes back to the system."""

import ctypes
import platform
import threading
from pathlib import Path

import pytest

from qt_protections.stops.threads import memory


def _own_mb() -> float:
    """Return this process's own memory by the kernel's count."""
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith("Private_Dirty")) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_another_thread_has_freed_is_given_back() -> None:
    """In its arena, below something that is still in use."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    kept: list[int] = []

    def use_and_free() -> None:
        blocks = [library.malloc(100_000) for _ in range(300)]
        for block in blocks:
            ctypes.memset(block, 1, 100_000)
        kept.append(library.malloc(100_000))
        for block in blocks:
            library.free(block)

    thread = threading.Thread(target=use_and_free)
    thread.start()
    thread.join()
    before = _own_mb()
    assert memory.give_back_memory()
    assert before - _own_mb() > 20
    library.free(kept[0])


def test_another_library_has_no_need_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to call, and no error."""
    monkeypatch.setattr(memory, "_LIBRARY", None)
    assert not memory.give_back_memory()
