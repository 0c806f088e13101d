"""A classifier in formats that need neither imgclf nor Keras: ONNX, LiteRT, SavedModel.

In: a network, its class names and its ``ImageSpec``.  Out: a file that takes uint8 pictures of any size and gives
probabilities, and JSON beside it.  It is read again and compared with ``predict`` before it gets its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras

from .._backend import backend
from ..errors import BackendError, ExportError, ImgclfError, MissingPackageError, OptionError, unknown_name
from ..files import replacing, replacing_folder, write_json
from ..inputs import Pictures
from ..taps import MODEL_LOCK
from .card import Card, FormatName, digests
from .checking import TOLERANCE, Predict, compared, pictures_for
from .formats import FORMATS, SAVED_MODEL, Format
from .serving import Serving, check_precision


@dataclass(frozen=True)
class ExportedModel:
    """What was written, and how near it is to ``predict``.

    ::

        written = classifier.export("pets.onnx")
        print(written)
        written.largest_difference

    Attributes:
        path: The file, or the folder of a SavedModel.
        sidecar: JSON beside it: class names, what goes in and comes out, versions, SHA-256.
        format: ``"onnx"``, ``"litert"`` or ``"saved_model"``.
        bytes: Size of the file, or of all files of the folder.
        checked: How many pictures were compared.
        largest_difference: Between two probabilities of the same picture and class; at most 1e-4.
    """

    path: Path
    sidecar: Path
    format: FormatName
    bytes: int
    checked: int
    largest_difference: float

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 1e5 else f"{self.bytes / 1e3:.1f} kB"
        return (
            f"{self.path} ({FORMATS[self.format].title}, {size}) answers {self.checked} pictures as predict does, "
            f"to {self.largest_difference:.1e}.\n{self.sidecar} says how to use it."
        )


def export(
    network: keras.Model, card: Card, predict: Predict, path: str | os.PathLike[str], check: Pictures | None
) -> ExportedModel:
    """Write *network* as ``card.format`` to *path*; see :meth:`imgclf.Classifier.export`.

    Args:
        network: Computes in float32.
        card: Class names, ``ImageSpec`` and what is told beside them.
        predict: What the written file must agree with.
        path: Where to.
        check: Pictures to compare; None: eight drawn ones.
    """
    target, form = Path(path), FORMATS[card.format]
    _check_installed(card.format, form)
    check_precision(network)
    pictures = pictures_for(card.spec, check)
    content = card.to_dict(form.packages)
    sidecar = target.with_name(f"{target.name}.json")
    with replacing(sidecar) as beside, _writing(target, form) as place:
        with _explained(network, form, "written"), MODEL_LOCK:
            form.write(Serving(network, card.spec), place, content)
        with _explained(network, form, "run"):
            difference = compared(form.open(place), predict, pictures, card.class_names)
        written = digests(place)
        checked = {"pictures": len(pictures), "largest_difference": difference, "tolerance": TOLERANCE}
        write_json(beside, {"file": target.name, **written, **content, "check": checked})
    return ExportedModel(target, sidecar, card.format, written["bytes"], len(pictures), difference)


def format_of(path: str | os.PathLike[str], wanted: str | None) -> FormatName:
    """*wanted*, or else what the ending of *path* says.

    Raises:
        OptionError: the ending is another format's, or says nothing.
        UnknownNameError: no format is called so.
    """
    if wanted is not None and wanted not in FORMATS:
        raise unknown_name("format", wanted, FORMATS)
    ending = Path(path).suffix.lower()
    told: dict[str, FormatName] = {".onnx": "onnx", ".tflite": "litert"}
    name = wanted if wanted is not None else told.get(ending)
    if name is None:
        raise OptionError(
            f"{os.fspath(path)!r} ends neither in .onnx nor in .tflite. End it so, or say format='saved_model'."
        )
    if told.get(ending, "saved_model") != name:
        form = FORMATS[name]
        kind = f"files end in {form.ending}" if form.ending else "is a folder without such an ending"
        raise OptionError(f"{os.fspath(path)!r} is to become {form.title}, which {kind}. Change one of the two.")
    return name


def _writing(target: Path, form: Format) -> AbstractContextManager[Path]:
    return replacing(target) if form.ending else replacing_folder(target, SAVED_MODEL)


def _check_installed(name: FormatName, form: Format) -> None:
    if backend() != "tensorflow":
        how = "" if find_spec("tensorflow") else "install it (pip install tensorflow), "
        raise BackendError(
            f"Keras runs on {backend()}, and {form.title} is written through TensorFlow. Save the classifier, {how}set "
            "KERAS_BACKEND=tensorflow before Python starts, load it there and export it."
        )
    if missing := [package for package in form.packages if find_spec(package) is None]:
        raise MissingPackageError(
            f"{form.title} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. "
            f"Run: pip install 'imgclf[{name}]'"
        )


@contextmanager
def _explained(network: keras.Model, form: Format, done: str) -> Iterator[None]:
    """A block whatever of whose errors is not ours is said in a sentence; the converters raise anything."""
    try:
        yield
    except (ImgclfError, OSError, MemoryError):
        raise
    except Exception as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:300]
        raise ExportError(
            f"network {network.name!r} cannot be {done} as {form.title}: {type(error).__name__}: {first} Replace the "
            "layer that this format does not have (an antialiased Resizing, for one), or choose another format."
        ) from error
