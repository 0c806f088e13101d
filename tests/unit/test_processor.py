from __future__ import annotations

import sys

import pytest

from imgclf import _backend, processor

SAPPHIRE_RAPIDS = """processor\t: 0
model name\t: Some Xeon
flags\t\t: fpu avx512f avx512_bf16 amx_bf16

processor\t: 1
flags\t\t: fpu avx512f avx512_bf16 amx_bf16
"""


@pytest.fixture
def says(monkeypatch, tmp_path):
    """Make the processor say something else."""

    def put(text, platform="linux"):
        path = tmp_path / "cpuinfo"
        if text is not None:
            path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(processor, "_CPUINFO", path)
        monkeypatch.setattr(sys, "platform", platform)
        for name in ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
            monkeypatch.delenv(name, raising=False)
        processor.features.cache_clear()

    yield put
    processor.features.cache_clear()


def test_the_flags_that_all_cores_have(says):
    says(SAPPHIRE_RAPIDS)
    assert processor.features() == {"fpu", "avx512f", "avx512_bf16", "amx_bf16"}
    says(SAPPHIRE_RAPIDS + "processor: 2\nflags: fpu\n")
    assert processor.features() == {"fpu"}


@pytest.mark.parametrize(
    ("text", "platform", "has"),
    [
        (SAPPHIRE_RAPIDS, "linux", True),
        ("flags : fpu avx512_bf16", "linux", True),
        ("flags : fpu avx2 avx512f avx512_vnni", "linux", False),
        ("Features : fp asimd bf16", "linux", False),  # on ARM its worth is not measured
        (SAPPHIRE_RAPIDS, "darwin", False),
        ("", "linux", False),
        (None, "linux", False),
    ],
)
def test_bfloat16_is_asked_for_and_never_guessed(says, text, platform, has):
    says(text, platform)
    assert processor.has_bfloat16() is has


@pytest.mark.parametrize(
    ("name", "value", "has"),
    [
        ("TF_ENABLE_ONEDNN_OPTS", "0", _backend.backend() != "tensorflow"),
        ("TF_ENABLE_ONEDNN_OPTS", "1", True),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", False),
        ("ONEDNN_MAX_CPU_ISA", "AVX2_VNNI_2", False),
        ("DNNL_MAX_CPU_ISA", "AVX2", False),
        ("ONEDNN_MAX_CPU_ISA", "default", True),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_bf16", True),
    ],
)
def test_what_the_user_has_switched_off_is_not_there(says, monkeypatch, name, value, has):
    says(SAPPHIRE_RAPIDS)
    monkeypatch.setenv(name, value)
    fast = has and _backend.backend() != "jax"  # on a processor JAX gains nothing
    assert _backend.chosen_precision("auto") == ("mixed_bfloat16" if fast else "float32")


def test_auto_is_float32_where_nothing_else_is_known_to_be_faster(says):
    says("flags : fpu")
    assert _backend.chosen_precision("auto") == "float32"
    assert _backend.chosen_precision("mixed_bfloat16") == "mixed_bfloat16"
    says(SAPPHIRE_RAPIDS)
