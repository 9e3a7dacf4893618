"""Whether a guarded class lets the guard stand in front of the strategy it wraps."""

from qt_protections.errors import GuardNotInstalled


def require_in_front(guarded: type, guard: type) -> None:
    """Check that no callback of the guard is hidden by the class that uses it.

    Raises:
        GuardNotInstalled: If one is; names it and says how to write the class.
    """
    hidden = [name for name in _callbacks(guard) if _owner(guarded, name) is not guard]
    if hidden:
        name = guarded.__name__
        raise GuardNotInstalled(
            f"{name} hides the guard's {', '.join(hidden)}. Keep your code in a strategy class and "
            f"name the guard first: `class {name}(QTGuard, MyStrategy): pass`."
        )


def _callbacks(guard: type) -> list[str]:
    return [name for name in vars(guard) if not name.startswith("_")]


def _owner(guarded: type, name: str) -> type:
    return next(cls for cls in guarded.__mro__ if name in vars(cls))
