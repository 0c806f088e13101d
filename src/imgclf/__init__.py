"""Labelled pictures in, a trustworthy image classifier out, and the reasons for its answers. On Keras 3.

::

    from imgclf import Dataset, Explainer, FolderSource, Trainer

    data = Dataset.load(FolderSource("pets"), image_size=(150, 150))
    train, validation = data.split(validation=0.2, seed=42)
    run = Trainer("small_cnn", augmentation="book", epochs=30).fit(train, validation, run_dir="runs/pets")
    print(run.classifier.evaluate(validation))
    run.classifier.save("pets.keras")
    Explainer(run.classifier).grad_cam("garfield.jpg", method="hires_cam").save("why.png")
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .backend_choice import choose_backend, missing_backend

choose_backend()

if TYPE_CHECKING:  # what readers, editors and type checkers see
    from . import demo as demo
    from . import health as health
    from . import label_errors as label_errors
    from . import recipes as recipes
    from .architectures import Architecture as Architecture
    from .architectures import registry as registry
    from .augmentation import Augmentation as Augmentation
    from .classifier import Classifier as Classifier
    from .cross_validation import out_of_fold as out_of_fold
    from .dataset import Dataset as Dataset
    from .errors import BackendError as BackendError
    from .errors import DatasetError as DatasetError
    from .errors import ExportError as ExportError
    from .errors import FileError as FileError
    from .errors import ImageError as ImageError
    from .errors import ImgclfError as ImgclfError
    from .errors import MissingPackageError as MissingPackageError
    from .errors import ModelFileError as ModelFileError
    from .errors import OptionError as OptionError
    from .errors import RunError as RunError
    from .errors import UnknownNameError as UnknownNameError
    from .estimator import ImageClassifier as ImageClassifier
    from .evaluation import Evaluation as Evaluation
    from .evaluation import Predictions as Predictions
    from .explainer import Attribution as Attribution
    from .explainer import Explainer as Explainer
    from .explainer import Explanation as Explanation
    from .explainer import Faithfulness as Faithfulness
    from .explainer import FeatureMaps as FeatureMaps
    from .explainer import SanityCheck as SanityCheck
    from .explainer.comparing import Comparison as Comparison
    from .explainer.comparing import compare as compare
    from .export import ExportedModel as ExportedModel
    from .health import HealthReport as HealthReport
    from .images import ImageFacts as ImageFacts
    from .images import ImageSpec as ImageSpec
    from .images import inspect_image as inspect_image
    from .interrupts import RunStopped as RunStopped
    from .label_errors import LabelErrors as LabelErrors
    from .recognition import recognise as recognise
    from .report import write_comparison as write_comparison
    from .report import write_report as write_report
    from .runs import TrainingRun as TrainingRun
    from .sources import ArraySource as ArraySource
    from .sources import CsvPixelsSource as CsvPixelsSource
    from .sources import DatasetSource as DatasetSource
    from .sources import DrawnPets as DrawnPets
    from .sources import FilenameSource as FilenameSource
    from .sources import FolderSource as FolderSource
    from .sources import Samples as Samples
    from .sources import TableSource as TableSource
    from .sources import TFRecordSource as TFRecordSource
    from .sources import write_tfrecords as write_tfrecords
    from .trainer import Trainer as Trainer

# Each name and the module it is loaded from on first use: Keras takes seconds to import and then fixes the backend.
_HOMES = {
    "architectures": ("Architecture", "registry"),
    "augmentation": ("Augmentation",),
    "classifier": ("Classifier",),
    "cross_validation": ("out_of_fold",),
    "dataset": ("Dataset",),
    "errors": (
        "BackendError",
        "DatasetError",
        "ExportError",
        "FileError",
        "ImageError",
        "ImgclfError",
        "MissingPackageError",
        "ModelFileError",
        "OptionError",
        "RunError",
        "UnknownNameError",
    ),
    "estimator": ("ImageClassifier",),
    "evaluation": ("Evaluation", "Predictions"),
    "explainer": ("Attribution", "Explainer", "Explanation", "Faithfulness", "FeatureMaps", "SanityCheck"),
    "explainer.comparing": ("Comparison", "compare"),
    "export": ("ExportedModel",),
    "health": ("HealthReport",),
    "images": ("ImageFacts", "ImageSpec", "inspect_image"),
    "interrupts": ("RunStopped",),
    "label_errors": ("LabelErrors",),
    "recognition": ("recognise",),
    "report": ("write_comparison", "write_report"),
    "runs": ("TrainingRun",),
    "sources": (
        "ArraySource",
        "CsvPixelsSource",
        "DatasetSource",
        "DrawnPets",
        "FilenameSource",
        "FolderSource",
        "Samples",
        "TableSource",
        "TFRecordSource",
        "write_tfrecords",
    ),
    "trainer": ("Trainer",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("demo", "health", "label_errors", "recipes")  # used by their own names: health.check(…)

__all__ = sorted([*_HOME, *_MODULES])  # noqa: PLE0605 - built from the one table above; a test compares it with the imports


if not TYPE_CHECKING:  # hidden from type checkers, so that a misspelt name is an error there too

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("imgclf")
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{_HOME[name]}", __name__), name)
        except ModuleNotFoundError as error:
            if (no_backend := missing_backend(error)) is not None:
                raise no_backend from error
            raise


def __dir__() -> list[str]:
    return __all__
