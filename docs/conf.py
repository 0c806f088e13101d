"""How Sphinx builds these pages; nothing here needs a network."""

import os
from importlib.metadata import version as installed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

project = "imgclf"
author = "The imgclf developers"
copyright = "2026, the imgclf developers"
version = release = installed("imgclf")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "results"]

autodoc_typehints = "signature"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike", "Pictures": "Pictures", "Pixels": "Pixels"}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # "numpy.str_" would be read as a link; the prose gives shapes and types

html_theme = "furo"
html_title = "imgclf"
