"""`qt-guard`: what a person asks of the guard from a terminal."""

from qt_protections.cli.command import main

__all__ = ["main"]
