"""The bare training step of ``small_cnn``."""

from __future__ import annotations

from .steps import benchmark_of

BENCHMARK = benchmark_of("small_cnn", note="")
