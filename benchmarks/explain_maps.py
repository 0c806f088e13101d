"""Grad-CAM of the 13 convolutions of ``vgg16_bn`` at 150×150 for one picture, as document 002 shows them."""

from __future__ import annotations

from . import explain_layers
from .explain_layers import Once
from .harness import OURS, Benchmark, Options

_SIDE = 150
_KERAS = "keras.io's way, 13 passes"


def all_maps(options: Options) -> Once:
    """13 layers in one call."""
    return explain_layers.ours(options, ["block*_conv*"], 13, _SIDE)


def keras_way(options: Options) -> Once:
    """keras.io's way: a sub-model and a tape for each of the 13."""
    return explain_layers.pass_for_each(options, ("conv",), 13, _SIDE)


BENCHMARK = Benchmark(
    name="explain_maps",
    title="Grad-CAM of 13 layers of one picture at 150×150",
    unit="pictures",
    contenders={OURS: all_maps, _KERAS: keras_way},
    reference=_KERAS,
    target=5.0,
    needs={_KERAS: ("tensorflow",)},
    group="Explanation",
    about="vgg16_bn at 150×150, random weights: a map for each of the 13 convolutions.",
)
