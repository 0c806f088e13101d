"""What a run leaves behind while it goes on: its history, its best weights, and the files of ``run_dir``.

In: Keras's callbacks.  Out: ``history.json`` after every epoch, ``best.keras`` whenever an epoch beats the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .batches import Batches
from .errors import RunError, listed
from .files import write_json

History = dict[str, list[float]]
MODES = {"val_accuracy": "max", "val_loss": "min"}
"""Which way each monitored figure is better; Keras's "auto" guesses by the name."""


class Recorder(keras.callbacks.Callback):
    """Keeps the history and the weights of the best epoch; stops at a loss that is no number.

    It stands last among the callbacks, so that it sees the figures that others add.

    Args:
        network: Whose weights are kept; the compiled model is another one on the same weights.
        batches: The training batches, to name the pictures of a bad one.
        monitor: ``"val_accuracy"`` or ``"val_loss"``: what makes an epoch the best.  Equal ones are told apart by the
            validation loss, then the earlier one counts.
        steps: Steps in an epoch.
        run_dir: Where ``history.json`` goes; None writes nothing.
        on_best: Called with nothing when an epoch is the best so far, its weights in place.
    """

    def __init__(
        self,
        network: keras.Model,
        batches: Batches,
        *,
        monitor: str,
        steps: int,
        run_dir: Path | None,
        on_best: Callable[[], None],
    ) -> None:
        super().__init__()
        self.network = network
        self.batches = batches
        self.monitor = monitor
        self.steps = steps
        self.run_dir = run_dir
        self.on_best = on_best
        self.history: History = {}
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self._best_score = (-np.inf, -np.inf)
        self._epoch = 0
        self._began = 0.0
        self._learning_rate = 0.0

    @property
    def best_figures(self) -> dict[str, float]:
        """The figures of the best epoch."""
        return {name: values[self.best_epoch - 1] for name, values in self.history.items()}

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._epoch = epoch
        self._began = time.perf_counter()
        self._learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Stop at a loss that is no number: no later step mends the weights."""
        if logs is None or np.isfinite(float(np.asarray(logs["loss"]))):
            return
        raise self._diverged("loss", batch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the epoch down, and keep its weights if they are the best."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(figures["val_loss"]):  # the last step's update is seen here first
            raise self._diverged("validation loss", self.steps - 1)
        figures["learning_rate"] = self._learning_rate
        figures["seconds"] = time.perf_counter() - self._began
        for name in dict.fromkeys([*self.history, *figures]):  # a user's callback may add one in some epochs only
            self.history.setdefault(name, [np.nan] * epoch).append(figures.get(name, np.nan))
        watched = figures[self.monitor]
        score = (watched if MODES[self.monitor] == "max" else -watched, -figures["val_loss"])
        if score > self._best_score:
            self._best_score, self.best_epoch = score, epoch + 1
            self.best_weights = [np.array(weight) for weight in self.network.get_weights()]
            self.on_best()
        if self.run_dir is not None:
            write_json(self.run_dir / "history.json", self.history)

    def _diverged(self, what: str, batch: int) -> RunError:
        step = self._epoch * self.steps + batch
        positions = [at for one in range(max(step - 1, 0), step + 1) for at in self.batches.positions(one)[0]]
        keys = listed(str(key) for key in self.batches.dataset.keys[positions])
        best = f" Epoch {self.best_epoch} was the best before it." if self.best_epoch else ""
        return RunError(
            f"the {what} is no finite number after epoch {self._epoch + 1}, step {batch + 1}; the last pictures were "
            f"{keys}.{best} Lower the learning rate, or look at these pictures."
        )
