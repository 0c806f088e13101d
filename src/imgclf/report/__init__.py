"""One self-contained HTML page per run, a model card beside it, and the same for two runs side by side.

::

    wording     words of ours around names of strangers
    encoding    pictures and figures as text inside a page
    certainty   does certainty come true?
    pairing     is one of two classifiers better, or was it luck?
    subject     what the report is about, measured
    grounds     why to believe the figures, and why not
    charts      figures of numbers
    views       tables and galleries
    mistakes    the worst ones, explained
    page        templates → text
    writing     a report and its card
    comparison  two of them
"""

from .certainty import Calibration, calibration
from .comparison import write_comparison
from .pairing import Paired, paired
from .writing import write_report

__all__ = ["Calibration", "Paired", "calibration", "paired", "write_comparison", "write_report"]
