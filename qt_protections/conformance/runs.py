"""Every strategy of a folder, backtested plain and guarded, and the two compared."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from qt_protections.configuration import CONFIG_BLOCK, all_off
from qt_protections.conformance.backtests import PRELOADED, NotRun, Request, backtest
from qt_protections.conformance.guarding import Found, write_guarded
from qt_protections.conformance.trades import Backtested, difference

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


#: What keeps imports from starting threads. A fork copies one thread of a process, and with the
#: memory whatever locks the others hold: the copy may then wait for ever.
_ONE_THREAD = {"NUMEXPR_MAX_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


class Verdict(StrEnum):
    """What came out for one strategy."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_RUN = "could not run"


@dataclass(frozen=True, slots=True)
class Compared:
    """One strategy: how many trades both made, the verdict, and the words for it."""

    strategy: str
    plain: int | None
    guarded: int | None
    verdict: Verdict
    words: str = ""


def compare_all(
    found: Sequence[Found], options: Sequence[str], out: Path, jobs: int, models: str = ""
) -> Iterator[Compared]:
    """Backtest each strategy twice and compare, several at once; yield them as they are ready.

    Args:
        found: The strategies.
        options: Freqtrade's, such as `--config`.
        out: An empty folder for results and logs.
        jobs: How many backtests run at once.
        models: Where FreqAI keeps the models of these runs, within its own folder; empty without.
    """
    with processes(jobs) as pool:
        futures = {}
        for each in found:
            if each.trouble:
                yield Compared(each.name, None, None, Verdict.NOT_RUN, each.trouble)
                continue
            requests = _requests(each, options, out, models)
            pair = [pool.submit(backtest, request) for request in requests]
            futures[pair[1]] = (each, pair[0])
        for done in as_completed(futures):
            each, plain = futures[done]
            yield compared(each.name, _result(plain), _result(done))


def compared(name: str, plain: Backtested | NotRun, guarded: Backtested | NotRun) -> Compared:
    """Return the verdict on one strategy."""
    if isinstance(plain, NotRun):
        reason = f"the plain one: {plain.reason}"
        return Compared(name, None, _count(guarded), Verdict.NOT_RUN, reason)
    if isinstance(guarded, NotRun):
        reason = f"the guarded one alone fails: {guarded.reason}"
        return Compared(name, _count(plain), None, Verdict.DIFFERENT, reason)
    words = difference(plain, guarded)
    verdict = Verdict.EQUAL if words is None else Verdict.DIFFERENT
    if words is None and not plain.trades:
        words = "no trades, which proves nothing"
    return Compared(name, _count(plain), _count(guarded), verdict, words or "")


def _count(side: Backtested | NotRun) -> int | None:
    return len(side.trades) if isinstance(side, Backtested) else None


def _requests(
    found: Found, options: Sequence[str], out: Path, models: str = ""
) -> tuple[Request, Request]:
    plain, guarded = out / found.name / "plain", out / found.name / "guarded"
    for folder in (plain, guarded, guarded / "strategies"):
        folder.mkdir(parents=True)
    own: dict[Path, dict[str, object]] = {plain: {}, guarded: {CONFIG_BLOCK: all_off()}}
    more: dict[Path, list[str]] = {plain: [], guarded: []}
    for folder, config in own.items():
        if models:
            config["freqai"] = {"identifier": f"{models}/{found.name}-{folder.name}"}
        if config:
            path = folder / "own.json"
            path.write_text(json.dumps(config))
            more[folder] = [f"--config={path}"]
    name = write_guarded(found, guarded / "strategies")
    return (
        Request(found.name, found.file.parent, (*options, *more[plain]), plain),
        Request(name, guarded / "strategies", (*options, *more[guarded]), guarded),
    )


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Give each backtest a fresh process, forked from one that has imported Freqtrade already."""
    os.environ.update(_ONE_THREAD)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    theirs, ours = context.Pipe(duplex=False)
    with (
        theirs,
        ProcessPoolExecutor(
            jobs, context, end_with, initargs=(theirs,), max_tasks_per_child=1
        ) as pool,
    ):
        try:
            yield pool
        except BaseException:
            ours.close()  # none is waited for that nobody will hear of
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            ours.close()


def end_with(line: "Connection") -> None:
    """End this process when the other end of a line closes, as it does when its process ends.

    The processes of a pool are children of another one, and would run on.
    """

    def wait() -> None:
        line.poll(None)
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _result(future: "Future[Backtested | NotRun]") -> Backtested | NotRun:
    try:
        return future.result()
    except BrokenProcessPool:
        return NotRun("its process ended, for want of memory perhaps")
    except Exception as error:  # one strategy's error is told, the others go on
        return NotRun(f"{type(error).__name__}: {error}")
