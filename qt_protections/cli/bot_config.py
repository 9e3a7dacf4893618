"""Which bot a Freqtrade configuration is: read as Freqtrade reads it, and nothing started."""

from pathlib import Path
from typing import Any

from freqtrade.configuration.environment_vars import environment_vars_to_dict
from freqtrade.configuration.load_config import load_from_files
from freqtrade.constants import DEFAULT_DB_DRYRUN_URL, DEFAULT_DB_PROD_URL
from freqtrade.exceptions import OperationalException
from freqtrade.misc import deep_merge_dicts

from qt_protections.configuration import SettingsError

USER_DATA = "user_data"


def files_of(files: list[str] | None, user_data_dir: str | None = None) -> list[str]:
    """Return the files that count: those given, else Freqtrade's default, where there is one."""
    places = (Path(user_data_dir or USER_DATA) / "config.json", Path("config.json"))
    return files or [str(place) for place in places if place.is_file()][:1]


def load(files: list[str] | None, user_data_dir: str | None = None) -> dict[str, Any] | None:
    """Return what the files and Freqtrade's environment variables say together.

    Args:
        files: The later wins; None takes Freqtrade's default, where there is one.
        user_data_dir: Where that is looked for first.

    Returns:
        The configuration; None without any file.

    Raises:
        SettingsError: If a file is missing, or none of Freqtrade's.
    """
    chosen = files_of(files, user_data_dir)
    if not chosen:
        return None
    try:
        config = load_from_files(chosen)
        merged: dict[str, Any] = deep_merge_dicts(environment_vars_to_dict(), config)
    except OperationalException as error:
        raise SettingsError(str(error)) from error
    except (OSError, ValueError, AttributeError) as error:
        names = ", ".join(chosen)
        raise SettingsError(f"{names} is no configuration of Freqtrade's: {error}") from error
    return merged


def database(config: dict[str, Any], db_url: str | None = None, *, dry_run: bool = False) -> str:
    """Return the URL of the trades' database.

    Args:
        config: As `load` returns it.
        db_url: From the command line.
        dry_run: The same.
    """
    url = config.get("db_url")
    if db_url and db_url != DEFAULT_DB_PROD_URL:
        url = db_url
    if dry_run or config.get("dry_run", False):
        return DEFAULT_DB_DRYRUN_URL if url in (None, DEFAULT_DB_PROD_URL) else str(url)
    return str(url or DEFAULT_DB_PROD_URL)


def user_data(config: dict[str, Any], user_data_dir: str | None = None) -> Path:
    """Return Freqtrade's user_data_dir, the command line's before the configuration's."""
    return Path(user_data_dir or config.get("user_data_dir") or USER_DATA)
