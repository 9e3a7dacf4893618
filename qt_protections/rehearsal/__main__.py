"""`python -m qt_protections.rehearsal exchange ...`."""

import argparse
import sys

from qt_protections.rehearsal.command import add_parser


def main() -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m qt_protections.rehearsal")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args()
    code: int = args.run(args)
    return code


if __name__ == "__main__":
    sys.exit(main())
