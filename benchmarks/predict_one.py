"""One picture, already an array, through a model that is warm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .harness import Benchmark, Options

_SEED = 7


def _sizes(options: Options) -> tuple[tuple[int, int], int]:
    """The picture's size, and how many times it is predicted in a round."""
    return ((64, 64), 2) if options.tiny else ((150, 150), 100)


def ours(options: Options) -> Callable[[], Mapping[str, float]]:
    """``Classifier.predict`` of a uint8 array."""
    import numpy as np

    from imgclf import Classifier, registry

    size, times = _sizes(options)
    classifier = Classifier.from_keras(registry.build("small_cnn", input_shape=(*size, 3)), ["cat", "dog"])
    picture = np.random.default_rng(_SEED).integers(0, 256, (*size, 3), dtype=np.uint8)
    classifier.predict(picture)

    def once() -> Mapping[str, float]:
        for _ in range(times):
            classifier.predict(picture)
        return {"pictures": times}

    return once


def _keras(options: Options, method: str) -> Callable[[], Mapping[str, float]]:
    import numpy as np

    from imgclf import registry

    size, times = _sizes(options)
    model = registry.build("small_cnn", input_shape=(*size, 3))
    picture = np.random.default_rng(_SEED).integers(0, 256, (*size, 3), dtype=np.uint8)
    batch = picture[np.newaxis].astype(np.float32)
    if method == "predict":
        predict = lambda: model.predict(batch, verbose=0)  # noqa: E731
    else:
        predict = lambda: model.predict_on_batch(batch)  # noqa: E731
    predict()

    def once() -> Mapping[str, float]:
        for _ in range(times):
            predict()
        return {"pictures": times}

    return once


def model_predict(options: Options) -> Callable[[], Mapping[str, float]]:
    """``model.predict`` of a batch of one, as most programs do it."""
    return _keras(options, "predict")


def predict_on_batch(options: Options) -> Callable[[], Mapping[str, float]]:
    """``model.predict_on_batch`` of a batch of one."""
    return _keras(options, "predict_on_batch")


BENCHMARK = Benchmark(
    name="predict_one",
    title="One picture, an array in memory",
    unit="pictures",
    contenders={"imgclf": ours, "model.predict": model_predict, "model.predict_on_batch": predict_on_batch},
    reference="model.predict",
    target=10.0,
    group="Prediction",
    about="small_cnn at 150×150, the model warm, 100 times in a round. Ours checks the array, prepares it and names "
    "the answer; the others are given a batch of float32 that is ready.",
)
