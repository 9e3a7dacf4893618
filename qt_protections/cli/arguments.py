"""The options by which several commands are told which bot is meant."""

import argparse


def add_configuration(
    parser: argparse.ArgumentParser,
    *,
    files: str = "as for freqtrade itself",
    user_data: str = "the configuration's, or user_data",
) -> None:
    """Add `--config` and `--user-data-dir`.

    Args:
        parser: The command's.
        files: What the help says of the files.
        user_data: What the help says of the folder's default.
    """
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        metavar="FILE",
        help=f"Freqtrade configuration, {files}; may be given several times "
        "(default: user_data/config.json or config.json, where there is one)",
    )
    parser.add_argument(
        "--user-data-dir",
        "--userdir",
        metavar="DIR",
        help=f"as for freqtrade (default: {user_data})",
    )


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add `--db-url`."""
    parser.add_argument("--db-url", metavar="URL", help="if the bot was started with one")
