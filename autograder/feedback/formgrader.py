"""Make formgrader safe to open: a TA reads there what students wrote, in a browser that may run code on the server.

nbgrader's formgrade template writes names and ids unescaped, binds its buttons to CSS classes, and loads MathJax, whose
TeX can set classes and links of its own. `nbgrader_config.py` passes the classes of this module to nbconvert.
"""

from __future__ import annotations

import html
import re
import sys

from jinja2 import DictLoader
from markupsafe import escape
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode, v4
from traitlets import Bool

# What nbgrader's handler passes to the template as text (nbgrader/server_extensions/formgrader/handlers.py).
NAMES = (
    "student",
    "last_name",
    "first_name",
    "notebook_path",
    "notebook_id",
    "assignment_id",
    "submission_id",
    "filename",
)
GRADE_ID = re.compile(r"[\w.-]{1,200}")


class UntrustedNotebook(Preprocessor):
    """Escape all names, and drop every part of a notebook that a template copies into its HTML as it is."""

    enabled = Bool(True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Return the notebook without unsafe parts, and the names escaped."""
        for key in NAMES:
            if isinstance(resources.get(key), str):
                resources[key] = str(escape(resources[key]))
        nb.cells = [self.safe_cell(cell) for cell in nb.cells]
        return nb, resources

    @staticmethod
    def safe_cell(cell: NotebookNode) -> NotebookNode:
        """Return a cell without tags, invalid ids and raw HTML."""
        cell.metadata.pop("tags", None)  # a tag with a blank in it becomes a CSS class
        if "nbgrader" in cell.metadata and not GRADE_ID.fullmatch(str(cell.metadata["nbgrader"].get("grade_id", ""))):
            del cell.metadata["nbgrader"]  # the template writes the id into attributes
        if cell.cell_type == "raw":  # nbconvert takes its text for HTML
            return v4.new_markdown_cell(f"<pre>{html.escape(cell.source)}</pre>", metadata=cell.metadata)
        return cell


class OfflineExporter(HTMLExporter):
    """nbconvert's exporter without MathJax: formulas are MathML already, and TeX could set classes and links."""

    def __init__(self, **options):
        """Create the exporter; the options are those of nbconvert's."""
        empty = {"mathjax.html.j2": "{% macro mathjax(url='') %}{% endmacro %}"}
        super().__init__(extra_loaders=[DictLoader(empty)], **options)


def secure_formgrader() -> None:
    """Let formgrader's own pages escape what they show, and load nothing from another host.

    nbgrader creates their Jinja environment without autoescape. Outside of formgrader nothing is changed.
    """
    if "nbgrader.server_extensions.formgrader.base" not in sys.modules:  # another of nbgrader's commands reads the file
        return
    from nbgrader.server_extensions.formgrader.base import BaseHandler

    def render(self, name: str, **values) -> str:
        environment = self.settings["nbgrader_jinja2_env"]
        environment.autoescape = True
        return environment.get_template(name).render(**values)

    def exporter(self) -> HTMLExporter:
        made = self.settings["nbgrader_exporter"]
        if not isinstance(made, OfflineExporter):
            made = self.settings["nbgrader_exporter"] = OfflineExporter(config=made.config)
        return made

    BaseHandler.render = render
    BaseHandler.exporter = property(exporter)
    BaseHandler.content_security_policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'self'"
    )
