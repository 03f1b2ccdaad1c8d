"""What the feedback page and formgrader show below a cell: verdicts, and a student's outputs, bounded and harmless."""

from __future__ import annotations

import html
import json
import re

from nbformat import NotebookNode, v4

from autograder.gradebook.safe_html import clean_bounded
from autograder.intake.notebook import BASE64
from autograder.text import strip_control_characters
from utils.checks.judging import Verdict

OUTPUT_BYTES = 200_000  # of text in each cell
PICTURE_BYTES = 4_000_000  # of pictures in each cell: enough for an animation's frames or a large figure
PICTURES = ("image/png", "image/jpeg")
SCRIPT = re.compile(r"<script\b", re.IGNORECASE)
MAX_ALT = 1000  # characters of a picture's alternative text
MAX_COLOURS = 2000  # ANSI sequences in a text; nbconvert copies the rest of the text for each of them
ALL_PASSED = "All checks passed."  # instead of findings, if there are none


def finding_lines(verdict: Verdict) -> list[str]:
    """Return a line for each finding of a verdict: its code and its message."""
    return [f"{finding.code}: {finding.message}" for finding in verdict.findings]


def verdict_outputs(verdict: Verdict) -> list[NotebookNode]:
    """Return the outputs of a test cell: the verdict for people, and the number that nbgrader reads as the score.

    The findings are also in the metadata of the first output, for the summary of the feedback page.
    """
    points = min(max(float(verdict.points), 0.0), verdict.max_points)
    items = "".join(
        f"<li><b>{html.escape(finding.code)}</b>: {html.escape(finding.message)}</li>" for finding in verdict.findings
    )
    title = f"{points:g} of {verdict.max_points:g} points"
    page = f"<p><b>{title}</b></p>" + (f"<ul>{items}</ul>" if items else f"<p>{ALL_PASSED}</p>")
    text = "\n".join([title, *finding_lines(verdict)])
    findings = [[finding.code, finding.message] for finding in verdict.findings]
    return [
        v4.new_output(
            "display_data",
            data={"text/html": page, "text/plain": text},
            metadata={"guidance_labs": {"findings": findings}},
        ),
        v4.new_output("execute_result", data={"text/plain": f"{points!r}"}, execution_count=1),
    ]


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """Return a student's outputs, bounded, without anything that a browser would run.

    Args:
        outputs: The outputs of one cell, as the student's process reported them; they may be anything.
    """
    kept, text_left, pictures_left = [], OUTPUT_BYTES, PICTURE_BYTES
    for output in outputs if isinstance(outputs, list) else []:
        try:
            copy = safe_output(output)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        pictures = sum(len(copy.get("data", {}).get(kind, "")) for kind in PICTURES)
        text_left -= len(json.dumps(copy)) - pictures
        pictures_left -= pictures
        if min(text_left, pictures_left) < 0:
            kept.append(v4.new_output("stream", name="stdout", text="[the rest of this output is not shown]\n"))
            break
        kept.append(copy)
    return kept


def few_colours(text: str) -> str:
    """Return text without its ANSI sequences if it has so many that turning them into HTML would take too long."""
    return strip_control_characters(text) if text.count("\x1b") > MAX_COLOURS else text


def safe_output(output: dict) -> NotebookNode:
    """Return one output without anything that a browser would run.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: It is not a valid output.
    """
    kind = output["output_type"]
    if kind == "stream":
        # Never stderr, which nbgrader takes for a failure.
        return v4.new_output("stream", name="stdout", text=few_colours(str(output["text"])[:OUTPUT_BYTES]))
    if kind == "error":
        traceback = [few_colours(str(line)[:10_000]) for line in output["traceback"]][:50]
        return v4.new_output(
            "error", ename=str(output["ename"])[:200], evalue=str(output["evalue"])[:2000], traceback=traceback
        )
    texts = {kind: str(value) for kind, value in output["data"].items() if kind in ("text/plain", *PICTURES)}
    if "text/plain" in texts:
        texts["text/plain"] = few_colours(texts["text/plain"][:OUTPUT_BYTES])
    data = {kind: text for kind, text in texts.items() if kind not in PICTURES or BASE64.fullmatch(text)}
    alts = {kind: {"alt": text} for kind in PICTURES if kind in data and (text := alternative_text(output, kind))}
    if "text/html" not in output["data"]:
        return v4.new_output("display_data", data=data, metadata=alts)
    page = str(output["data"]["text/html"])
    still = next((kind for kind in PICTURES if kind in data), None)
    if still and SCRIPT.search(page):  # a page without its script says little: show the picture that came with it
        alt = {"alt": data.get("text/plain", "")[:MAX_ALT]}
        return v4.new_output("display_data", data=data, metadata={still: alt})
    data["text/html"] = clean_bounded(page[:OUTPUT_BYTES])
    return v4.new_output("display_data", data=data, metadata=alts)


def alternative_text(output: dict, kind: str) -> str:
    """Return what a picture shows, for readers who do not see it, or nothing if the notebook does not say it.

    Args:
        output: an output of a notebook, with anything in its metadata.
        kind: the MIME type of the picture.
    """
    stored = output.get("metadata")
    text = stored[kind].get("alt") if isinstance(stored, dict) and isinstance(stored.get(kind), dict) else None
    return strip_control_characters(text[:MAX_ALT]) if isinstance(text, str) else ""
