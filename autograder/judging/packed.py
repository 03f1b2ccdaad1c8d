"""Keep a submission compressed: the notebooks of a class of thousands do not fit into memory side by side."""

from __future__ import annotations

import json
import zlib

import nbformat
from nbformat import NotebookNode

from autograder.intake.repair import Submission


class PackedSubmission(Submission):
    """A submission whose notebook is unpacked anew each time that it is asked for."""

    def __init__(self, submission: Submission):
        text = zlib.compress(json.dumps(submission.notebook).encode(), 1)
        for name, value in (("lab", submission.lab), ("release", submission.release), ("repairs", submission.repairs)):
            object.__setattr__(self, name, value)  # a submission is frozen
        object.__setattr__(self, "text", text)

    @property
    def notebook(self) -> NotebookNode:
        """The notebook, a copy of its own at each call."""
        text: bytes = self.__dict__["text"]
        return nbformat.from_dict(json.loads(zlib.decompress(text)))
