"""Attacks on the archive itself: what lies around the members, and what lies there in place of a file."""

from __future__ import annotations

import json
import os
import struct
import zipfile

from model_attacking import WEIGHTS, attack, bomb, central, patched, sealed, zipped

WHOLE = {
    "empty": lambda sound: b"",
    "half of it": lambda sound: sound.content[: len(sound.content) // 2],
    "its last byte missing": lambda sound: sound.content[:-1],
    "twenty bytes of it": lambda sound: sound.content[:20],
    "its table missing": lambda sound: sound.content[: central(sound.content)] + sound.content[-22:],
    "something before it": lambda sound: b"#!/bin/sh\nreboot\n" + sound.content,
    "a program before it, offsets mended": lambda sound: b"MZ" + b"\0" * 98 + sound.content,
    "a byte behind it": lambda sound: sound.content + b"\0",
    "another archive behind it": lambda sound: sound.content + zipped([("config.json", b"{}")]),
    "a comment": lambda sound: patched(sound.content, len(sound.content) - 2, "<H", 5) + b"hello",
    "zip64": lambda sound: (
        sound.content[:-22] + b"PK\6\7" + struct.pack("<IQI", 0, 0, 1) + sound.content[-22:-6] + b"\xff" * 4 + b"\0\0"
    ),
    "encrypted": lambda sound: patched(sound.content, central(sound.content, 3) + 8, "<H", 1),
    "a member said to be compressed": lambda sound: patched(sound.content, central(sound.content, 3) + 10, "<H", 8),
    "a member that is a link": lambda sound: patched(
        sound.content, central(sound.content, 3) + 38, "<I", 0o120777 << 16
    ),
    "a size of 4 GB in the table": lambda sound: patched(
        patched(sound.content, central(sound.content, 3) + 20, "<I", 0xFFFFFFF0),
        central(sound.content, 3) + 24,
        "<I",
        0xFFFFFFF0,
    ),
    "a size of 4 GB at the member": lambda sound: patched(sound.content, 22, "<I", 0xFFFFFFF0),
    "another name at the member": lambda sound: patched(sound.content, 30, "<B", ord("X")),
    "two members at one place": lambda sound: patched(sound.content, central(sound.content, 2) + 42, "<I", 0),
    "a count that is none": lambda sound: patched(sound.content, len(sound.content) - 12, "<H", 9),
    "a table of 4 GB": lambda sound: patched(sound.content, len(sound.content) - 10, "<I", 0xFFFFFFF0),
    "a date": lambda sound: patched(sound.content, central(sound.content) + 14, "<H", 0x5A21),
    "weights changed, checksum mended": lambda sound: zipped(
        [("imgclf.json", json.dumps(sound.manifest, indent=1)), *sound.members.items()]
    ).replace(b"logits", b"logitz"),
    "the same members, zipped by another program": lambda sound: zipped(
        [("imgclf.json", json.dumps(sound.manifest, indent=1)), *sound.members.items()], method=zipfile.ZIP_DEFLATED
    ),
    "a bomb of 1 GB": lambda sound: bomb([(WEIGHTS, 1 << 30)], sound),
    "five bombs of 200 MB": lambda sound: bomb([(f"assets/{n}.bin", 200 << 20) for n in range(5)], sound),
    "sixty thousand members": lambda sound: zipped([(f"m{n}", b"") for n in range(60_000)]),
    "HDF5 under the name of .keras": lambda sound: sound.members[WEIGHTS],
    "text": lambda sound: b"PK is how this text begins",
    "a pickle": lambda sound: b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
    "no model": lambda sound: zipped([("hello.txt", b"hello")]),
}
for _name, _content in WHOLE.items():
    attack(_name)(lambda sound, path, content=_content: content(sound))


for _name in ("../owned", "/owned", "..\\owned", "a/../../owned", "C:owned", "owned\x00.json", "assets/", "é"):

    @attack(f"a member called {_name!r}")
    def named(sound, path, name=_name):
        entries = [("imgclf.json", json.dumps(sound.manifest, indent=1)), *sound.members.items(), ("OWNED", b"owned")]
        raw = zipped(entries)
        info = zipfile.ZipInfo("x")
        info.filename = name
        return raw if name == "OWNED" else zipped([*entries[:-1], (info, b"owned")])


@attack("a member twice")
def _(sound, path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped([("imgclf.json", json.dumps(sound.manifest, indent=1)), *[*sound.members.items()] * 2])


@attack("a member too many, sealed")
def _(sound, path):
    sealed({**sound.members, "owned.py": b"import os"}, sound.manifest, path)


@attack("a member too few, sealed")
def _(sound, path):
    sealed({name: content for name, content in sound.members.items() if name != WEIGHTS}, sound.manifest, path)


@attack("a member that is not the one that was hashed")
def _(sound, path):
    from imgclf.archive import dump_json, write_archive

    weights = bytearray(sound.members[WEIGHTS])
    weights[-1] ^= 1
    write_archive(path, {"imgclf.json": dump_json(sound.manifest), **sound.members, WEIGHTS: bytes(weights)})


@attack("a folder")
def _(sound, path):
    path.mkdir()
    (path / "config.json").write_text("{}")


@attack("a pipe")
def _(sound, path):
    os.mkfifo(path)


@attack("a link to a device")
def _(sound, path):
    path.symlink_to("/dev/zero")


@attack("a link in a circle")
def _(sound, path):
    path.symlink_to(path)


@attack("nothing at all")
def _(sound, path):
    pass


@attack("a link to a sound file", harmless=True)
def _(sound, path):
    path.symlink_to(sound.path)
