"""Names, keys, titles and files of strangers change no element of a page; the page asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from report_pages import guesser, noise, read_page

from imgclf.health import Finding, HealthReport
from imgclf.report import write_comparison, write_report
from imgclf.report.page import _pages
from imgclf.tables import Table

HOSTILE = [
    "<script>alert(1)</script>", "</title><script>alert(1)</script>", "</style><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)', "' autofocus onfocus='alert(1)", "{{7*7}}", "{% raw %}", "{0.__class__}", "%(x)s",
    "-->", "<!--", "]]>", "&lt;b&gt;", "javascript:alert(1)", "http://evil.example/x.png", "أقطة", "x" * 900, "a|b",
    "`rm`", "[a](http://evil)",
]  # fmt: skip
KEYS = [*HOSTILE, "\x1b[2J", "a\nb", "\u202egnp.exe", "\u2028", "\ud800"]


@pytest.fixture(scope="module", params=range(0, len(HOSTILE), 4))
def pages(request, tmp_path_factory):
    """A page with harmless names, and the same with hostile ones."""
    names = HOSTILE[request.param : request.param + 4]
    folder = tmp_path_factory.mktemp("hostile")
    plain = [f"class {number}" for number in range(4)]
    return (
        written(folder / "plain.html", plain, [f"{number}.jpg" for number in range(len(KEYS))], "title"),
        written(folder / "hostile.html", names, KEYS, names[0]),
        names,
    )


def written(path, names, keys, word):
    """A page on which every text is *names*, *keys* or *word*."""
    recipe = {"architecture": word, "augmentation": word, "seed": word, "options": {"a": word}, "epochs": word}
    counts = dict.fromkeys(names, 3)
    sets = {"train": {"class_counts": counts, "fingerprint": word}, "validation": {"fingerprint": word}}
    said = {"trainer": recipe, "versions": {"keras": word}, "threads": word, "imgclf": word, **sets}
    classes = Table(("class",), [(word,)])
    health = HealthReport((Finding("error", "check", word, word, ((word, word), (word,))),), classes, (word,), 3)
    data = noise(names, keys, count=len(keys))
    classifier = guesser(names, said)
    write_comparison(path.with_name("both.html"), classifier, classifier, data=data, names=(word, f"{word}2"))
    return write_report(
        path, classifier, validation=data, train=data, test=data, health=health, command=f"{word}\n{word}", title=word
    )


def test_no_name_changes_an_element(pages):
    """The same elements with the same attributes, whatever the classes, keys, title, command and recipe are called."""
    plain, hostile, _ = pages
    assert read_page(hostile).shape == read_page(plain).shape


def test_names_are_shown_as_they_are(pages):
    """Nothing is left out or run: each name can be read (shortened where it is long)."""
    _, hostile, names = pages
    text = read_page(hostile).text
    for name in names:
        assert name[:12] in text
    assert "49" not in re.findall(r"class (\d+)", text)


def test_no_hidden_character_is_on_the_page(pages):
    """Cursor movements, line ends and marks of direction in a key are written out."""
    _, hostile, _ = pages
    for path in (hostile, hostile.with_suffix(".md"), hostile.with_name("both.html")):
        text = path.read_text(encoding="utf-8")
        assert all(character.isprintable() or character == "\n" for character in text.replace("\xa0", " "))


def test_nothing_leads_outside(pages):
    """No address but data: and #; one style and one script, both named by their digest in the policy."""
    for path in (pages[1], pages[1].with_name("both.html")):
        page, text = read_page(path), path.read_text(encoding="utf-8")
        links = [(name, value) for _, name, value in page.attributes if name in LEADING]
        assert links or path.name == "both.html"  # a network beside itself: no picture on which one alone is right
        assert all(value.startswith(("data:image/", "#")) for _, value in links)
        assert not set(page.tags) & {"link", "iframe", "object", "embed", "base", "form", "video", "audio", "image"}
        assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
        policy = page.values("content", "meta")[0]
        assert policy.startswith("default-src 'none'; img-src data:; ")
        assert "unsafe" not in policy
        for tag in ("style", "script"):
            (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
            assert page.tags.count(tag) == 1
            assert not re.search(r"https?:|url\((?!#)|@import|fetch|XMLHttp|eval|innerHTML", content)


LEADING = {
    "src",
    "href",
    "srcset",
    "action",
    "data",
    "poster",
    "background",
    "xlink:href",
    "formaction",
    "cite",
    "ping",
}


def test_the_card_stays_one(pages):
    """As many headings and front matter as with harmless names; every table row has as many cells."""
    plain, hostile, _ = (path.with_suffix(".md") if hasattr(path, "with_suffix") else path for path in pages)
    kinds = []
    for path in (plain, hostile):
        lines = path.read_text(encoding="utf-8").split("\n")
        kinds.append([re.match(r"#* |---|\| |- |```|", line)[0] for line in lines])
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("| ")]
        kinds.append(bars)
    assert kinds[0] == kinds[2]
    assert kinds[1] == kinds[3]
    body = hostile.read_text(encoding="utf-8").split("\n---\n", 1)[1]
    body = re.sub(r"^(`{3,})sh\n.*?^\1$", "", body, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"(?<!\\)<", body)


def test_damaged_provenance_is_no_obstacle(tmp_path):
    """A file may say anything where a recipe, versions or counts should stand."""
    names = ("cat", "dog")
    classifier, data = guesser(names), noise(names)
    for odd in ([], None, {"class_counts": {"cat": "<b>"}}, {"augmentation": {"zoom_range": "x"}, "seed": -1}):
        said = dict.fromkeys(("trainer", "versions", "threads", "imgclf", "train", "validation", "computed_in"), odd)
        write_report(tmp_path / "a.html", replace(classifier, provenance=said), validation=data, train=data)
        assert len(read_page(tmp_path / "a.html").tags) > 100


def test_the_templates_need_not_remember():
    """A text that a template only names is escaped, and its hidden characters are written out."""
    assert _pages().from_string("{{ x }}").render(x="<b>\x1b[2J\n") == r"&lt;b&gt;\x1b[2J\n"
