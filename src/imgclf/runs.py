"""``TrainingRun``: what a training run gave, and where it came from.

In: the classifier of the best epoch and the history.  Out: figures, curves, a summary in words.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .classifier import Classifier
from .errors import RunError
from .recorder import History
from .run_folder import RunFolder
from .tables import Table, Tabular, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun(Tabular):
    """The fruit of :meth:`Trainer.fit`.

    ::

        run = trainer.fit(train, validation, run_dir="runs/pets")
        print(run)  # best and last epoch
        run.plot().savefig("curves.png")
        run.classifier.save("pets.keras")

    Attributes:
        classifier: The network of the best epoch.
        history: Per epoch: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``learning_rate``.
            Training figures are means over the epoch's batches, augmented and with dropout; validation figures are
            taken after it, without either.  With ``precision="mixed_bfloat16"`` they were computed in it, and those of
            the float32 classifier may differ in the last digits.
        best_epoch: Counted from 1.
        run_dir: The folder with ``config.json``, ``history.json``, ``best.keras`` and the last two states; None where
            nothing was written.
        seconds: What each epoch took; the history holds only what the same seed gives again.
    """

    classifier: Classifier
    history: History
    best_epoch: int
    run_dir: Path | None = None
    seconds: Sequence[float] = ()

    @classmethod
    def load(
        cls,
        run_dir: str | os.PathLike[str],
        *,
        custom_objects: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> TrainingRun:
        """The run of a folder as it stands there, finished or not: what ``fit`` returned, or would now return.

        Nothing is written, and a run that is at work there goes on.

        Args:
            run_dir: What was given to :meth:`Trainer.fit`.
            custom_objects: As for :meth:`Classifier.load`.
            trust: As for :meth:`Classifier.load`: needed for a model of your own.

        Raises:
            RunError: no run is there, none of its epochs has ended, or its files are damaged or of different runs.
            ModelFileError: ``best.keras`` cannot be opened.
        """
        folder = RunFolder(Path(run_dir))
        config = folder.config()
        if not folder.best.exists():
            raise RunError(f"the run in '{folder.path}' has no best.keras: none of its epochs has ended. Train it on.")
        classifier = Classifier.load(folder.best, custom_objects=custom_objects, trust=trust)
        history = folder.history()  # after best.keras: an epoch that ends meanwhile is in both or only here
        best_epoch, figures = _best_of(classifier, config, folder)
        if best_epoch == len(next(iter(history.values()), ())) + 1:  # broken off between the two files
            history = {name: [*history.get(name, ()), value] for name, value in figures.items()}
        if not 1 <= best_epoch <= len(next(iter(history.values()), ())):
            raise RunError(f"best.keras and history.json in '{folder.path}' are not of one run. Restore them.")
        return cls(classifier, history, best_epoch, folder.path, tuple(folder.seconds()))

    def __str__(self) -> str:
        best, last = self.best, self.last
        minutes = sum(self.seconds) / 60
        return (
            f"best epoch {self.best_epoch} of {self.epochs}: validation accuracy {best['val_accuracy']:.4f}, "
            f"loss {best['val_loss']:.4f}\n"
            f"last epoch {self.epochs}: validation accuracy {last['val_accuracy']:.4f}, loss {last['val_loss']:.4f}; "
            f"training accuracy {last['accuracy']:.4f}, loss {last['loss']:.4f}; {minutes:.1f} minutes in all"
        )

    def __repr__(self) -> str:
        return f"TrainingRun({self.classifier!r}, best epoch {self.best_epoch} of {self.epochs})"

    def _repr_html_(self) -> str:
        return page(f"{self!r}\n{self}", self.table())

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return len(self.history["loss"])

    @property
    def best(self) -> dict[str, float]:
        """The figures of the best epoch: chosen by the validation set, so a little better than new pictures give."""
        return self._figures(self.best_epoch - 1)

    @property
    def last(self) -> dict[str, float]:
        """The figures of the last epoch."""
        return self._figures(self.epochs - 1)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Recipe, data, versions: what the saved classifier remembers."""
        return self.classifier.provenance

    def table(self) -> Table:
        """One row per epoch."""
        columns = list(self.history)
        rows = [(number, *row) for number, row in enumerate(zip(*self.history.values(), strict=True), start=1)]
        return Table(("epoch", *columns), rows)

    def plot(self) -> Figure:
        """Loss and accuracy over the epochs as a figure."""
        from .plots import curves

        return curves(self.history, self.best_epoch)

    def _figures(self, position: int) -> dict[str, float]:
        return {name: values[position] for name, values in self.history.items()}


def _best_of(classifier: Classifier, config: Mapping[str, Any], folder: RunFolder) -> tuple[int, dict[str, float]]:
    """The epoch that ``best.keras`` is of and its figures, once it is known to be of the run of *config*."""
    said = classifier.provenance
    epoch, figures = said.get("best_epoch"), said.get("figures")
    same = all(said.get(name) == config[name] for name in ("trainer", "network", "train", "validation"))
    if not same or not isinstance(epoch, int) or not isinstance(figures, dict):
        raise RunError(
            f"best.keras in '{folder.path}' is not of the run in its config.json. Restore it, or train anew."
        )
    return epoch, {name: math.nan if value is None else value for name, value in figures.items()}
