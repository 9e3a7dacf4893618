"""What threads leave behind in the memory of their process."""

import ctypes

#: The C library's own functions; Windows has no such name for them.
try:
    _LIBRARY: ctypes.CDLL | None = ctypes.CDLL(None)
except (OSError, TypeError):
    _LIBRARY = None


def give_back_memory() -> bool:
    """Give the system back what is free; return whether there was any.

    glibc keeps up to eight arenas of memory a core, for as many threads, and what one thread has
    freed serves no other. In an hour at loops of a second that came to 25 MB of free memory.
    malloc_trim(3) gives the whole pages of all arenas back. Other C libraries have no need of it.
    """
    trim = getattr(_LIBRARY, "malloc_trim", None)
    return bool(trim(0)) if trim is not None else False
