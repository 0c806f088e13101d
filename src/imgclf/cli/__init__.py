"""The command line: ``imgclf check, train, evaluate, predict, explain, compare, report, export, …``.

In: words.  Out: what the library's functions give, as tables and files.  No logic of its own; every command imports
what it needs when it is called, so that ``imgclf --help`` loads no backend.

``training`` trains, ``answers`` asks a trained classifier, ``sharing`` hands it on, ``looking`` looks at pictures and
at the installation, ``terminal`` is what they share: output, errors, exit codes.
"""

import sys


def main() -> None:
    """What ``imgclf`` runs."""
    try:
        from .terminal import run

        run()
    except KeyboardInterrupt:  # before a command was at work
        sys.exit(130)
