"""A Matplotlib figure that a notebook shows as a picture, and no window ever does.

IPython draws Matplotlib's own ``Figure`` only after pyplot was imported, and prints ``<Figure size 900x360 with 2
Axes>`` before.  pyplot is not used here: it keeps every figure alive, opens windows, and is not safe in threads.
"""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure with a picture of itself, for a notebook's cell that ends in it."""

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()
