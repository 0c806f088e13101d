"""From paths to probabilities: 4,000 JPEG, end to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .harness import OURS, Benchmark, Options, faster, with_target
from .pictures import folders, paths, side

Once = Callable[[], Mapping[str, float]]
_SEED = 7


def _model(options: Options) -> Any:
    import keras

    from imgclf import registry

    keras.utils.set_random_seed(_SEED)
    return registry.build("small_cnn", input_shape=(side(options), side(options), 3))


def ours(options: Options, precision: str = "float32") -> Once:
    """``Classifier.predict`` of a list of paths."""
    from imgclf import Classifier

    classifier = Classifier.from_keras(_model(options), ["cat", "dog"]).with_precision(precision)  # type: ignore[arg-type]
    files = paths(options)
    classifier.predict(files[:64])

    def once() -> Mapping[str, float]:
        return {"pictures": len(classifier.predict(files).probabilities)}

    return once


def keras_way(options: Options) -> Once:
    """``image_dataset_from_directory(shuffle=False)`` and ``model.predict``."""
    import keras

    model, size = _model(options), (side(options), side(options))
    datasets = [
        keras.utils.image_dataset_from_directory(folder, shuffle=False, image_size=size, batch_size=32)
        for folder in folders(options)
    ]
    model.predict(datasets[0].take(2), verbose=0)

    def once() -> Mapping[str, float]:
        return {"pictures": sum(len(model.predict(dataset, verbose=0)) for dataset in datasets)}

    return once


_KERAS = "image_dataset_from_directory + predict"
_FAST = "imgclf, with_precision('auto')"
_PLAIN = Benchmark(
    name="predict_files",
    title="4,000 JPEG, from paths to probabilities",
    unit="pictures",
    contenders={OURS: ours, _FAST: partial(ours, precision="auto"), _KERAS: keras_way},
    reference=_KERAS,
    needs={_KERAS: ("tensorflow",)},
    group="Prediction",
    about="small_cnn at 150×150 with the same weights, in batches of 32; the model is warm, and the files lie in the "
    "system's memory after the first turn.  In float32, which is exact and what predict computes in unless told "
    "otherwise, the forward pass takes three quarters of the time on a processor, and is the same for all.",
    note="The forward pass in float32 bounds it: everyone computes the same convolutions by the same oneDNN.",
)
BENCHMARK = with_target(_PLAIN, faster(_PLAIN, _KERAS, 1.8), faster(_PLAIN, _KERAS, 1.8, ours=_FAST))
