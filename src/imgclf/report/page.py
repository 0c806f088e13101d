"""Templates → one HTML page that fetches nothing and runs nothing but a few lines of its own.

In: the name of a template and what goes into it.  Out: text.  Every text is escaped, and hidden characters in it are
written out, wherever a template forgets to say so.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from ..tables import visible
from .wording import Sentence, between, markdown, percent, pictures, shortened, yaml

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **content: Any) -> str:
    """The page that *template* makes of *content*."""
    style, script = _own("style.css"), _own("script.js")
    # What is not named here is forbidden: no address, no frame, no form, no style or script of a stranger.
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    own = {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704 - files of ours
    return _pages().get_template(template).render(**content, **own)


def render_markdown(template: str, **content: Any) -> str:
    """The Markdown that *template* makes of *content*."""
    return _cards().get_template(template).render(**content)


@cache
def _pages() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("imgclf", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    pages.filters |= {"percent": percent, "between": between, "pictures": pictures, "short": shortened, "lines": _lines}
    return pages


@cache
def _cards() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    cards = Environment(
        loader=PackageLoader("imgclf", "report/templates"),
        autoescape=False,  # noqa: S701 - HTML's escapes would show in Markdown, whose own are put in by _told
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_told,
    )
    cards.filters |= {"percent": percent, "between": between, "pictures": pictures, "short": shortened}
    cards.filters |= {"yaml": lambda value: _Plain(yaml(value)), "fenced": lambda text: _Plain(_fenced(text))}
    return cards


class _Plain(str):
    """Text that is Markdown already."""

    __slots__ = ()


def _shown(value: Any) -> Any:
    """Hidden characters written out; markup of ours as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _told(value: Any) -> str:
    if isinstance(value, Sentence):
        return value.markdown()
    return str(value) if isinstance(value, (_Plain, int)) else markdown(str(value))


def _lines(text: str) -> Markup:
    """*text* whose line ends stay."""
    return Markup("\n").join(escape(visible(line)) for line in text.splitlines())


def _fenced(text: str) -> str:
    """*text* as a block of code that nothing in it can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    shown = "\n".join(visible(line) for line in text.splitlines())
    return f"{fence}sh\n{shown}\n{fence}"


def _own(name: str) -> str:
    """The text of a file beside the templates."""
    return files("imgclf").joinpath("report", "templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
