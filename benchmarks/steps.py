"""The bare training step of a network on a batch that is in place: nothing but the arithmetic."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from .harness import OURS, Benchmark, Options, faster, with_target

_SHAPES = {"small_cnn": (150, 150, 3), "bn_cnn": (128, 128, 3), "mnist_cnn": (28, 28, 1)}
_BATCH = 32

Once = Callable[[], Mapping[str, float]]


def compiled(name: str, policy: str, **options: Any) -> Any:
    """A registered network as ``Trainer`` compiles it, in *policy* (``"auto"``: what this machine is made for)."""
    import keras

    from imgclf import _backend, registry
    from imgclf.architectures.own import logits_model
    from imgclf.fitting import compile_model

    keras.utils.set_random_seed(0)
    with _backend.precision(_backend.chosen_precision(policy)):
        classes = 10 if name == "mnist_cnn" else 2
        network = registry.build(name, input_shape=_SHAPES[name], num_classes=classes, **options)
    model = logits_model(network)
    compile_model(model, "rmsprop", {"learning_rate": 1e-4}, from_logits=True)
    return model


def batch(name: str) -> tuple[Any, Any]:
    """32 pictures of noise, float32 0..255, and their labels."""
    import numpy as np

    shape = _SHAPES[name]
    pixels = np.random.default_rng(0).integers(0, 256, (_BATCH, *shape)).astype(np.float32)
    return pixels, (np.arange(_BATCH) % (10 if name == "mnist_cnn" else 2)).astype(np.int32)


def forever(*content: Any) -> Iterator[Any]:
    """The same batch again and again, as tensors."""
    import keras

    tensors = tuple(keras.ops.convert_to_tensor(part) for part in content)
    while True:
        yield tensors


def in_keras(options: Options, name: str, policy: str, *, fused: bool) -> Once:
    """``train_function`` of the compiled network."""
    import keras

    from imgclf.fusing import fused_normalisation

    model, steps = compiled(name, policy), 2 if options.tiny else _steps(name)
    held = contextlib.ExitStack()
    if fused:
        held.enter_context(fused_normalisation(model))
    batches = forever(*batch(name))
    model.make_train_function()
    for _ in range(1 if options.tiny else 5):
        model.train_function(batches)

    def once() -> Mapping[str, float]:
        for _ in range(steps):
            logs = model.train_function(batches)
        float(keras.ops.convert_to_numpy(logs["loss"]))
        return {"pictures": steps * _BATCH}

    once.held = held  # type: ignore[attr-defined] # what is fused stays so as long as this lives
    return once


def in_torch(options: Options, name: str) -> Once:
    """Plain PyTorch, channels last, bfloat16 by autocast."""
    import torch

    from .in_torch import network, training_step

    step = training_step(network(name), 1e-4)
    pixels, labels = batch(name)
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # channels last in memory, as it comes
    truth, steps = torch.from_numpy(labels).long(), 2 if options.tiny else _steps(name)
    for _ in range(1 if options.tiny else 5):
        step(tensor, truth)

    def once() -> Mapping[str, float]:
        for _ in range(steps):
            loss = step(tensor, truth)
        loss.item()
        return {"pictures": steps * _BATCH}

    return once


def _steps(name: str) -> int:
    return {"small_cnn": 40, "bn_cnn": 25, "mnist_cnn": 300}[name]


def benchmark_of(name: str, note: str) -> Benchmark:
    """The comparison for one network."""
    shape = "×".join(map(str, _SHAPES[name]))
    return with_target(
        found := Benchmark(
            name=f"step_{name}",
            title=f"The bare training step of {name} at {shape}",
            unit="pictures",
            contenders={
                OURS: partial(in_keras, name=name, policy="auto", fused=True),
                "imgclf, float32": partial(in_keras, name=name, policy="float32", fused=True),
                "Keras, bfloat16": partial(in_keras, name=name, policy="mixed_bfloat16", fused=False),
                "PyTorch, bfloat16": partial(in_torch, name=name),
            },
            reference="PyTorch, bfloat16",
            needs={"PyTorch, bfloat16": ("torch",)},
            group="Training",
            about="Batches of 32, RMSprop, always the same batch, which is in place: no pictures are prepared.  "
            "PyTorch is the same network layer for layer, channels last, with autocast to bfloat16.",
            note=note,
        ),
        faster(found, "PyTorch, bfloat16", 1.0),
    )
