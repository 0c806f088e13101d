"""Words of ours around names of strangers, for a page and for a Markdown file; names stay mere text in both."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from ..tables import visible

_MARKS = re.compile(r"[\\`*_{}\[\]<>#|~&:@$!]|(?<=www)\.", re.IGNORECASE)
_LONGEST = 60


@dataclass(frozen=True)
class Sentence:
    r"""A text of ours with names in the places of ``{}``: escaped on a page, and in an order of reading of their own.

    >>> Sentence("{} is taken for {}.", ("<b>", "dog")).__html__()
    Markup('<bdi>&lt;b&gt;</bdi> is taken for <bdi>dog</bdi>.')
    >>> Sentence("{} is taken for {}.", ("<b>", "dog")).markdown()
    '\\<b\\> is taken for dog.'
    """

    text: str
    names: tuple[str, ...] = ()

    def __html__(self) -> Markup:
        if not self.names:
            return escape(self.text)
        isolated = (Markup("<bdi>{}</bdi>").format(shortened(name)) for name in self.names)
        return Markup(self.text).format(*isolated)  # noqa: S704 - the text is ours

    def markdown(self) -> str:
        """The sentence as Markdown shows it."""
        return self.text.format(*map(markdown, map(shortened, self.names))) if self.names else self.text


def shortened(text: str, most: int = _LONGEST) -> str:
    r"""*text* with hidden characters written out, and without its middle where it is longer than *most*.

    >>> shortened("a\nb"), shortened("0123456789", 6)
    ('a\\nb', '012…89')
    """
    shown = visible(text[: 4 * most] + text[-4 * most :] if len(text) > 8 * most else text)
    return shown if len(shown) <= most else f"{shown[: most // 2]}…{shown[len(shown) + 1 - most + most // 2 :]}"


def markdown(text: str) -> str:
    r"""*text* as Markdown that shows just that, within a line: no link, no element, no emphasis, no line of its own.

    >>> markdown("<b>*x*\n")
    '\\<b\\>\\*x\\*\\\\n'
    """
    return _MARKS.sub(r"\\\g<0>", visible(text))


def yaml(value: Any) -> str:
    """*value* as YAML, in its form that is also JSON: a text never ends its quotes, whatever is in it."""
    return json.dumps(visible(value) if isinstance(value, str) else value, ensure_ascii=False)


def percent(share: float, digits: int = 1) -> str:
    """*share* in per cent; a dash where there is none.

    >>> percent(0.8734), percent(float("nan"))
    ('87.3 %', '–')
    """
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def between(interval: tuple[float, float]) -> str:
    """An interval of a share, in words.

    >>> between((0.852, 0.893))
    '85.2 % to 89.3 %'
    """
    return f"{percent(interval[0])} to {percent(interval[1])}"


def pictures(count: int) -> str:
    """How many pictures, in words.

    >>> pictures(1), pictures(2000)
    ('1 picture', '2,000 pictures')
    """
    return f"{count:,} picture{'s' * (count != 1)}"


def flat(content: Any, before: str = "") -> dict[str, str]:
    """Nested settings as rows: the path of each, and its value as JSON writes it; for files of strangers, at most 200.

    >>> flat({"options": {"dense": 64}, "epochs": 3})
    {'options.dense': '64', 'epochs': '3'}
    """
    if isinstance(content, Mapping) and (content or not before):
        found: dict[str, str] = {}
        for name, value in list(content.items())[:200]:
            found |= flat(value, f"{before}.{name}" if before else str(name)) if before.count(".") < 5 else {}
        return dict(list(found.items())[:200])
    return {before: shortened(content if isinstance(content, str) else json.dumps(content, default=str), 120)}
