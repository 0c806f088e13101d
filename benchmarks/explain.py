"""Grad-CAM of a batch of 16, at the last convolution of ``vgg16_bn``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .harness import OURS, Benchmark, Options, faster, with_target

Once = Callable[[], Mapping[str, float]]
LAST = "block5_conv3"
_SEED = 7
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def network(options: Options, side: int = 224) -> tuple[Any, Any]:
    """``vgg16_bn`` with random weights for pictures of *side*, and uint8 pictures ``(n, h, w, 3)`` for it."""
    import keras
    import numpy as np

    from imgclf import registry

    keras.utils.set_random_seed(_SEED)
    side, dense, count = _sizes(options, side)
    model = registry.build("vgg16_bn", input_shape=(side, side, 3), dense=dense)
    return model, np.random.default_rng(_SEED).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def _sizes(options: Options, side: int = 224) -> tuple[int, tuple[int, ...], int]:
    return (64, (8,), 2) if options.tiny else (side, (4096, 4096), 16)


def ours(options: Options) -> Once:
    """``Explainer.grad_cam`` of a classifier, each picture's own class."""
    from imgclf import Classifier, Explainer

    model, images = network(options)
    explainer = Explainer(Classifier.from_keras(model, ["cat", "dog"]))

    def once() -> Mapping[str, float]:
        return {"pictures": len(explainer.grad_cam(images).maps[LAST])}

    once()
    return once


def keras_maps(model: Any, layer: str) -> Callable[[Any], Any]:
    """keras.io's function: an eager ``GradientTape`` over a sub-model of *layer* and the answer.

    It explains what the model says, here the probability of its one unit; several pictures go through at once.
    """
    import keras
    import tensorflow as tf

    sub_model = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])

    def maps(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            features, said = sub_model(batch, training=False)
            score = said[:, 0]
        gradients = tape.gradient(score, features)
        weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
        heat = tf.maximum(tf.reduce_sum(features * weights, axis=-1), 0)
        return (heat / (tf.reduce_max(heat, axis=(1, 2), keepdims=True) + 1e-12)).numpy()

    return maps


def keras_way(options: Options) -> Once:
    """keras.io's way, the batch at once, which is kinder than its own one by one."""
    import numpy as np

    model, images = network(options)
    maps = keras_maps(model, LAST)

    def once() -> Mapping[str, float]:
        return {"pictures": len(maps(images.astype(np.float32)))}

    once()
    return once


def pytorch_grad_cam(options: Options) -> Once:
    """pytorch-grad-cam on the same network in PyTorch."""
    import torch
    from pytorch_grad_cam import GradCAM

    torch.manual_seed(_SEED)
    side, dense, count = _sizes(options)
    model, last = torch_network(side, dense)
    pixels = torch.rand(count, 3, side, side)
    explainer = GradCAM(model=model.eval(), target_layers=[last])

    def once() -> Mapping[str, float]:
        return {"pictures": len(explainer(input_tensor=pixels, targets=None))}

    once()
    return once


def torch_network(side: int, dense: tuple[int, ...]) -> tuple[Any, Any]:
    """The same network in PyTorch, channels first as its users write it, and its last convolution."""
    from torch import nn

    parts: list[Any] = []
    before = 3
    for channels, convolutions in _BLOCKS:
        for _ in range(convolutions):
            parts += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
        last = parts[-2]
        parts += [nn.BatchNorm2d(channels), nn.MaxPool2d(2)]
    parts.append(nn.Flatten())
    units = before * (side // 32) ** 2
    for number in dense:
        parts += [nn.Linear(units, number), nn.ReLU()]
        units = number
    return nn.Sequential(*parts, nn.Linear(units, 1)), last


BENCHMARK = Benchmark(
    name="explain",
    title="Grad-CAM of one layer, a batch of 16",
    unit="pictures",
    contenders={OURS: ours, "keras.io's way": keras_way, "pytorch-grad-cam": pytorch_grad_cam},
    reference="keras.io's way",
    target=3.0,
    needs={"keras.io's way": ("tensorflow",), "pytorch-grad-cam": ("torch", "pytorch_grad_cam")},
    group="Explanation",
    about="vgg16_bn at 224×224, random weights, the last convolution. keras.io's way is an eager GradientTape over a "
    "sub-model, here with the whole batch at once; pytorch-grad-cam explains the same network in PyTorch. Ours also "
    "keeps scores, probabilities and what is needed for drawing.",
)
BENCHMARK = with_target(BENCHMARK, faster(BENCHMARK, "pytorch-grad-cam", 1.0))
