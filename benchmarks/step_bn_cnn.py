"""The bare training step of ``bn_cnn``."""

from __future__ import annotations

from .steps import benchmark_of

BENCHMARK = benchmark_of("bn_cnn", note="")
