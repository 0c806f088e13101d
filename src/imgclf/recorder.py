"""What a run writes down while it goes on: its history, its best weights, the states from which it goes on.

In: Keras's callbacks.  Out: figures per epoch, the weights of the best, and the files of the run's folder.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from . import _backend
from .batches import Batches
from .checkpoints import as_held, capture, drawn, lost, restore, restore_metrics
from .errors import RunError, listed
from .interrupts import check_stopped
from .run_folder import SCHEMA, RunFolder
from .state_file import Arrays

History = dict[str, list[float]]
MODES = {"val_accuracy": "max", "val_loss": "min"}
"""Which way each monitored figure is better; Keras's "auto" guesses by the name."""

State = tuple[dict[str, Any], Arrays]


class Recorder(keras.callbacks.Callback):
    """Keeps the history and the weights of the best epoch; stops at a loss that is no number; writes the states.

    It stands last among the callbacks, so that it sees the figures that others add, and what they count.

    Args:
        network: Whose weights are kept; the compiled model is another one on the same weights.
        batches: The training batches, to name the pictures of a bad one.
        others: The callbacks before it.
        monitor: ``"val_accuracy"`` or ``"val_loss"``: what makes an epoch the best.  Equal ones are told apart by the
            validation loss, then the earlier one counts.
        steps: Steps in an epoch.
        epochs: Epochs of the run.
        folder: Where history and states go; None writes nothing.
        checkpoint_every: Steps between the states within an epoch; None writes one at the end of each epoch only.
        time_limit: Seconds; the run pauses before an epoch that would pass them.
        on_best: Called with nothing when an epoch is the best so far, its weights in place.
        state: What an earlier process left; None begins the run.

    Attributes:
        history: Figures by name, one per epoch.
        seconds: What each epoch took.
        best_epoch: Counted from 1; 0 before there is one.
        best_weights: The network's, after the best epoch.
        finished: Whether nothing is left to train.
        step: How many steps are done, over all epochs.
        draws: Random states to put back before the next step.
    """

    def __init__(
        self,
        network: keras.Model,
        batches: Batches,
        *,
        others: Sequence[keras.callbacks.Callback],
        monitor: str,
        steps: int,
        epochs: int,
        folder: RunFolder | None,
        checkpoint_every: int | None,
        time_limit: float | None = None,
        on_best: Callable[[], None],
        state: State | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.batches = batches
        self.others = others
        self.monitor = monitor
        self.steps = steps
        self.epochs = epochs
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.time_limit = time_limit
        self.on_best = on_best
        self.history: History = {}
        self.seconds: list[float] = []
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self.finished = False
        self.step = 0
        self.draws: dict[str, Any] | None = None
        self._best_score = [-np.inf, -np.inf]
        self._began = 0.0
        self._spent = 0.0  # seconds of this epoch, in an earlier process
        self._started = time.perf_counter()
        self._learning_rate = 0.0
        self._state = state
        if state is not None:
            self._take_up(*state)

    @property
    def best_figures(self) -> dict[str, float]:
        """The figures of the best epoch."""
        return {name: values[self.best_epoch - 1] for name, values in self.history.items()}

    @property
    def progress(self) -> str:
        """Where the run stands, in words."""
        epoch, within = divmod(self.step, self.steps)
        place = f"'{self.folder.path}'" if self.folder is not None else "memory"
        if self.finished:
            return f"the run in {place} is finished: nothing is left to train. overwrite=True trains it anew."
        return f"the run in {place} goes on after epoch {epoch}" + (f" and {within} steps." if within else ".")

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Put the variables and the callbacks' counts back, once the callbacks have reset themselves."""
        if self.folder is not None and (names := lost(self.others)):
            warnings.warn(
                f"{listed(names)}: a run that goes on after a break does not get these back. Keep numbers, text, "
                "arrays, or plain lists, tuples, sets and dicts of these.",
                stacklevel=2,
            )
        if self._state is not None:
            restore(self.model, self.others, *self._state)
            self.draws = drawn(*self._state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the epoch's clock; within a broken-off epoch, put the metrics back that Keras has just reset."""
        self._began = time.perf_counter()
        if self._state is not None and self.step % self.steps:
            restore_metrics(self.model, self._state[1])
        else:
            self._spent = 0.0
            self._learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._state = None

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Before the first step of a ``fit``, put PyTorch's random state back: its loader draws when it starts."""
        if self.draws is not None:
            _backend.set_torch_states(self.draws)
            self.draws = None

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop at a loss that is no number: no later step mends the weights.  Write a state where one is due."""
        self.step += 1
        self._check_stopped()
        if logs is not None and not np.isfinite(float(np.asarray(logs["loss"]))):
            raise self._diverged("loss")
        within = self.step % self.steps
        due = self.checkpoint_every and within and within % self.checkpoint_every == 0
        if due and not self.model.stop_training:  # else the epoch ends with this step
            self._save()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the epoch down, keep its weights if they are the best, and write the state."""
        self._check_stopped()
        if self.folder is not None:
            self.folder.check_there()
        figures = {name: float(value) for name, value in (logs or {}).items() if _is_number(value)}
        if not np.isfinite(figures["val_loss"]):  # the last step's update is seen here first
            raise self._diverged("validation loss")
        self.step = (epoch + 1) * self.steps
        self.seconds.append(self._spent + time.perf_counter() - self._began)
        figures["learning_rate"] = self._learning_rate
        for name in dict.fromkeys([*self.history, *figures]):  # a user's callback may add one in some epochs only
            self.history.setdefault(name, [np.nan] * epoch).append(figures.get(name, np.nan))
        watched = figures[self.monitor]
        score = [watched if MODES[self.monitor] == "max" else -watched, -figures["val_loss"]]
        if score > self._best_score:
            self._best_score, self.best_epoch = score, epoch + 1
            self.best_weights = [np.array(weight) for weight in self.network.get_weights()]
            self.on_best()
        self.finished = bool(self.model.stop_training) or epoch + 1 == self.epochs
        if self.folder is not None:
            self.folder.save_history(self.history)
            self._save()
        self._pause()

    def _pause(self) -> None:
        """End this call, though not the run, where the next epoch would end too late."""
        spent, needed = time.perf_counter() - self._started, time.perf_counter() - self._began
        if self.time_limit is not None and not self.finished and spent + needed > self.time_limit:
            self.model.stop_training = True

    def _check_stopped(self) -> None:
        if self.folder is not None:
            check_stopped(self.folder.outlook)

    def _save(self) -> None:
        """Write the state; what it names (``best.keras``) is written by now."""
        if self.folder is None:
            return
        record, arrays = capture(self.model, self.others)
        arrays |= {f"best/{number}": weight for number, weight in enumerate(self.best_weights)}
        within = self.step % self.steps
        said = {
            "schema": SCHEMA,
            "step": self.step,
            "finished": self.finished,
            "history": self.history,
            "seconds": self.seconds,
            "spent": self._spent + time.perf_counter() - self._began if within else 0.0,
            "learning_rate": self._learning_rate,
            "best_epoch": self.best_epoch,
            "best_score": self._best_score,
        }
        self.folder.save_state(self.step, {**said, **record}, arrays)

    def _take_up(self, record: dict[str, Any], arrays: Arrays) -> None:
        self.step = record["step"]
        self.finished = record["finished"]
        self.history = record["history"]
        self.seconds = record["seconds"]
        self.best_epoch = record["best_epoch"]
        best = [array for name, array in arrays.items() if name.startswith("best/")]
        self.best_weights = [as_held(array, weight) for array, weight in zip(best, self.network.weights, strict=False)]
        self._best_score = record["best_score"]
        self._spent = record["spent"]
        self._learning_rate = record["learning_rate"]

    def _diverged(self, what: str) -> RunError:
        epoch, step = divmod(self.step - 1, self.steps)
        recent = range(max(self.step - 2, 0), self.step)
        positions = [at for one in recent for at in self.batches.positions(one)[0]]
        keys = listed(str(key) for key in self.batches.dataset.keys[positions])
        best = f" Epoch {self.best_epoch} was the best before it." if self.best_epoch else ""
        anew = "" if self.folder is None else " (with another run_dir, or overwrite=True)"
        kept = f" Its classifier is kept in '{self.folder.best}'." if best and self.folder is not None else ""
        return RunError(
            f"the {what} is no finite number after epoch {epoch + 1}, step {step + 1}; the last pictures were "
            f"{keys}.{best}{kept} Lower the learning rate{anew}, or look at these pictures."
        )


def _is_number(value: Any) -> bool:
    """Whether a callback's figure is one: some leave text in the logs."""
    return isinstance(value, (int, float, np.number)) or (hasattr(value, "shape") and np.shape(value) == ())
