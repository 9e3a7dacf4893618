"""The package's front door."""

import subprocess
import sys

import pytest

import qt_protections
from qt_protections.entry.own_rules import EntryRule, ProposedEntry
from qt_protections.guard import QTGuard
from qt_protections.rules.denial import Denial, deny


def test_every_public_name_is_there() -> None:
    """What `from qt_protections import *` promises."""
    assert {name: getattr(qt_protections, name) for name in qt_protections.__all__} == {
        "Denial": Denial,
        "EntryRule": EntryRule,
        "ProposedEntry": ProposedEntry,
        "QTGuard": QTGuard,
        "__version__": qt_protections.__version__,
        "deny": deny,
    }


def test_there_is_no_other() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'QTGuards'"):
        qt_protections.QTGuards  # noqa: B018


def test_the_door_alone_loads_no_freqtrade() -> None:
    """A version or a help text has not to wait for that."""
    code = "import sys, qt_protections; print('freqtrade' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
