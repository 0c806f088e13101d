"""The documents' networks in plain PyTorch, channels last, as its own documentation has them; and a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def network(name: str, *, dropout: float = 0.0) -> Any:
    """``small_cnn``, ``bn_cnn`` or ``mnist_cnn`` up to its logits, layer for layer."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    parts: list[Any] = []
    channels = 1 if name == "mnist_cnn" else 3
    for filters in {"small_cnn": (32, 64, 128, 128), "bn_cnn": (32, 64, 128), "mnist_cnn": (64, 32)}[name]:
        parts += [nn.Conv2d(channels, filters, 3), nn.ReLU()]
        parts += [nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)] if name == "bn_cnn" else []
        parts += [nn.MaxPool2d(2)] if name != "mnist_cnn" or filters == 32 else []
        parts += [nn.Dropout(0.25)] if name == "bn_cnn" else []
        channels = filters
    parts.append(nn.Flatten())
    if name == "mnist_cnn":
        parts.append(nn.Linear(32 * 12 * 12, 10))
    elif name == "bn_cnn":
        parts += [nn.Linear(128 * 14 * 14, 512), nn.ReLU(), nn.BatchNorm1d(512), nn.Dropout(0.5), nn.Linear(512, 2)]
    else:
        parts += [nn.Dropout(dropout), nn.Linear(6272, 512), nn.ReLU(), nn.Linear(512, 1)]
    return nn.Sequential(*parts).to(memory_format=torch.channels_last)


def training_step(model: Any, learning_rate: float) -> Callable[[Any, Any], Any]:
    """``step(pixels 0..255, labels)`` in bfloat16 by autocast, RMSprop with Keras's settings; gives the loss."""
    import torch
    from torch.nn import functional

    optimizer = torch.optim.RMSprop(model.parameters(), lr=learning_rate, alpha=0.9, eps=1e-7)

    def step(pixels: Any, labels: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(pixels / 255)
        loss = loss_of(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss

    def loss_of(logits: Any, labels: Any) -> Any:
        if logits.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(logits[:, 0], labels.float())
        return functional.cross_entropy(logits, labels)

    return step
