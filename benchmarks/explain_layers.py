"""Grad-CAM of all 18 convolutions and poolings of ``vgg16_bn`` for one picture, against one layer of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import explain
from .harness import OURS, Benchmark, Options, Round, Target

Once = Callable[[], Mapping[str, float]]
_ALL = ["block*_conv*", "block*_pool"]
_ONE_LAYER = "one layer"


def ours(options: Options, layers: list[str], count: int, side: int = 224) -> Once:
    """The maps of *count* *layers* of one picture in one call."""
    from imgclf import Classifier, Explainer

    model, images = explain.network(options, side)
    explainer = Explainer(Classifier.from_keras(model, ["cat", "dog"]))

    def once() -> Mapping[str, float]:
        maps = explainer.grad_cam(images[0], layers=layers).maps
        assert len(maps) == count, f"{len(maps)} layers, not {count}"
        return {"pictures": 1}

    once()
    return once


def all_layers(options: Options) -> Once:
    """18 layers in one call."""
    return ours(options, _ALL, 18)


def one_layer(options: Options) -> Once:
    """The last convolution alone."""
    return ours(options, [explain.LAST], 1)


def keras_way(options: Options) -> Once:
    """keras.io's way: a sub-model and a pass for each of the 18."""
    return pass_for_each(options, ("conv", "pool"), 18)


def pass_for_each(options: Options, kinds: tuple[str, ...], count: int, side: int = 224) -> Once:
    """The maps of *count* layers, those with one of *kinds* in their names: a sub-model and a tape for each."""
    import numpy as np

    model, images = explain.network(options, side)
    named = [layer.name for layer in model.layers if any(f"_{kind}" in layer.name for kind in kinds)]
    maps = [explain.keras_maps(model, name) for name in named]

    def once() -> Mapping[str, float]:
        found = [each(images[:1].astype(np.float32)) for each in maps]
        assert len(found) == count, f"{len(found)} layers, not {count}"
        return {"pictures": 1}

    if not options.tiny:
        once()
    return once


def _multiple(rounds: Mapping[str, Round]) -> float:
    return rounds[OURS]["seconds"] / rounds[_ONE_LAYER]["seconds"]


BENCHMARK = Benchmark(
    name="explain_layers",
    title="Grad-CAM of all 18 layers of one picture",
    unit="pictures",
    contenders={OURS: all_layers, _ONE_LAYER: one_layer, "keras.io's way, 18 passes": keras_way},
    reference="keras.io's way, 18 passes",
    targets=(Target("time of all 18 layers against one", _multiple, at_most=3.0),),
    needs={"keras.io's way, 18 passes": ("tensorflow",)},
    group="Explanation",
    about="vgg16_bn at 224×224, random weights: the 13 convolutions and 5 poolings.",
)
