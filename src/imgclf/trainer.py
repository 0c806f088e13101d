"""``Trainer``: a frozen recipe; ``fit`` makes a ``TrainingRun`` of it.

In: a training and a validation ``Dataset``.  Out: the classifier of the best epoch, the history, the files of the run.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import keras

from . import _backend
from ._backend import Precision
from .architectures import Architecture, Head, registry
from .architectures.blueprint import structure_digest
from .architectures.own import ensure_probabilities, input_shape, logits_model, split_head
from .augmentation import Augmentation
from .backend_choice import package_version
from .batches import Batches
from .classifier import Classifier
from .dataset import Dataset
from .errors import OptionError, listed, unknown_name
from .fitting import (
    class_weights,
    compile_model,
    copied,
    matched_validation,
    recipe_callbacks,
    train_epochs,
    weights_digest,
)
from .interrupts import stoppable
from .recorder import Recorder
from .run_folder import RunFolder
from .runs import TrainingRun
from .settings import OPTIMIZERS, RANGES, Monitor, Verbosity, faults, fit_fault, frozen, plain_number


@dataclass(frozen=True)
class _Call:
    """How one call of :meth:`Trainer.fit` trains, which is not part of the recipe."""

    folder: RunFolder | None
    checkpoint_every: int | None
    overwrite: bool
    time_limit: float | None
    notes: Mapping[str, Any]
    verbose: Verbosity


@dataclass(frozen=True)
class Trainer:
    """A recipe: every setting of a training run and nothing that a run changes, so that it can be fitted again.

    >>> Trainer("small_cnn", augmentation="book", epochs=30).to_dict()["optimizer"]
    'rmsprop'

    Attributes:
        architecture: A name in the registry, an ``Architecture``, or a Keras model of your own that takes pixels
            0..255; a model is copied, weights included, so that yours stays as it was.
        options: Options of a registered architecture, such as ``{"dropout": 0.5}``.
        head: ``"sigmoid"`` or ``"softmax"`` in place of the architecture's own.
        optimizer: Keras's name: ``"rmsprop"``, ``"adam"``, ``"sgd"``, …
        learning_rate: The learning rate at the start.
        optimizer_options: The optimiser's other options, such as ``{"momentum": 0.9}``.
        batch_size: Pictures in a training step.
        epochs: At most so many.
        steps_per_epoch: Steps in an epoch; None means one pass over the pictures.
        augmentation: A preset's name or an ``Augmentation``; only training pictures are augmented.
        monitor: ``"val_accuracy"`` or ``"val_loss"``: what makes an epoch the best.  Early stopping looks at a figure
            of its own, as in the documents.
        early_stopping_patience: Stop after so many epochs without a better ``early_stopping_monitor``; None: never.
        early_stopping_monitor: What early stopping looks at.
        reduce_lr_patience: Reduce the learning rate after so many epochs without a better ``reduce_lr_monitor``; None:
            never.
        reduce_lr_monitor: What the reduction looks at.
        reduce_lr_factor: What the learning rate is then multiplied by.
        reduce_lr_minimum: It never falls below this.
        class_weights: ``"balanced"`` weighs each class by the inverse of its count; or weights by class name.
        seed: Decides weights, order and augmentation.  One seed, one machine, one thread count: the same numbers.
        precision: What a registered architecture computes in while it trains: ``"float32"``, ``"mixed_bfloat16"``, or
            ``"auto"``: the second where the processor (with TensorFlow and PyTorch) or the GPU has bfloat16 arithmetic,
            which is faster (the page on performance has speed and accuracy).  What is saved is float32 either way.
            A model of your own trains as it was built.
        callbacks: Keras callbacks of your own.  Their ``self.model`` is the network up to its logits, where the loss is
            taken.

    Raises:
        OptionError: settings out of their range, all of them named at once.
        UnknownNameError: an architecture, preset or optimiser that does not exist.
    """

    architecture: str | Architecture | keras.Model
    _: KW_ONLY
    options: Mapping[str, Any] = field(default_factory=dict)
    head: Head | None = None
    optimizer: str = "rmsprop"
    learning_rate: float = 1e-3
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int = 30
    steps_per_epoch: int | None = None
    augmentation: str | Augmentation | None = None
    monitor: Monitor = "val_accuracy"
    early_stopping_patience: int | None = None
    early_stopping_monitor: Monitor = "val_loss"
    reduce_lr_patience: int | None = None
    reduce_lr_monitor: Monitor = "val_accuracy"
    reduce_lr_factor: float = 0.5
    reduce_lr_minimum: float = 1e-5
    class_weights: Literal["balanced"] | Mapping[str, float] | None = None
    seed: int = 42
    precision: Precision = "auto"
    callbacks: Sequence[keras.callbacks.Callback] = ()

    def __post_init__(self) -> None:
        for name in ("options", "optimizer_options"):
            object.__setattr__(self, name, frozen(plain_number(getattr(self, name))))
        for name in RANGES:
            object.__setattr__(self, name, plain_number(getattr(self, name)))
        if isinstance(self.callbacks, keras.callbacks.Callback):
            object.__setattr__(self, "callbacks", (self.callbacks,))
        if said := list(faults(self)):
            raise OptionError("; ".join(said) + ".")
        chosen = registry.get(self.architecture) if isinstance(self.architecture, str) else self.architecture
        if isinstance(chosen, Architecture):
            chosen.check_options(self.options)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if isinstance(self.augmentation, str):
            Augmentation.preset(self.augmentation)

    def fit(
        self,
        train: Dataset,
        validation: Dataset,
        *,
        run_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | None = None,
        overwrite: bool = False,
        time_limit: float | None = None,
        notes: Mapping[str, Any] | None = None,
        verbose: Verbosity = "auto",
    ) -> TrainingRun:
        """Train on *train*, watch *validation*, and give back the best epoch.

        With *run_dir*, the same call goes on where a broken-off one ended, and ends with the same bits as one that was
        never broken off (same versions, backend and number of threads); a finished run comes back at once.

        Args:
            train: Its class names and preprocessing become the classifier's.
            validation: Its classes are matched to those of *train* by name.  It is never augmented.
            run_dir: Where ``config.json``, ``history.json`` and a state (after every epoch) and ``best.keras``
                (whenever an epoch is the best so far) are written; None writes nothing.
            checkpoint_every: With *run_dir*: write a state after so many steps of an epoch, too.  A broken-off run
                loses the work since the last state.
            overwrite: Discard the run that is in *run_dir*, instead of going on with it.
            time_limit: Seconds of this call's training: it ends before an epoch that would pass them, and after one at
                least.  With *run_dir* the same call goes on from there.
            notes: What else ``config.json`` is to say, as JSON can hold it; it does not make a run another one.
            verbose: Keras's: 1 shows a bar, 2 a line per epoch, 0 nothing; ``"auto"`` chooses.  ``"bar"`` shows one for
                the whole run, with the time left.

        Raises:
            DatasetError: no pictures, pictures without labels, or classes that do not match.
            OptionError: the two sets were prepared differently, or the network cannot take their pictures.
            RunError: *run_dir* holds another run or one that is at work, or the loss is no finite number.
            FileError: *run_dir* cannot be written, as on a full disk; what was written stays, and the run can go on.
            RunStopped: Ctrl-C or SIGTERM came, and *run_dir* is given; it is a ``KeyboardInterrupt``, too.
        """
        validation = matched_validation(train, validation)
        if (wrong := fit_fault(run_dir, checkpoint_every, time_limit)) is not None:
            raise OptionError(wrong)
        folder = None if run_dir is None else RunFolder(Path(run_dir))
        with _backend.seeded(self.seed), contextlib.nullcontext() if folder is None else stoppable(folder.outlook):
            how = _Call(folder, checkpoint_every, overwrite, time_limit, notes or {}, verbose)
            return self._run(train, validation, how)

    @property
    def chosen_augmentation(self) -> Augmentation | None:
        """The augmentation itself where a preset's name was given."""
        return Augmentation.preset(self.augmentation) if isinstance(self.augmentation, str) else self.augmentation

    @property
    def policy(self) -> str:
        """What the network computes in while it trains; where ``precision`` is ``"auto"``, the machine is asked."""
        own = isinstance(self.architecture, keras.Model)
        return "float32" if own else _backend.chosen_precision(self.precision)

    def network(self, train: Dataset) -> keras.Model:
        """The network that :meth:`fit` trains on *train*: pixels 0..255 to probabilities, before its first step."""
        chosen = registry.get(self.architecture) if isinstance(self.architecture, str) else self.architecture
        if isinstance(chosen, Architecture):
            return chosen.build(train.spec.shape, len(train.class_names), head=self.head, **self.options)
        if input_shape(chosen) != train.spec.shape:
            raise OptionError(
                f"the model takes pictures of shape {input_shape(chosen)} and the training set has {train.spec.shape}. "
                "Load the pictures with its image_size and color_mode."
            )
        return ensure_probabilities(split_head(copied(chosen)), len(train.class_names))

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON holds it; a model or callbacks of your own are only named in it."""
        content = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "callbacks"}
        if isinstance(self.architecture, keras.Model):
            content["architecture"] = {"model": self.architecture.name}
        elif isinstance(self.architecture, Architecture):
            content["architecture"] = self.architecture.name
        for name in ("options", "optimizer_options"):
            content[name] = dict(content[name])
        if isinstance(self.augmentation, Augmentation):
            content["augmentation"] = self.augmentation.to_dict()
        if isinstance(self.class_weights, Mapping):
            content["class_weights"] = dict(self.class_weights)
        if self.callbacks:
            content["callbacks"] = [type(callback).__name__ for callback in self.callbacks]
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trainer:
        """The recipe from what :meth:`to_dict` gave, or the ``trainer`` part of a run's ``config.json``."""
        if "trainer" in content:
            raise OptionError("this is a whole config.json. Pass the part that is the recipe: config['trainer'].")
        check_settings(content)
        settings = dict(content)
        if isinstance(settings.get("architecture"), Mapping):
            raise OptionError(
                f"the recipe is for a model of your own, {settings['architecture']}. Put the model itself under "
                "'architecture'."
            )
        if lost := settings.pop("callbacks", None):
            warnings.warn(f"the callbacks {listed(lost)} are not in the file. Pass them again.", stacklevel=2)
        if isinstance(settings.get("augmentation"), Mapping):
            settings["augmentation"] = Augmentation.from_dict(settings["augmentation"])
        return cls(**settings)

    def _run(self, train: Dataset, validation: Dataset, call: _Call) -> TrainingRun:
        folder, verbose = call.folder, call.verbose
        policy = self.policy
        with _backend.precision(policy):
            network = self.network(train)
        lasting = network
        if policy != "float32":
            with _backend.precision("float32"):
                lasting = self.network(train)
        trained = self._compiled(network, train)
        provenance = self._provenance(train, validation, network)
        config = {**provenance, "notes": dict(call.notes)} if call.notes else provenance
        callbacks = recipe_callbacks(self, said=int(verbose not in (0, "bar")))

        def best() -> Classifier:
            lasting.set_weights(recorder.best_weights)
            said = {**provenance, "best_epoch": recorder.best_epoch, "figures": recorder.best_figures}
            return Classifier(lasting, train.class_names, train.spec, said)

        def save_best() -> None:
            if folder is not None:
                best().save(folder.best)

        with contextlib.ExitStack() as stack:
            batches = stack.enter_context(contextlib.closing(self._batches(train)))
            checking = Batches(validation, batch_size=max(self.batch_size, 32), shuffle=False)
            stack.enter_context(contextlib.closing(checking))
            if folder is not None:  # last of all, when nothing can be refused any more
                stack.enter_context(folder.locked())
            recorder = Recorder(
                network,
                batches,
                others=callbacks,
                monitor=self.monitor,
                steps=batches.steps // self.epochs,
                epochs=self.epochs,
                folder=folder,
                checkpoint_every=call.checkpoint_every,
                time_limit=call.time_limit,
                on_best=save_best,
                state=folder.begin(config, overwrite=call.overwrite) if folder else None,
            )
            if recorder.step and verbose not in (0, "bar"):
                print(recorder.progress)
            if not recorder.finished:
                train_epochs(trained, batches, checking, recorder, epochs=self.epochs, verbose=verbose)
            if folder is not None and not folder.best.exists():
                save_best()
        place = folder.path if folder else None
        return TrainingRun(best(), recorder.history, recorder.best_epoch, place, tuple(recorder.seconds))

    def _compiled(self, network: keras.Model, train: Dataset) -> keras.Model:
        """*network* up to its logits, compiled.  It is never what is saved: optimiser and metrics would go along."""
        logits = logits_model(network)
        pixels = keras.Input(train.spec.shape)
        trained = logits or keras.Model(pixels, network(pixels), name=network.name)
        settings = {"learning_rate": self.learning_rate, **self.optimizer_options}
        compile_model(trained, self.optimizer, settings, from_logits=logits is not None)
        trained.optimizer.build(trained.trainable_variables)
        return trained

    def _batches(self, train: Dataset) -> Batches:
        steps = self.steps_per_epoch or -(-len(train) // self.batch_size)
        return Batches(
            train,
            batch_size=self.batch_size,
            seed=self.seed,
            augmentation=self.chosen_augmentation,
            steps=steps * self.epochs,
            class_weights=class_weights(self.class_weights, train),
            ahead=2,
        )

    def _provenance(self, train: Dataset, validation: Dataset, network: keras.Model) -> dict[str, Any]:
        sets = {
            name: {"pictures": len(part), "fingerprint": part.fingerprint, "class_counts": part.class_counts()}
            for name, part in (("train", train), ("validation", validation))
        }
        return {
            "imgclf": package_version("imgclf"),
            "versions": _backend.versions(),
            "threads": _backend.threads(),
            "trainer": self.to_dict(),
            "network": structure_digest(network),
            "computed_in": sorted({layer.compute_dtype for layer in network._flatten_layers() if layer.weights}),
            **({"first_weights": weights_digest(network)} if isinstance(self.architecture, keras.Model) else {}),
            "class_names": list(train.class_names),
            "class_digest": train.class_digest,
            **sets,
        }


def check_settings(names: Iterable[str]) -> None:
    """Refuse what is no setting of a :class:`Trainer`.

    Raises:
        UnknownNameError: with the nearest that is one.
    """
    known = {item.name for item in fields(Trainer)}
    for name in names:
        if name not in known:
            raise unknown_name("setting of a Trainer", name, known)
