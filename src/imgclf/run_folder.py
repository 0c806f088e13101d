"""The folder of one training run: what it holds, whose it is, and the states from which the run goes on.

In: ``run_dir`` and what the run is made of (recipe, network, data, classes).  Out: the newest state that verifies, a
refusal that says what differs, and a lock that a second process meets.

::

    run_dir/
    ├── config.json              recipe, data and versions: what makes this run this run
    ├── history.json             the figures of every epoch so far
    ├── best.keras               the classifier of the best epoch so far
    └── state-00000120.npz       everything at step 120; the last two are kept
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import FileError, RunError, listed, with_reasons
from .files import finite, remove_litter, write_json
from .state_file import Arrays, read_state, write_state

_STATE = re.compile(r"state-[0-9]{8,}\.npz")
_OURS = re.compile(rf"config\.json|history\.json|best\.keras|{_STATE.pattern}")
SCHEMA = 1
"""The version of what a state holds."""

_KEPT = 2  # the newest may be the one that a dying disk damaged
_IDENTITY = ("trainer", "network", "class_names", "train", "validation")
_UNSAID = "trainer.architecture.model"  # Keras numbers a model of one's own anew; "network" tells it from others
_FIRST = "first_weights"
_CIRCUMSTANCES = ("imgclf", "versions", "threads")


class RunFolder:
    """The files of a run under *path*.  Use it within :meth:`locked`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()  # whatever folder the process goes to meanwhile
        self.best = self.path / "best.keras"
        self._config = self.path / "config.json"
        self._history = self.path / "history.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """A block in which no other process, and no other call of this one, may write here.

        The system drops the lock when the process ends, however it ends.

        Raises:
            RunError: *path* is a file, or another run is at work there.
            FileError: the folder cannot be written.
        """
        from filelock import FileLock, Timeout

        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"run_dir '{self.path}' is a file. Give a folder.")
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise RunError(
                f"another run is at work in run_dir '{self.path}'. Wait for its end, or choose another folder."
            ) from None
        except (OSError, ValueError) as error:
            raise self._unwritable(error) from None
        try:
            with contextlib.suppress(OSError):
                remove_litter(self.path, _OURS)
            yield
        finally:
            lock.release()

    def begin(self, config: Mapping[str, Any], *, overwrite: bool) -> tuple[dict[str, Any], Arrays] | None:
        """Make the folder that of the run *config*, and return the state from which it goes on; None: from the start.

        Args:
            config: What the run is made of; written to ``config.json``.
            overwrite: Remove whatever run was here, this one too.

        Raises:
            RunError: another run is here, and what differs; or every state of this one is damaged.
        """
        wanted = json.loads(json.dumps(finite(config)))
        files = (self._config, *self._states(), self._history, self.best)
        if not overwrite and any(path.exists() for path in files):
            self._check_same(wanted)
            return self._newest()
        try:
            for path in files:
                path.unlink(missing_ok=True)  # the recipe goes first: its states never meet another one
        except OSError as error:
            raise self._unwritable(error) from None
        write_json(self._config, wanted)
        return None

    def save_state(self, step: int, record: Mapping[str, Any], arrays: Arrays) -> None:
        """Write the state at *step*, and then remove those before the last two."""
        self.check_there()
        write_state(self.path / f"state-{step:08d}.npz", record, arrays)
        for old in self._states()[:-_KEPT]:
            with contextlib.suppress(OSError):  # somebody looks into it, on Windows: it goes next time
                old.unlink(missing_ok=True)

    def save_history(self, history: Mapping[str, list[float]]) -> None:
        """Write ``history.json``."""
        self.check_there()
        write_json(self._history, history)

    def config(self) -> dict[str, Any]:
        """What ``config.json`` says the run is made of.

        Raises:
            RunError: there is none, or it is of no run.
        """
        if not self._config.is_file():
            raise RunError(f"'{self.path}' holds no run: it has no config.json. Give the run_dir of a Trainer.fit.")
        config = self._json(self._config)
        if missing := [name for name in _IDENTITY if name not in config]:
            raise RunError(
                f"'{self._config}' is of no run: it lacks {listed(missing)}. Give the run_dir of a Trainer.fit."
            )
        return config

    def history(self) -> dict[str, list[float]]:
        """The figures in ``history.json``, NaN for null; empty before the end of the first epoch.

        Raises:
            RunError: it is damaged.
        """
        found = self._json(self._history) if self._history.exists() else {}
        columns = list(found.values())
        whole = all(isinstance(values, list) and len(values) == len(columns[0]) for values in columns)
        if not whole or not all(value is None or isinstance(value, (int, float)) for each in columns for value in each):
            raise RunError(f"'{self._history}' is damaged: expected for each figure one number per epoch. Restore it.")
        return {name: [math.nan if value is None else value for value in values] for name, values in found.items()}

    def seconds(self) -> list[float]:
        """What each epoch took, from the newest state that verifies; empty where none does."""
        for path in reversed(self._states()):
            with contextlib.suppress(FileError):
                return [float(value) for value in read_state(path)[0].get("seconds", ())]
        return []

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"'{path}' cannot be read: {error}. Restore it.") from None
        if not isinstance(content, dict):
            raise RunError(f"'{path}' is damaged: expected an object, it holds a {type(content).__name__}. Restore it.")
        return content

    def outlook(self) -> str:
        """What becomes of the run if it ends here, in words."""
        if not (states := self._states()):
            return f"The run in '{self.path}' was stopped before its first state: the same call begins anew."
        step = int(states[-1].stem.removeprefix("state-"))
        return f"The run in '{self.path}' was stopped; the same call goes on after step {step:,}."

    def check_there(self) -> None:
        """Raise a ``FileError`` if the folder, or what made it this run's, has gone."""
        if not self._config.exists():
            raise FileError(
                f"run_dir '{self.path}' has gone, or its config.json: it was moved, removed or unmounted. Bring it "
                "back, and the same call goes on."
            )

    def _unwritable(self, error: OSError | ValueError) -> FileError:
        reason = getattr(error, "strerror", None) or error
        return FileError(f"run_dir '{self.path}' cannot be written: {reason}. Choose another folder, or mend this one.")

    def _states(self) -> list[Path]:
        """The files of the states, the oldest first."""
        found = [path for path in self.path.iterdir() if _STATE.fullmatch(path.name)] if self.path.is_dir() else []
        return sorted(found, key=lambda path: int(path.stem.removeprefix("state-")))

    def _check_same(self, wanted: Mapping[str, Any]) -> None:
        try:
            held = json.loads(self._config.read_text(encoding="utf-8"))
            known = isinstance(held, dict) and all(name in held for name in _IDENTITY)
        except (OSError, ValueError):
            known = False
        if not known:
            names = listed(path.name for path in sorted(self.path.iterdir()) if not path.name.startswith("."))
            raise RunError(
                f"run_dir '{self.path}' holds files of a run that cannot be recognised ({names}). Choose another "
                "folder, or pass overwrite=True."
            )
        if differing := [line for name in _IDENTITY for line in _differences(name, held[name], wanted[name])]:
            head = (
                f"run_dir '{self.path}' holds another run. Choose another folder, or pass overwrite=True to discard "
                "it. What differs:"
            )
            raise RunError(with_reasons(head, differing, most=10))
        if changed := [
            line for name in _CIRCUMSTANCES for line in _differences(name, held.get(name), wanted.get(name))
        ]:
            head = "the run goes on, but its last digits may differ from those of one made in one go:"
            warnings.warn(with_reasons(head, changed), stacklevel=5)
        if held.get(_FIRST) != wanted.get(_FIRST):
            warnings.warn(
                f"the model has other weights than the one with which the run in '{self.path}' began. They are not "
                "used: the run goes on with its own. Pass overwrite=True to begin anew with these.",
                stacklevel=5,
            )

    def _newest(self) -> tuple[dict[str, Any], Arrays] | None:
        """The newest state that verifies; None where the run was broken off before its first."""
        damaged = []
        for path in reversed(self._states()):
            try:
                state = read_state(path)
            except FileError as error:
                damaged.append(str(error))
                continue
            if state[0].get("schema") != SCHEMA:
                raise RunError(
                    f"'{path}' was written by another imgclf (schema {state[0].get('schema')}; this one reads {SCHEMA})"
                    ". Go on with that one, or pass overwrite=True to start afresh."
                )
            if damaged:
                warnings.warn(with_reasons(f"the run goes on from {path.name}:", damaged), stacklevel=4)
            return state
        if damaged:
            head = f"no state in '{self.path}' can be read. Restore one, or pass overwrite=True to start afresh:"
            raise RunError(with_reasons(head, damaged))
        return None


def _differences(name: str, held: Any, wanted: Any) -> list[str]:
    """A line for each value that differs, named by its path."""
    if isinstance(held, Mapping) and isinstance(wanted, Mapping):
        keys = dict.fromkeys([*held, *wanted])
        return [line for key in keys for line in _differences(f"{name}.{key}", held.get(key), wanted.get(key))]
    if name.endswith(".fingerprint") and held != wanted:
        return [f"{name} was {_short(held)} and is now {_short(wanted)}: a picture, a label or a key is another"]
    return [] if held == wanted or name == _UNSAID else [f"{name} was {_short(held)} and is now {_short(wanted)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
