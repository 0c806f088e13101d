"""How a file's name tells its class: a rule from whatever the user gives, applied to all names at once.

In: None, a regular expression or a function, and names.  Out: the class that each name tells, or None.

Some regular expressions try exponentially many ways to divide a name (``(a+)+$``), and Python's engine cannot be
stopped from within.  So expressions with more than one repeat or alternative run in a process of their own, which a
watchdog ends.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

from ..errors import OptionError
from ..images import IMAGE_SUFFIXES
from ..tables import visible

Pattern = str | re.Pattern[str] | Callable[[str], str | None]

SECONDS = 2.0
"""A regular expression that stays with a hundred names for longer is given up."""

_HUNG, _DONE = 1, 0  # the watchdog of faulthandler exits with 1
_START = 30.0  # seconds; a program that embeds Python may take itself for it, and never end
_MATCH_ALL = """
import faulthandler, json, os, re, sys
print("ready", flush=True)
job, silent = json.load(sys.stdin), open(os.devnull, "w")
try:
    rule = re.compile(job["pattern"], job["flags"])
    for place, name in enumerate(job["names"]):
        if place % 100 == 0:
            faulthandler.dump_traceback_later(job["seconds"], exit=True, file=silent)
        match = rule.search(name)
        print(json.dumps(match and match["label"]), flush=True)
except BaseException:
    sys.exit(3)
os._exit(0)
"""


def classes_of(names: Sequence[str], pattern: Pattern | None) -> list[str | None]:
    """The class that each of *names* tells by *pattern*, without spaces around it; None where it tells none.

    Args:
        names: Names of files, without their folders.
        pattern: None: the text before the first dot.  A regular expression with a group ``label``, or a function.

    Raises:
        OptionError: *pattern* is neither; a function that fails or gives no text; an expression that does not end.
    """
    if pattern is None:
        found: Sequence[object] = [name.partition(".")[0] for name in names]
    elif callable(pattern):
        found = [_called(pattern, name) for name in names]
    else:
        found = _searched(_compiled(pattern), names)
    return [_checked(name, text) for name, text in zip(names, found, strict=True)]


def ends_like_a_file(text: str) -> bool:
    """Whether *text*, taken for a class, takes in the ending of a picture's name: ``jpg``, ``.jpg``, ``cat.jpg``."""
    return f".{text}".casefold().endswith(IMAGE_SUFFIXES)


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise OptionError(
            f"pattern is {pattern!r}; expected a regular expression with a group (?P<label>…), or a function: "
            f"{visible(str(error))}."
        ) from None
    if not isinstance(compiled.pattern, str):
        raise OptionError(f"pattern is {pattern!r}, bytes; expected text, as names are. Leave out the b before it.")
    if "label" not in compiled.groupindex:
        raise OptionError(
            f"pattern {compiled.pattern!r} has no group 'label'. Put (?P<label>…) around the part that is the class, "
            r"such as r'^(?P<label>[a-z]+)_\d+'."
        )
    return compiled


def _searched(rule: re.Pattern[str], names: Sequence[str]) -> list[str | None]:
    choices = len(re.findall(r"[*+?{|]", rule.pattern.replace("(?P<label>", "(")))
    apart = _searched_apart(rule, names) if choices > 1 and names else None
    if apart is None:  # one choice takes at most the square of a name's length; two may multiply: (a|a)*
        return [match["label"] if (match := rule.search(name)) else None for name in names]
    return apart


def _searched_apart(rule: re.Pattern[str], names: Sequence[str]) -> list[str | None] | None:
    """The same in another process, which costs 0.03 s; None where none can be started."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return None
    flags = rule.flags & ~re.DEBUG
    job = {"pattern": rule.pattern, "flags": int(flags), "names": list(names), "seconds": SECONDS}
    try:
        done = subprocess.run(  # noqa: S603 (our own program; pattern and names are its data)
            [sys.executable, "-I", "-S", "-c", _MATCH_ALL],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            timeout=_START + SECONDS * (1 + len(names) // 100),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    ready, *lines = done.stdout.splitlines() or [""]
    if ready != "ready":  # no Python of ours: its exit code says nothing
        return None
    found: list[str | None] = [json.loads(line) for line in lines if line.endswith(('"', "null"))]
    if done.returncode == _HUNG:
        name = names[min(len(found), len(names) - 1)]
        raise OptionError(
            f"pattern {rule.pattern!r} did not come to an end within {SECONDS:g} s; it hangs at {name!r}. A repeat "
            "within a repeat, such as (a+)+, has countless ways to match: write it as one, or give a function."
        )
    return found if done.returncode == _DONE and len(found) == len(names) else None


def _called(function: Callable[[str], object], name: str) -> object:
    try:
        return function(name)
    except Exception as error:  # a user's own function may raise anything
        said = visible(f"{type(error).__name__}: {error}")
        raise OptionError(f"pattern failed for {name!r}: {said}. Mend it.") from error


def _checked(name: str, found: object) -> str | None:
    if not isinstance(found, str | None):
        raise OptionError(f"pattern gave {found!r} for {name!r}; expected the class as text, or None. Convert it.")
    return (found or "").strip() or None
