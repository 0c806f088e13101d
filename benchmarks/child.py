"""A process with a contender in it, as its parent sees it: set up, then a turn at a time, stopped in between.

In: a contender's name.  Out: what each of its rounds measured, or why there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from typing import Any

from .machine import ROOT

_SET_UP = 1800.0  # seconds until a contender counts as hanging: reading 100,000 pictures takes minutes
_TURN = 3600.0
_STOPS = hasattr(os, "killpg") and hasattr(signal, "SIGSTOP")


class LeftOutError(Exception):
    """A contender that does not run, and why; ``missing`` names the modules that are not installed."""

    def __init__(self, reason: str, missing: list[str] | None = None) -> None:
        super().__init__(reason)
        self.missing = missing or []


class Child:
    """A worker process in a group of its own, so that what it starts is stopped with it.

    Args:
        python: The interpreter.
        patience: Seconds without an answer after which it counts as hanging; None: an hour for a turn, half of one to
            set up.
    """

    def __init__(self, python: str, patience: float | None = None) -> None:
        self._python, self._patience = python, patience
        self._start()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
            [self._python, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _path(), "TF_CPP_MIN_LOG_LEVEL": "3"},
            start_new_session=True,
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(signal.SIGSTOP if _STOPS else None)

    def set_up(self, module: str, contender: str, options: dict[str, Any]) -> dict[str, Any]:
        """Import, build and warm up; returns the seconds that it took and the versions that are at work."""
        if self._process.returncode is not None:  # another contender's end
            self._start()
        return self._asked([module, contender, options], _SET_UP)

    def turn(self) -> dict[str, float]:
        """One round of the contender that was set up last, while the process runs; what it measured."""
        return self._asked("go", _TURN)

    def end(self) -> None:
        """End the process and what it started."""
        if self._process.returncode is not None and self._errors.closed:
            return
        if _STOPS:
            self._send(signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _asked(self, message: object, patience: float) -> dict[str, Any]:
        patience = self._patience or patience
        self._send(signal.SIGCONT if _STOPS else None)
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=patience)
        except queue.Empty:
            self.end()
            raise LeftOutError(f"no answer for {patience:g} s") from None
        except OSError:
            line = None
        if line is None:
            reason = self._last_words()
            self.end()
            raise LeftOutError(reason)
        self._send(signal.SIGSTOP if _STOPS else None)
        said: dict[str, Any] = json.loads(line)
        if "left_out" in said:
            raise LeftOutError(said["left_out"], said.get("missing"))
        return said

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed while reading
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"the process ended with exit code {code}: {last}"[:300]

    def _send(self, number: signal.Signals | None) -> None:
        if number is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _path() -> str:
    """``benchmarks`` must be importable under every interpreter."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
