"""One progress bar for a whole training run, with the figures of the last epoch and the time left.

In: Keras's callbacks.  Out: a line of a terminal; where standard error is none, a line per epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class RunBar(keras.callbacks.Callback):
    """The bar.  It stands last and holds nothing that a run would need."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("the first step is prepared")
        self._first = True

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Show the bar."""
        self._bar.update(self._task, total=self.params["epochs"] * self.params["steps"])
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Say which epoch it is; a run that goes on begins where it was."""
        if self._first:
            self._bar.update(self._task, completed=epoch * self.params["steps"])
        self._first = False

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """One step more."""
        self._bar.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tell the figures of the epoch."""
        figures = logs or {}
        said = (
            f"epoch {epoch + 1} of {self.params['epochs']}: accuracy {figures.get('accuracy', 0):.3f}, "
            f"validation {figures.get('val_accuracy', 0):.3f}"
        )
        self._bar.update(self._task, description=said, completed=(epoch + 1) * self.params["steps"])
        if not self._console.is_terminal:
            self._console.print(said, highlight=False)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Leave the bar as it is."""
        self._bar.stop()
