"""Everything that differs between TensorFlow, JAX and PyTorch: no other module names them.

The rest speaks ``keras`` or ``numpy``.  Importing this module loads no backend.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np

from .backend_choice import BACKENDS, package_version
from .errors import BackendError
from .processor import has_bfloat16, usable_cores

_SEEDED = threading.RLock()
_AMPERE = (8, 0)  # the first of NVIDIA's compute capabilities with bfloat16

Tensors = dict[str, Any]
Function = Callable[[Tensors], tuple[Any, Any]]
Run = Callable[[Mapping[str, Any]], Any]
Precision = Literal["auto", "float32", "mixed_bfloat16"]
Pass = Callable[[Mapping[str, Any], Sequence[tuple[Any, Any]]], Any]
"""``fn(arrays, state)``: see :func:`compiled`."""
_PADDED = (1, 8)
"""JAX compiles each number of pictures anew: fewer are padded to one of these."""


def backend() -> str:
    """The backend that Keras runs on: ``"tensorflow"``, ``"jax"`` or ``"torch"``.

    Raises:
        BackendError: it is one that cannot train.
    """
    import keras

    name = str(keras.backend.backend())
    if name not in BACKENDS:
        raise BackendError(
            f"Keras runs on {name!r}, which cannot train or explain. "
            "Set KERAS_BACKEND to tensorflow, jax or torch before Python starts."
        )
    return name


def versions() -> dict[str, str]:
    """Python's, Keras's and the backend's versions: part of every provenance."""
    name = backend()
    packages = {"keras": package_version("keras"), name: package_version(name), "numpy": np.__version__}
    return {"python": sys.version.split()[0], "backend": name, **packages}


def threads() -> int:
    """How many threads the backend computes with: another number, other last digits."""
    name = backend()
    chosen = 0
    if name == "tensorflow":
        import tensorflow as tf

        chosen = tf.config.threading.get_intra_op_parallelism_threads()
    elif name == "torch":
        import torch

        chosen = torch.get_num_threads()
    return int(chosen) or usable_cores()  # 0: as many as there are


def devices() -> list[str]:
    """What the backend can compute on, in its own words, such as ``"GPU:0"``."""
    name = backend()
    if name == "tensorflow":
        import tensorflow as tf

        return [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()]
    if name == "jax":
        import jax

        return [str(device) for device in jax.devices()]
    import torch

    return ["cpu", *(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))]


def bring_back_state(model: Any) -> None:
    """Within ``fit``, put the state that JAX carries from step to step back into the variables of *model*."""
    if backend() == "jax":
        model.jax_state_sync()


def value_and_grad(fn: Function, args: Mapping[str, Any]) -> tuple[Any, Any, Tensors]:
    """The value of ``fn(args)`` and its gradient with respect to every tensor in *args*.

    Args:
        fn: Maps the dict to ``(scalar, aux)``; *aux* is passed through.
        args: Tensors by name; one that *fn* does not use has a gradient of zeros.

    Returns:
        ``(scalar, aux, gradients)``, the gradients under the names of *args*.
    """
    return {"tensorflow": _grad_tensorflow, "jax": _grad_jax, "torch": _grad_torch}[backend()](fn, dict(args))


def no_grad() -> AbstractContextManager[object]:
    """A block in which nothing is recorded for gradients (PyTorch records unless told not to)."""
    if backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()  # type: ignore[no-any-return]


def compiled(fn: Pass, variables: Sequence[Any], like: Mapping[str, Any]) -> Run | None:
    """*fn* as one compiled computation; None on PyTorch, which runs it as it is.

    Compiling costs less than running once operation by operation (TensorFlow 0.04 to 0.16 s; JAX 0.4 instead of 1.7 s).

    Args:
        fn: ``fn(arrays, state)`` gives tensors; everything in and out has the pictures on its first axis.  *state*
            says as pairs ``(variable, value)`` which values the variables have: none of them may become a constant.
        variables: All that *fn* reads.  New values of them are seen at the next call.
        like: Arrays as those to come, of which only the number of pictures may differ.
    """
    if backend() == "torch":
        return None
    return _compiled_jax(fn, variables) if backend() == "jax" else _compiled_tensorflow(fn, like)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All random states from *seed*, for one thread at a time: they belong to the process.

    Python's, NumPy's and PyTorch's states come back afterwards; the global seeds of Keras and TensorFlow stay.
    """
    import keras

    with undisturbed():
        keras.utils.set_random_seed(seed)
        yield


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A block after which Python's, NumPy's and PyTorch's random states are as before; one thread at a time."""
    with _SEEDED:
        before = random_states()
        try:
            yield
        finally:
            set_random_states(before)


def random_states() -> dict[str, Any]:
    """The random states of the process: Python's, NumPy's and PyTorch's, whose dropout draws from the last.

    Those of TensorFlow and JAX stand in variables of Keras's layers.
    """
    states: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state()}  # noqa: NPY002
    if backend() == "torch":
        import torch

        states["torch"] = torch.get_rng_state().numpy()
        states["cuda"] = [state.numpy() for state in torch.cuda.get_rng_state_all()]
    return states


def set_random_states(states: Mapping[str, Any]) -> None:
    """Put back what :func:`random_states` gave."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    set_torch_states(states)


def set_torch_states(states: Mapping[str, Any]) -> None:
    """PyTorch's part of :func:`set_random_states`."""
    if backend() == "torch" and "torch" in states:
        import torch

        torch.set_rng_state(torch.from_numpy(states["torch"]))
        if len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([torch.from_numpy(state) for state in states["cuda"]])


def has_fused_normalisation() -> bool:
    """Whether :func:`batch_normalised` is there: PyTorch's Keras has its own, and JAX's compiler fuses by itself."""
    return backend() == "tensorflow"


def batch_normalised(inputs: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """*inputs* ``(n, h, w, c)`` normalised by each channel's mean and variance: ``(outputs, mean, variance)``.

    The first is in the type of *inputs*; the others are float32 ``(c,)``, the variance divided by n · h · w.
    """
    import tensorflow as tf

    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta), epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(inputs, out_type=tf.int64) // inputs.shape[-1], tf.float32)
    return outputs, mean, variance * (tf.maximum(count, 2) - 1) / tf.maximum(count, 2)  # the kernel divides by n − 1


def feed(batches: Any) -> Any:
    """What ``fit`` takes the steps of *batches*, a ``PyDataset`` of arrays, from.

    Keras makes a ``tf.data`` pipeline of it that tunes itself.  When such a pipeline ends while the processor is busy,
    its tuning thread often misses the call, because TensorFlow's ``CancellationManager`` calls back before it counts as
    cancelled, and sleeps on to the end of its period, which doubles from 10 ms to 60 s: ``fit`` stands still as long
    (measured: 0.5 s after every other validation of 0.7 s, 20 s where an epoch takes 20 s).  This one is not tuned.
    """
    if backend() != "tensorflow":
        return batches
    import tensorflow as tf

    def steps() -> Iterator[Any]:
        for number in range(len(batches)):
            yield batches[number]

    options = tf.data.Options()
    options.autotune.enabled = False
    signature = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in batches[0])
    counted = tf.data.experimental.assert_cardinality(len(batches))
    return (
        tf.data.Dataset.from_generator(steps, output_signature=signature)
        .apply(counted)
        .prefetch(1)
        .with_options(options)
    )


def chosen_precision(wanted: Precision) -> str:
    """*wanted*; for ``"auto"`` bfloat16 where a GPU, a TPU or (for JAX it gains nothing) the processor has it."""
    if wanted != "auto":
        return wanted
    has = {"tensorflow": _bfloat16_tensorflow, "jax": _bfloat16_jax, "torch": _bfloat16_torch}[backend()]
    return "mixed_bfloat16" if has() else "float32"


def _bfloat16_tensorflow() -> bool:
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        capable = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
        return bool(min(capable) >= _AMPERE)
    return has_bfloat16() and os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() not in {"0", "false"}


def _bfloat16_jax() -> bool:
    import jax

    if jax.default_backend() != "gpu":
        return bool(jax.default_backend() == "tpu")
    capable = [str(getattr(gpu, "compute_capability", "0.0")).split(".") for gpu in jax.devices()]
    return min(tuple(int(part) for part in said if part.isdigit()) for said in capable) >= _AMPERE


def _bfloat16_torch() -> bool:
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.get_device_capability() >= _AMPERE)
    return has_bfloat16()


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """A block in which new layers compute in *policy*, such as ``"float32"`` or ``"mixed_bfloat16"``."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _grad_tensorflow(fn: Function, args: Tensors) -> tuple[Any, Any, Tensors]:
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(args)
        value, aux = fn(args)
    return value, aux, tape.gradient(value, args, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _grad_jax(fn: Function, args: Tensors) -> tuple[Any, Any, Tensors]:
    import jax
    import keras

    def pure(tensors: Tensors) -> tuple[Any, Any]:
        with keras.StatelessScope():  # add_loss and seed states would leak tracers (keras #20724)
            return fn(tensors)

    (value, aux), gradients = jax.value_and_grad(pure, has_aux=True)(args)
    return value, aux, gradients


def _grad_torch(fn: Function, args: Tensors) -> tuple[Any, Any, Tensors]:
    import keras
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        leaves = {name: tensor.detach().clone().requires_grad_(True) for name, tensor in args.items()}
        value, aux = fn(leaves)
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True) if leaves else ()
    gradients = {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }
    return value.detach(), keras.tree.map_structure(lambda tensor: tensor.detach(), aux), gradients


def _compiled_tensorflow(fn: Pass, like: Mapping[str, Any]) -> Run:
    import tensorflow as tf

    # One graph for any number of pictures, so nothing is padded.  It refers to the variables themselves.
    anything = {name: tf.TensorSpec((None, *array.shape[1:]), array.dtype) for name, array in like.items()}
    run = tf.function(lambda arrays: fn(arrays, ()), input_signature=[anything], autograph=False)

    def traced(arrays: Mapping[str, Any]) -> Any:
        # Not run(arrays), where TensorFlow warns of retracing: it takes the graphs of all explainers for one function.
        return run.get_concrete_function()(arrays)

    return traced


def _compiled_jax(fn: Pass, variables: Sequence[Any]) -> Run:
    import jax

    run = jax.jit(lambda arrays, values: fn(arrays, list(zip(variables, values, strict=True))))

    def padded(arrays: Mapping[str, Any]) -> Any:
        count = len(next(iter(arrays.values())))
        missing = next((size - count for size in _PADDED if size >= count), 0)
        # The last picture again: zeros could be what a network divides by.
        whole = {name: np.concatenate([array, *[array[-1:]] * missing]) for name, array in arrays.items()}
        found = run(whole, [variable.value for variable in variables])
        return jax.tree.map(lambda array: np.asarray(array)[:count], found)

    return padded
