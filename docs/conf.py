"""How Sphinx builds these pages; nothing here needs a network."""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # gallery, and benchmarks, which it reads
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

project = "imgclf"
author = "The imgclf developers"
copyright = "2026, the imgclf developers"
version = release = installed("imgclf")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "gallery",
]
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "results", "tutorials/*.py", "sg_execution_times.rst", "tutorials/sg_execution_times.rst"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "tutorials",
    "plot_gallery": False,  # what a run gave is kept, and put in by gallery.py
    "download_all_examples": False,
    "notebook_extensions": set(),  # scripts with options do not run in a notebook
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
}

autodoc_typehints = "signature"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike", "Pictures": "Pictures", "Pixels": "Pixels"}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # "numpy.str_" would be read as a link; the prose gives shapes and types

# Every other cross-reference must resolve (sphinx-build -n).
nitpick_ignore_regex = [
    # other packages: their inventories would have to be fetched
    (r"py:.*", r"(np|npt|numpy|pd|keras|matplotlib|PIL|os|pathlib|re|typing|collections\.abc)\..*"),
    (r"py:class", r"Figure|Path|ArrayLike|TypeAliasForwardRef"),
    # names of ours for a type, which the text beside them says in words
    (r"py:class", r"Pixels|Pictures|Floats|Ints|Layers|Method|Score|ClassName"),
    (r"py:class", r"imgclf\..*\.(SplitOptions|Blueprint|Decoded|Frame)"),
]

locale_dirs = ["locale"]
gettext_compact = False  # a catalogue per page: docs/translations.py
gettext_location = False

templates_path = ["_templates"]
html_theme = "furo"
html_title = "imgclf"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}


def _whole_first_line(*event):
    """Napoleon takes what stands before a colon in a property's first line for a type; so let a comment stand first."""
    _, what, *_, lines = event
    if what in ("property", "attribute"):
        lines[:0] = ["..", ""]


def setup(app):
    app.connect("autodoc-process-docstring", _whole_first_line, priority=400)
