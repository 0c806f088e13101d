"""The saved classifier: an ordinary ``.keras`` archive with one more member, ``imgclf.json``.

In: a Keras model and a manifest.  Out: one file, the same bytes every time; and both back from it.  Plain
``keras.saving.load_model`` opens the file too, without imgclf and on any backend.

A file may come from a stranger.  Where the registry has the network, it is built from there and given its weights as
plain arrays: Keras's deserialiser and HDF5 do not see the file.  ``SECURITY.md`` says what is promised.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import keras

from .architectures import registry
from .architectures.base import repeatable
from .architectures.blueprint import Blueprint, configuration, difference
from .architectures.building import Limit
from .archive import (
    LARGEST_JSON,
    Archive,
    check_foreign,
    check_size,
    damaged,
    dump_json,
    open_regular,
    parse_json,
    read_foreign,
    write_archive,
)
from .errors import ModelFileError
from .files import finite, replacing
from .manifest import (
    CONFIG,
    KERAS,
    METADATA,
    SCHEMA,
    WEIGHTS,
    Manifest,
    check_class_names,
    checked_manifest,
    checked_spec,
)
from .tables import visible
from .weights import Place, check_extent, check_hdf5, fits, places_of, set_weights

MEMBER = "imgclf.json"
_UNTRUSTED = (
    "Opening it lets Keras build what the file describes: pass trust=True if you know where it comes from, or register "
    "the function that builds it (@registry.register) and save it anew."
)


def write_model(path: str | os.PathLike[str], model: keras.Model, manifest: Manifest) -> Path:
    """Write *model* and *manifest* to *path*, whole or not at all; returns the path.

    A network that an architecture built is built once more, to see that the file will open; where it does not come out
    again, a warning says so, and the file holds a network of one's own.

    Raises:
        ModelFileError: the path does not end in ``.keras``, or the manifest holds what a file cannot.
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise ModelFileError(
            f"'{target}' does not end in .keras, the one format that is written. Call it '{target}.keras'."
        )
    try:
        provenance = json.loads(json.dumps(finite(dict(manifest.provenance)), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            f"the provenance cannot be saved as JSON: {error}. Take out what is no text or number."
        ) from error
    blueprint, places = repeatable(model), None
    members = _keras_members(model)
    if blueprint is not None and set(members) == set(KERAS) and len(members[CONFIG]) <= LARGEST_JSON:
        places = places_of(model, members[WEIGHTS])
    content = {
        "schema": SCHEMA,
        "class_names": list(manifest.class_names),
        "spec": manifest.spec.to_dict(),
        "network": None if blueprint is None or places is None else blueprint.to_dict(),
        "weights": [place.to_list() for place in places or ()],
        "members": {name: hashlib.sha256(member).hexdigest() for name, member in members.items()},
        "provenance": provenance,
    }
    try:
        said = dump_json(content)
        checked_manifest(parse_json(said), {name: len(member) for name, member in members.items()})
        check_size(said)
    except (ValueError, TypeError) as error:
        raise ModelFileError(f"'{target}' could not be opened again: {error}. Change that, and save again.") from error
    with replacing(target) as temporary:
        write_archive(temporary, {MEMBER: said, **members})
    return target


def read_model(
    path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None, *, trust: bool = False
) -> tuple[keras.Model, Manifest | None]:
    """The model of *path* and its manifest: None where the file is another program's.

    Args:
        path: A ``.keras`` file.
        custom_objects: A user's own layers by name, as Keras takes them.
        trust: Let Keras rebuild, in its safe mode, a network that the registry does not have.

    Raises:
        ModelFileError: no such file, damaged, changed, from a later version, or not to be opened without *trust*.
    """
    target = Path(path)
    with open_regular(target) as file:
        archive, manifest = _opened(file, target)
        if archive is not None and manifest is not None:
            model = _from_registry(archive, manifest, trust=trust)
            if model is not None:
                return model, manifest
        if not trust:
            raise ModelFileError(_stranger(target, manifest))
        return _from_keras(file, target, custom_objects), manifest


def _opened(file: BinaryIO, path: Path) -> tuple[Archive | None, Manifest | None]:
    """The archive if it is of our form, and its manifest if it has one; ours of schema 1 has one without the form."""
    try:
        archive = Archive(file, path)
    except ModelFileError as error:
        names = check_foreign(file, path)
        if MEMBER not in names:
            _check_model(names, path)
            return None, None
        if (manifest := _old_manifest(file, path, names[MEMBER])) is None:
            raise error from None
        return None, manifest
    if MEMBER in archive.members:
        return archive, _manifest(archive)
    _check_model(archive.members, path)
    return archive, None


def _check_model(names: Container[str], path: Path) -> None:
    if CONFIG not in names or WEIGHTS not in names:
        raise ModelFileError(f"'{path}' is a zip archive without a Keras model. Give a .keras file.")


class _InMemory(io.BytesIO):
    """Memory that Keras takes for a file: it writes HDF5 to the disk otherwise, and a full disk then ends Python."""

    def __str__(self) -> str:
        return "model.keras"


def _keras_members(model: keras.Model) -> dict[str, bytes]:
    """What Keras saves of *model*, by member, without the moment of saving and other things that never repeat."""
    memory = _InMemory()
    _uncompiled(model).save(memory)
    with zipfile.ZipFile(memory) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[CONFIG] = json.dumps(_numbered(json.loads(members[CONFIG]), {})).encode()
    metadata = {**json.loads(members[METADATA]), "date_saved": "1980-01-01@00:00:00"}
    members[METADATA] = json.dumps(metadata).encode()
    return members


def _uncompiled(model: keras.Model) -> keras.Model:
    """*model* without optimiser and metrics, weights shared; as it is where it is no plain graph of Keras's."""
    if not getattr(model, "compiled", False) or type(model).__module__.split(".")[0] != "keras":
        return model
    if isinstance(model, keras.Sequential):
        first = keras.layers.InputLayer.from_config(model.get_config()["layers"][0]["config"])
        return keras.Sequential([first, *model.layers], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def _numbered(content: Any, known: dict[Any, int]) -> Any:
    """A configuration with 1, 2, … for the memory addresses by which Keras marks what is shared."""
    if isinstance(content, dict):
        return {
            key: known.setdefault(value, len(known) + 1) if key == "shared_object_id" else _numbered(value, known)
            for key, value in content.items()
        }
    return [_numbered(value, known) for value in content] if isinstance(content, list) else content


def _manifest(archive: Archive) -> Manifest:
    content = archive.read_json(MEMBER)
    schema = content.get("schema") if isinstance(content, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise _too_new(archive.path, schema)
    sizes = {name: member.size for name, member in archive.members.items() if name != MEMBER}
    try:
        if type(schema) is not int or schema != SCHEMA:
            raise ValueError(f"its schema is {str(schema)[:40]!r}")
        return checked_manifest(content, sizes)
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(archive.path, f"in its manifest, {MEMBER}, {error}") from None


def _from_registry(archive: Archive, manifest: Manifest, *, trust: bool) -> keras.Model | None:
    """The network, built by the registry; None where Keras has to be asked, because the registry does not have it."""
    members = {name: archive.read(name) for name in archive.members if name != MEMBER}
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != (manifest.digests or {}).get(name):
            raise damaged(archive.path, f"its member {name!r} is not what was saved (its SHA-256 is another)")
    if manifest.blueprint is None:
        return None
    if manifest.blueprint.name not in registry:
        if trust:
            return None
        raise ModelFileError(
            f"'{archive.path}' holds a network called {manifest.blueprint.name!r}, which is not registered here. Run "
            "the code that registers it (@registry.register) before you load the file, or pass trust=True if you know "
            "where it comes from."
        )
    try:
        check_extent(members[WEIGHTS])
        model = _built(manifest.blueprint, manifest.places)
    except ValueError as error:
        if trust:
            return None
        raise damaged(archive.path, str(error)) from error
    if (fault := _other_builder(model, members)) is not None:
        if trust:
            return None
        raise ModelFileError(
            f"'{archive.path}' was saved from another network than {manifest.blueprint.name!r} is here; they differ at "
            f"{visible(fault)}. Register the function that it was built with, or pass trust=True if you know where it "
            "comes from."
        )
    set_weights(model, manifest.places, members[WEIGHTS])
    return model


def _built(blueprint: Blueprint, places: Sequence[Place]) -> keras.Model:
    limit = Limit(sum(place.elements for place in places), len(places))
    try:
        with limit.guard():
            model = registry.get(blueprint.name).build_again(blueprint)
    except Exception as error:  # a builder may fail in any way on options that it was not made for
        if limit.exceeded:
            raise ValueError("it describes a larger network than it holds weights for") from None
        raise ValueError(f"its network cannot be built: {str(error)[:300]}") from error
    if (fault := fits(model, places)) is not None:
        raise ValueError(fault)
    return model


def _other_builder(model: keras.Model, members: Mapping[str, bytes]) -> str | None:
    """Where the configuration that was saved says something else than the network that was built."""
    try:
        if len(members[CONFIG]) > LARGEST_JSON:
            return "its size"
        saved = parse_json(members[CONFIG], canonical=False)
        version = parse_json(members[METADATA], canonical=False)["keras_version"]
        return difference(saved, configuration(model), lenient=version != keras.version())
    except (ValueError, TypeError, KeyError) as error:
        return f"a member that is no configuration ({error})"


def _old_manifest(file: BinaryIO, path: Path, size: int) -> Manifest | None:
    """The manifest of schema 1; None where the file says another schema and so had to be in the one form."""
    said = read_foreign(file, path, MEMBER) if size <= LARGEST_JSON else b""
    try:
        content = parse_json(said, canonical=False)
        schema = content.get("schema") if isinstance(content, dict) else None
        if type(schema) is not int or schema != 1 or not isinstance(content, dict):
            if type(schema) is int and schema > SCHEMA:
                raise _too_new(path, schema)
            return None
        names, provenance = content["class_names"], content.get("provenance", {})
        check_class_names(names)
        return Manifest(tuple(names), checked_spec(content["spec"]), dict(provenance))
    except ModelFileError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(path, f"its member {MEMBER!r} cannot be read ({error})") from None


def _from_keras(file: BinaryIO, path: Path, custom_objects: Mapping[str, Any] | None) -> keras.Model:
    """The model as Keras reads it in its safe mode, with no more weights than the file has bytes.

    Keras is given the bytes that were checked, in a file of its own: nobody can exchange them in between.
    """
    members = {name: read_foreign(file, path, name) for name in check_foreign(file, path) if name != MEMBER}
    try:
        if len(members[CONFIG]) > 4 * LARGEST_JSON:
            raise ValueError("its configuration is too long")
        parse_json(members[CONFIG], canonical=False)
        check_hdf5(members[WEIGHTS])
    except (ValueError, KeyError) as error:
        raise damaged(path, f"its model cannot be read ({error})") from None
    limit = Limit(len(members[WEIGHTS]))
    try:
        with tempfile.TemporaryDirectory() as folder, limit.guard():
            checked = Path(folder) / "model.keras"
            write_archive(checked, members)
            members.clear()
            return keras.saving.load_model(checked, custom_objects=custom_objects, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything here
        cause = visible((str(error) or type(error).__name__).splitlines()[0][:300])
        raise ModelFileError(
            f"'{path}' cannot be rebuilt by Keras: {cause}. A layer of your own must be given in custom_objects; "
            "code inside the file is never run."
        ) from error


def _too_new(path: Path, schema: int) -> ModelFileError:
    return ModelFileError(
        f"'{path}' was written by a later imgclf (schema {schema}; this one reads up to {SCHEMA}). Update imgclf."
    )


def _stranger(path: Path, manifest: Manifest | None) -> str:
    if manifest is None:
        return f"'{path}' is a .keras file that imgclf did not write. {_UNTRUSTED}"
    if manifest.digests is None:
        return f"'{path}' was written by an early imgclf (schema 1), which did not describe its network. {_UNTRUSTED}"
    return f"'{path}' holds a network of somebody's own: the registry did not build it, or it was altered. {_UNTRUSTED}"
