"""The pages in other languages: ``python docs/translations.py check`` and ``update``.

A page is translated where ``docs/locale/<language>/LC_MESSAGES/<page>.po`` exists.  ``check`` fails where its sentences
are not those of the page, all of them translated; ``update`` brings new sentences in, to be translated by hand, and
takes out those that are gone.  ``add PAGE`` begins a page.  All build the page's sentences anew first.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from sphinx.cmd.build import build_main

DOCS = Path(__file__).parent
LOCALES = DOCS / "locale"
_HEADER = 'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def read(path: Path, locale: str | None = None) -> Catalog:
    """A catalogue; sentences that a page no longer has are left out."""
    with path.open("rb") as file:
        return read_po(file, locale=locale, ignore_obsolete=True)


def write(path: Path, catalog: Catalog, language: str) -> None:
    """The catalogue as text, without dates, so that only sentences make a difference."""
    said = io.BytesIO()
    write_po(said, catalog, width=120, omit_header=True)
    path.write_bytes(_HEADER.format(language=language).encode() + said.getvalue())


def faults(template: Catalog, translated: Catalog) -> Iterator[str]:
    """What keeps the translation from being that of the page."""
    known = {message.id: message for message in translated if message.id}
    for message in template:
        if message.id and (message.id not in known or not known[message.id].string):
            yield f"not translated: {message.id!r}"
        elif message.id and known[message.id].fuzzy:
            yield f"fuzzy: {message.id!r}"
    wanted = {message.id for message in template}
    yield from (f"no longer on the page: {each!r}" for each in known if each not in wanted)


def updated(template: Catalog, path: Path, language: str) -> Catalog:
    """The page's sentences in the page's order, with the translations that there are."""
    old = {message.id: message.string for message in read(path, language)} if path.exists() else {}
    catalog = Catalog(locale=language, project="imgclf", fuzzy=False)
    for message in template:
        if message.id:
            catalog.add(message.id, old.get(message.id, ""))
    return catalog


def main() -> int:
    """Check or update every translated page."""
    parser = argparse.ArgumentParser(prog="python docs/translations.py", description=__doc__)
    parser.add_argument("what", choices=("check", "update", "add"))
    parser.add_argument("page", nargs="*", help="with add: a page's name, such as install")
    parser.add_argument("--language", default="ko")
    asked = parser.parse_args()
    home = LOCALES / asked.language / "LC_MESSAGES"
    pages = [path.relative_to(home).with_suffix("").as_posix() for path in sorted(home.rglob("*.po"))]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        if build_main(["-q", "-b", "gettext", str(DOCS), folder]):
            return 1
        for page in dict.fromkeys([*pages, *asked.page]):
            path, template = home / f"{page}.po", read(Path(folder, f"{page}.pot"))
            if asked.what == "check":
                found += [f"{path}: {fault}" for fault in faults(template, read(path, asked.language))]
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, updated(template, path, asked.language), asked.language)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
