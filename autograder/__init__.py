"""What instructors run; never shipped to students.

A submission passes through the packages in this order:

    intake      an LMS's zip -> submitted/STUDENT/LAB/LAB.ipynb -> a repaired `Submission`
    running     a `Task` of code cells -> the sandbox -> a `Run`: outputs and evidence, kept in COURSE/store
    judging     a `Run` -> a `Grade`; points are decided by the verdicts in `exercises/labN/NAME.py`
    gradebook   the `Grade` and the run's outputs -> nbgrader, which writes COURSE/gradebook.db; this score counts
    feedback    the student's page and the class report
    exports     grades and feedback for a spreadsheet or an LMS; the grader that runs at Gradescope

`grading.py` runs these steps for a class. `nbgrader_config.py` puts our preprocessors into nbgrader.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# jsonschema, which reads notebooks' format, compiles a grammar for each part of an international web address: two
# seconds in every process. No schema of a notebook has such an address. With None its import fails, and jsonschema
# works without it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
