"""The settings of the docs site, which `python3 tools/dev.py docs` builds from the pages in this folder."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_sphinx"))

from docstrings import PACKAGES, PUBLIC  # noqa: E402 - found in the folder above

project = "looprig"
author = "The looprig authors"
copyright = f"{author}. MIT License"  # noqa: A001 - Sphinx's name

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
    "docstrings",
    "pages",
]
root_doc = "index"
exclude_patterns = ["README.md"]  # the list of all pages, which `pages` puts on the front page

nitpicky = True
# Links to public names are checked. Annotations also name types of other libraries, whose inventories would come from
# the network, and types that users get but never name.
nitpick_ignore_regex = [("py:.*", rf"(?!(?:{'|'.join(map(re.escape, PACKAGES))})\.\w+$).*")]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# The standard library documents them, and `Toxic` the members of its private base `Rule`.
DOCUMENTED_ELSEWHERE = {"object", "BaseException", "ImportError", "Mapping", "Generic", "Protocol", "Rule"}
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # a method of a documented base is documented there
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    # Members of private bases. Those of public ones, and of the standard library, are documented there. `Rule` is the
    # private base of `Toxic`.
    "inherited-members": ",".join(
        sorted(PUBLIC | {"object", "BaseException", "ImportError", "Mapping", "Generic", "Protocol", "Rule"})
    ),
}
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
add_module_names = False
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Configuration", "params_style")]

smartquotes_action = "D"  # dashes; a quoted word is often a value

html_theme = "furo"
html_title = "looprig"
pygments_dark_style = "github-dark"  # the default underlines names of modules, like links
html_static_path = ["_static"]
html_css_files = ["looprig.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"  # prompts and output

# The script that draws diagrams is part of the site if `tools/diagrams.py` could fetch it. Else it comes from a CDN.
mermaid_height = "auto"
mermaid_fullscreen = False
mermaid_init_config = {
    "startOnLoad": False,
    "flowchart": {"useMaxWidth": False, "wrappingWidth": 400},
    "sequence": {"useMaxWidth": False},
}
mermaid_version = "12.3.0"
scripts = HERE.parent / "build" / f"mermaid-{mermaid_version}"
if scripts.is_dir():
    html_static_path.append(str(scripts))
    mermaid_use_local = "mermaid/mermaid.esm.min.mjs"
