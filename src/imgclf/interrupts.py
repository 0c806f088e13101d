"""Ctrl-C and SIGTERM during a run: they end it within seconds, with the exit status that the shell expects.

In: a block that writes its files whole or not at all.  Out: a ``RunStopped`` where a signal came.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None

GRACE = 2.5
"""Seconds between a signal and the hard end: a step that computes longer is not waited for."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ACTIVE: dict[int, Handler] = {}  # the handlers to put back, while a block runs
_ASKED: list[int] = []  # the signal that asked this block to end


class RunStopped(KeyboardInterrupt, SystemExit):
    """A signal ended the run: exit status 130 (Ctrl-C) or 143 (SIGTERM) unless something catches it.

    As a ``KeyboardInterrupt`` it is caught where Ctrl-C is; as a ``SystemExit`` it ends a script without a traceback.

    ::

        try:
            run = trainer.fit(train, validation, run_dir="runs/pets")
        except RunStopped as stopped:  # also caught as KeyboardInterrupt
            print(stopped)  # where the same call goes on
    """

    def __init__(self, number: int, hint: str) -> None:
        super().__init__(hint)
        self.code = self.status = 128 + number
        self.hint = hint

    def __str__(self) -> str:
        return self.hint


@contextlib.contextmanager
def stoppable(hint: Callable[[], str]) -> Iterator[None]:
    """A block that Ctrl-C and SIGTERM end by a ``RunStopped`` with what *hint* says then.

    Python looks at signals between two of its own steps only, so in a script a thread stands by: where the block has
    not ended ``GRACE`` seconds after the signal, the thread ends the process.  A backend that is building a graph may
    swallow the exception or make another one of it; either way the block ends as it should.  Outside the main thread
    nothing changes, and a signal that the process was told to ignore stays ignored.
    """
    if threading.current_thread() is not threading.main_thread() or _ACTIVE:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if not _ASKED:  # a second one must not break into the end of the first
            _ASKED.append(number)
            raise RunStopped(number, hint())

    for number in _SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            _ACTIVE[number] = signal.signal(number, stop)
    try:
        with _watched(hint) if not _interactive() else contextlib.nullcontext():
            yield
            check_stopped(hint)
    except Exception as error:
        if not _ASKED:
            raise
        stopped = RunStopped(_ASKED[0], hint())
        print(f"\n{stopped}", file=sys.stderr)
        raise stopped from error
    except RunStopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        raise
    finally:
        _give_back()
        _ASKED.clear()


def check_stopped(hint: Callable[[], str]) -> None:
    """Raise the ``RunStopped`` that somebody swallowed, if a signal has asked this block to end."""
    if _ASKED:
        raise RunStopped(_ASKED[0], hint())


def _interactive() -> bool:
    """Whether a person sits before this process, who would lose a session by its hard end."""
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def _give_back() -> None:
    while _ACTIVE:
        number, handler = _ACTIVE.popitem()
        signal.signal(number, handler)


def _after_fork() -> None:
    """A child shares the pipe on which its parent's guard listens: a signal to the child is none to the parent."""
    if _ACTIVE:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
            _give_back()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def _watched(hint: Callable[[], str]) -> Iterator[None]:
    reader, writer = os.pipe()
    if hasattr(os, "set_blocking"):  # on Windows from Python 3.12 on
        os.set_blocking(writer, False)
    earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if earlier != -1:  # an event loop's own
        signal.set_wakeup_fd(earlier)
    ended = threading.Event()
    guard = threading.Thread(target=_end_late, args=(reader, ended, hint), daemon=True)
    guard.start()
    try:
        yield
    finally:
        ended.set()
        if earlier == -1:
            signal.set_wakeup_fd(-1)
        os.close(writer)  # the guard reads the end, and goes
        guard.join()
        os.close(reader)


def _end_late(reader: int, ended: threading.Event, hint: Callable[[], str]) -> None:
    while arrived := os.read(reader, 1):
        if arrived[0] in _SIGNALS and not ended.wait(GRACE):
            os.write(2, f"\n{hint()}\n".encode())
            os._exit(128 + arrived[0])
