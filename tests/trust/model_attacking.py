"""What builds model files that are made to harm.

Attackers compute checksums and hashes anew: ``sealed`` does it for them, so that the checks behind these are reached.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

WEIGHTS = "model.weights.h5"
ATTACKS = {}


def attack(name, *, trust=False, harmless=False):
    """Enter a builder: it gives the file's content, or makes the file at the path that it is given."""

    def entered(build):
        ATTACKS[name] = (build, trust, harmless)
        return build

    return entered


class Sound:
    """A sound file, taken apart."""

    def __init__(self, path):
        self.path = Path(path)
        self.content = self.path.read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.manifest = json.loads(self.members.pop("imgclf.json"))


def zipped(members, *, method=zipfile.ZIP_STORED):
    """An archive by Python's own module: entries may be names or ``ZipInfo``."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return memory.getvalue()


def sealed(members, manifest, path):
    """An archive of imgclf's own form, every checksum and hash right; a manifest of bytes is taken as it is."""
    from imgclf.archive import dump_json, write_archive

    if isinstance(manifest, dict):
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        manifest = dump_json({**manifest, "members": digests})
    write_archive(path, {"imgclf.json": manifest, **members})


def patched(content, at, form, value):
    """*content* with *value* packed at a position."""
    changed = bytearray(content)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


def central(content, member=0):
    """Where the table's entry of a member begins."""
    at = struct.unpack_from("<I", content, len(content) - 6)[0]
    for _ in range(member):
        at += 46 + sum(struct.unpack_from("<3H", content, at + 28))
    return at


def said(manifest, changes):
    """The manifest with values under dotted keys replaced, or changed by a function."""
    manifest = json.loads(json.dumps(manifest))
    for key, value in changes.items():
        *path, last = key.split(".")
        table = manifest
        for part in path:
            table = table[part]
        table[last] = value(table[last]) if callable(value) else value
    return manifest


def bomb(sizes, sound):
    """A deflated archive whose members unpack to zeros."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in sound.members.items():
            if name not in dict(sizes):
                archive.writestr(name, content)
        for name, size in sizes:
            with archive.open(name, "w") as file:
                for _ in range(size >> 20):
                    file.write(bytes(1 << 20))
    return memory.getvalue()
