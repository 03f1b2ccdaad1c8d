"""What feedback and formgrader show of a cell: verdicts, and a student's outputs, bounded and harmless."""

from __future__ import annotations

import html
import json

from nbformat import NotebookNode, v4

from autograder.gradebook.safe_html import clean
from autograder.intake.notebook import BASE64
from utils.checks.judging import Verdict

OUTPUT_BYTES = 200_000  # of text a cell, in what people read


PICTURE_BYTES = 4_000_000  # of pictures a cell: an animation's frames or a large figure, and no more


PICTURES = ("image/png", "image/jpeg")


def verdict_outputs(verdict: Verdict) -> list[NotebookNode]:
    """What feedback and formgrader show of a test cell, and the number that nbgrader reads as its score."""
    points = min(max(float(verdict.points), 0.0), verdict.max_points)
    items = "".join(
        f"<li><b>{html.escape(finding.code)}</b>: {html.escape(finding.message)}</li>" for finding in verdict.findings
    )
    title = f"{points:g} of {verdict.max_points:g} points"
    page = f"<p><b>{title}</b></p>" + (f"<ul>{items}</ul>" if items else "<p>All checks of the grader passed.</p>")
    plain = "\n".join([title, *(f"{finding.code}: {finding.message}" for finding in verdict.findings)])
    findings = [[finding.code, finding.message] for finding in verdict.findings]  # for the summary of the feedback page
    mark = {"guidance_labs": {"findings": findings}}
    return [
        v4.new_output("display_data", data={"text/html": page, "text/plain": plain}, metadata=mark),
        v4.new_output("execute_result", data={"text/plain": f"{points!r}"}, execution_count=1),
    ]


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """A student's outputs, bounded, without anything that a browser would run."""
    kept, room, wall = [], OUTPUT_BYTES, PICTURE_BYTES
    for output in outputs if isinstance(outputs, list) else []:
        try:
            clean = clean_output(output)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        pictures = sum(len(clean.get("data", {}).get(kind, "")) for kind in PICTURES)
        room, wall = room - (len(json.dumps(clean)) - pictures), wall - pictures
        if min(room, wall) < 0:
            kept.append(v4.new_output("stream", name="stdout", text="[the rest of this output was left out]\n"))
            break
        kept.append(clean)
    return kept


def clean_output(output: dict) -> NotebookNode:
    kind = output["output_type"]
    if kind == "stream":
        # Never stderr: nbgrader takes it for a failure.
        return v4.new_output("stream", name="stdout", text=str(output["text"])[:OUTPUT_BYTES])
    if kind == "error":
        traceback = [str(line)[:10_000] for line in output["traceback"]][:50]
        return v4.new_output(
            "error", ename=str(output["ename"])[:200], evalue=str(output["evalue"])[:2000], traceback=traceback
        )
    texts = {kind: str(value) for kind, value in output["data"].items() if kind in ("text/plain", *PICTURES)}
    data = {kind: text for kind, text in texts.items() if kind not in PICTURES or BASE64.fullmatch(text)}
    if "text/html" in output["data"]:
        data["text/html"] = clean(str(output["data"]["text/html"])[:OUTPUT_BYTES])
    return v4.new_output("display_data", data=data)
