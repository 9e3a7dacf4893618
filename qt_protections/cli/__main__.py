"""`python -m qt_protections.cli` is `qt-guard`."""

import sys

from qt_protections.cli.command import main

sys.exit(main())
