"""A training run → a folder with the script that does the same in plain Keras, without imgclf.

In: a recipe, its sets, and the source of their pictures.  Out: ``train.py`` and ``split.csv``.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np

from .. import _backend
from ..dataset import Dataset
from ..errors import OptionError, listed
from ..files import replacing, write_text
from ..fitting import class_weights, matched_validation
from ..trainer import Trainer
from .network import Code, written_out
from .pictures import Sources, digest, pictures_of, write_pixels, write_split
from .script import script


def eject(
    folder: str | os.PathLike[str],
    trainer: Trainer,
    train: Dataset,
    validation: Dataset,
    *,
    source: Sources = None,
    test: Dataset | None = None,
) -> Path:
    """Write the script that trains in plain Keras as ``trainer.fit(train, validation)`` does; returns its path.

    The script needs keras, numpy, pillow and OpenCV, runs on every backend, and is meant to be read and changed.  It
    decodes, orders and augments the pictures as imgclf does and begins with the same weights, so that it gives the same
    figures: bit by bit with the same versions, backend and number of threads, with one exception.  On TensorFlow imgclf
    computes batch normalisation by a kernel of its own choice, which rounds otherwise.

    ========================  ========================================================================================
    ``train.py``              settings, pictures, augmentation, network, training, ``predict(paths)``
    ``split.csv``             which picture is of which class and part
    ``start.npz``             the first weights, where the seed alone does not give them: of a model of your own
    ``pictures.npz``          the pixels, where the pictures come from neither files nor tables of pixels
    ========================  ========================================================================================

    Odd files are decoded a little otherwise: transparent PNGs of 2, 4 or 48 bits, GIFs whose first frame leaves pixels
    out, BMPs with an empty alpha channel.  The script says so when it finds other pixels than the run had.

    Args:
        folder: Where to write; what is there under these names is replaced.
        trainer: The recipe.  ``precision="auto"`` becomes what this machine computes in.
        train: The training set.
        validation: Its classes are matched to those of *train* by name.
        source: What the sets were loaded from; or a mapping from ``"train"``, ``"validation"`` and ``"test"`` to the
            source of each.  None, and a source of neither files nor tables of pixels: the pixels are written.
        test: Evaluated once, with the best epoch.

    Raises:
        OptionError: the network has parts that are not Keras's own layers, or the recipe has callbacks of your own.
        DatasetError: no pictures, pictures without labels, or classes that do not match.
        FileError: *folder* cannot be written.
    """
    parts = _parts(trainer, train, validation, test)
    pictures = pictures_of(parts, source)
    with _backend.seeded(trainer.seed), _backend.precision(trainer.policy):
        network = trainer.network(train)
    code = written_out(network, trainer.seed, trainer.policy)
    text = script(trainer, train, pictures, code, test=test is not None, digest=digest(parts))
    ast.parse(text)  # it is Python
    target = Path(folder)
    write_split(target / "split.csv", pictures)
    if pictures.kind == "arrays":
        write_pixels(target / "pictures.npz", parts)
    _write_start(target / "start.npz", code)
    return write_text(target / "train.py", text)


def _parts(trainer: Trainer, train: Dataset, validation: Dataset, test: Dataset | None) -> dict[str, Dataset]:
    """The sets by name, once the recipe can be fitted to them."""
    if trainer.callbacks:
        names = listed(type(callback).__name__ for callback in trainer.callbacks)
        raise OptionError(
            f"the recipe has callbacks of your own, {names}, whose code cannot be written out. Leave them out, and add "
            "them to the script."
        )
    parts = {"train": train, "validation": matched_validation(train, validation)}
    class_weights(trainer.class_weights, train)  # refuses those of other classes
    if test is not None:
        test.check_labelled("evaluate")
        if test.spec != train.spec:
            raise OptionError(
                f"the training set was prepared as {train.spec} and the test set as {test.spec}. Load both with the "
                "same image_size, color_mode and fit."
            )
        parts["test"] = test.with_class_names(train.class_names)
    return parts


def _write_start(path: Path, code: Code) -> None:
    if code.start is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        np.savez(temporary, *code.start)
