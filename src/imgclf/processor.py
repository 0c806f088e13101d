"""What this machine's processor can do, as the operating system reports it: nothing is tried out, nothing guessed.

In: nothing.  Out: the names of its instruction sets, and whether a matrix product in bfloat16 is among them.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})  # Linux's names; Zen 4, Cooper Lake and Sapphire Rapids have them
_WITHOUT = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI")
"""oneDNN's levels without bfloat16: ``ONEDNN_MAX_CPU_ISA`` may hold it back to one of them."""


@functools.cache
def features() -> frozenset[str]:
    """The instruction sets of the processor by Linux's names, such as ``"avx512_bf16"``; empty on other systems."""
    try:
        text = _CPUINFO.read_text("utf-8", "replace") if sys.platform == "linux" else ""
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    sets = [frozenset(said.split()) for name, _, said in lines if name.strip() in {"flags", "Features"}]
    return frozenset.intersection(*sets) if sets else frozenset()  # where cores differ, what all of them have


def has_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions and oneDNN, which uses them, is not held back."""
    held_back = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _WITHOUT
    return not (held_back or _BFLOAT16.isdisjoint(features()))
