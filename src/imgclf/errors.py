"""Every error that imgclf raises on purpose, and the phrases that their messages share.

::

    ImgclfError
    ├── OptionError          (ValueError)   a setting that cannot be: its range, its type, its combination
    ├── UnknownNameError     (ValueError)   a name that nothing answers to, with the nearest one that does
    ├── DatasetError         (ValueError)   pictures, labels or tables that do not fit together
    ├── ImageError           (ValueError)   one picture that cannot be read
    ├── ModelFileError       (ValueError)   a saved classifier that cannot be opened
    ├── FileError            (OSError)      a file that cannot be written where it was wanted
    ├── RunError             (RuntimeError) a training run that cannot start or go on
    ├── ExportError          (RuntimeError) a classifier that cannot be written in another format, or errs there
    ├── MissingPackageError  (ImportError)  an optional package that is not installed
    └── BackendError         (RuntimeError) Keras has no backend that can do what was asked

A message says what arrived, what was expected and what to do, in this order, with the user's own value or path in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class ImgclfError(Exception):
    """Root of the errors that imgclf raises on purpose: catch this one to catch them all.

    >>> from imgclf import ImgclfError, recipes
    >>> try:
    ...     recipes.get("dog_vs_cats")
    ... except ImgclfError as error:
    ...     print(type(error).__name__)
    UnknownNameError
    """


class OptionError(ImgclfError, ValueError):
    """A setting is out of its range, of the wrong type, or contradicts another.

    >>> from imgclf import Augmentation
    >>> Augmentation(rotation_range=-5)
    Traceback (most recent call last):
    imgclf.errors.OptionError: rotation_range is -5; expected a number from 0 to 360 degrees.
    """


class UnknownNameError(ImgclfError, ValueError):
    """A name that nothing answers to; no ``KeyError``, because that one prints its message in quotes.

    >>> from imgclf import Augmentation
    >>> Augmentation.preset("books")
    Traceback (most recent call last):
    imgclf.errors.UnknownNameError: no augmentation preset is called 'books'. Did you mean 'book'? Known: ...
    """


class DatasetError(ImgclfError, ValueError):
    """Pictures, labels or tables that do not fit together.

    >>> from imgclf import Samples
    >>> Samples(keys=["a", "b"], labels=[0])
    Traceback (most recent call last):
    imgclf.errors.DatasetError: 2 keys and 1 labels: give one label per key.
    """


class ImageError(ImgclfError, ValueError):
    """One picture that cannot be read; the message names it and the cause.

    >>> from imgclf import inspect_image
    >>> inspect_image(b"<html>Not found</html>")
    Traceback (most recent call last):
    imgclf.errors.ImageError: ...
    """


class ModelFileError(ImgclfError, ValueError):
    """A saved classifier that cannot be opened.

    >>> from imgclf import Classifier
    >>> Classifier.load("nowhere.keras")
    Traceback (most recent call last):
    imgclf.errors.ModelFileError: ...
    """


class FileError(ImgclfError, OSError):
    """A file that cannot be written where it was wanted.

    It is an ``OSError`` as well, as on a full disk::

        try:
            run = trainer.fit(train, validation, run_dir="runs/pets")
        except FileError as error:
            print(error)  # make room, and the same call goes on
    """


class RunError(ImgclfError, RuntimeError):
    """A training run that cannot start or go on.

    ::

        trainer.fit(train, validation, run_dir="runs/pets")
        replace(trainer, epochs=60).fit(train, validation, run_dir="runs/pets")  # RunError: it holds another run
    """


class ExportError(ImgclfError, RuntimeError):
    """A classifier that cannot be written in another format, or answers otherwise there.

    >>> from imgclf import ExportError
    >>> issubclass(ExportError, RuntimeError)
    True
    """


class MissingPackageError(ImgclfError, ImportError):
    """An optional package is not installed; the message says how to get it, or how to do without.

    >>> from imgclf import MissingPackageError
    >>> issubclass(MissingPackageError, ImportError)
    True
    """


class BackendError(ImgclfError, RuntimeError):
    """Keras has no backend here that can do what was asked.

    ::

        KERAS_BACKEND=jax python train.py  # BackendError where JAX is not installed: it says what to install
    """


def listed(items: Iterable[object], most: int = 5) -> str:
    """The first *most* of *items*, quoted, and how many more there are.

    >>> listed(["a", "b"])
    "'a', 'b'"
    >>> listed(range(9), most=2)
    '0, 1 and 7 more'
    """
    everything = list(items)
    shown = ", ".join(repr(item) for item in everything[:most])
    hidden = len(everything) - most
    return f"{shown} and {hidden:,} more" if hidden > 0 else shown


def with_reasons(head: str, reasons: Sequence[str], most: int = 5) -> str:
    """*head* and below it the first *most* of *reasons*, a line each, and how many more there are.

    >>> print(with_reasons("2 pictures cannot be read:", ["'a' is empty", "'b' is damaged"], most=1))
    2 pictures cannot be read:
      'a' is empty
      and 1 more
    """
    hidden = len(reasons) - most
    return "\n  ".join([head, *reasons[:most], *([f"and {hidden:,} more"] if hidden > 0 else [])])


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """An error that names what was asked for, the nearest known name, and all of them.

    >>> print(unknown_name("architecture", "smal_cnn", ["bn_cnn", "small_cnn"]))
    no architecture is called 'smal_cnn'. Did you mean 'small_cnn'? Known: 'bn_cnn', 'small_cnn'.
    """
    names = sorted(known)
    nearest = get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return UnknownNameError(f"no {kind} is called {name!r}.{hint} Known: {listed(names, most=20)}.")


def about(key: str, reason: str) -> str:
    """*reason* with the picture's *key* before it, unless it begins with a quoted path that ends in the key.

    >>> about("cat/1.jpg", "'pets/cat/1.jpg' is empty")
    "'pets/cat/1.jpg' is empty"
    >>> about("1", "pixels are float64")
    "'1': pixels are float64"
    """
    return reason if re.match(rf"'[^']*{re.escape(key)}'", reason) else f"{key!r}: {reason}"
