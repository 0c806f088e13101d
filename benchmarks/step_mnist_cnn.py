"""The bare training step of ``mnist_cnn``."""

from __future__ import annotations

from .steps import benchmark_of

BENCHMARK = benchmark_of("mnist_cnn", note="")
