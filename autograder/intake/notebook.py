"""Read a notebook from a file that may hold anything, in nbformat 4 and tidy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.errors import NotANotebook
from autograder.text import strip_control_characters

MAX_BYTES = 64 * 2**20


MAX_CELLS = 4000  # a lab has some 80; each costs time in every step of grading


MAX_CODE = 2 * 2**20  # of all cells; a lab has some 40 KB


PICTURES = ("image/png", "image/jpeg", "image/gif")


BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")


def open_notebook(path: Path) -> tuple[NotebookNode, list[str]]:
    """A notebook from a file that may hold anything, in nbformat 4 and tidy; and what had to be done to read it.

    Raises:
        NotANotebook: missing, empty, too large, not text, not JSON, not a notebook.
    """
    name = strip_control_characters(path.name)
    try:
        if not path.is_file():
            raise NotANotebook(f"{name} is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise NotANotebook(f"{name} has {path.stat().st_size // 2**20} MB; the limit is {MAX_BYTES // 2**20}")
        raw = path.read_bytes()
    except OSError as error:
        raise NotANotebook(f"{name} cannot be read: {error.strerror}") from error
    if not raw.strip():
        raise NotANotebook(f"{name} is empty")
    text, notes = decode(raw, name)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"{name} is not JSON ({str(error)[:80]})") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells", data.get("worksheets")), list):
        raise NotANotebook(f"{name} is JSON, but not a notebook")
    if (count := cells_in(data)) > MAX_CELLS:
        raise NotANotebook(f"{name} has {count:,} cells; the limit is {MAX_CELLS:,}")
    version = data.get("nbformat", 4)
    if version != 4 or "cells" not in data:  # nbformat's own reader refuses cells of version 4 that can still be used
        try:
            data = nbformat.reads(json.dumps(data), as_version=4)
        except Exception as error:
            raise NotANotebook(f"{name} is not a notebook that can be read ({type(error).__name__})") from error
        notes = [*notes, f"its old format, nbformat {version}, was converted to nbformat 4"]
    notebook = tidy(data)
    if (size := sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")) > MAX_CODE:
        raise NotANotebook(f"{name} has {size / 2**20:.1f} MB of code; the limit is {MAX_CODE // 2**20}")
    return notebook, notes


def cells_in(data: dict) -> int:
    sheets = data["worksheets"] if "cells" not in data else [data]  # nbformat 3 has sheets
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return sum(len(cells) for cells in lists if isinstance(cells, list))


def decode(raw: bytes, name: str) -> tuple[str, list[str]]:
    """Text in UTF-8, or in what other editors make of it."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"] if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else ["utf-8-sig"]
    for encoding in encodings:
        try:
            return raw.decode(encoding), [] if encoding == "utf-8-sig" else [
                f"its text was in {encoding} and is read as that"
            ]
        except UnicodeDecodeError:
            continue
    raise NotANotebook(f"{name} is not UTF-8 text")


def tidy(notebook: dict) -> NotebookNode:
    """Only what we know of: kinds, sources as text, the metadata that matter, pictures in text. No outputs.

    Whatever comes after this may rely on the types.
    """
    mark = notebook.get("metadata") if isinstance(notebook.get("metadata"), dict) else {}
    mark = mark.get("guidance_labs")
    mark = {key: value for key, value in mark.items() if isinstance(value, str)} if isinstance(mark, dict) else {}
    cells = [tidy_cell(cell, index) for index, cell in enumerate(notebook["cells"]) if isinstance(cell, dict)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"guidance_labs": mark} if mark else {})


def tidy_cell(cell: dict, index: int) -> NotebookNode:
    source, metadata = cell.get("source"), cell.get("metadata")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    # A lone surrogate cannot be written to any file.
    source = re.sub("[\ud800-\udfff]", "\ufffd", source) if isinstance(source, str) else ""
    metadata = metadata if isinstance(metadata, dict) else {}
    kept: dict[str, object] = {}
    if isinstance(metadata.get("nbgrader"), dict) and isinstance(metadata["nbgrader"].get("grade_id"), str):
        kept["nbgrader"] = {"grade_id": metadata["nbgrader"]["grade_id"]}  # the rest is the release's to say
    if isinstance(metadata.get("tags"), list):
        tags = [tag for tag in metadata["tags"] if isinstance(tag, str) and tag and "," not in tag]
        kept["tags"] = list(dict.fromkeys(tags))  # nbformat refuses what stands twice
    role = metadata["guidance_labs"].get("role") if isinstance(metadata.get("guidance_labs"), dict) else None
    if role in ("illustration", "check"):
        kept["guidance_labs"] = {"role": role}
    kind = str(cell.get("cell_type"))
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}.get(
        kind, nbformat.v4.new_raw_cell
    )
    new = make(source, metadata=kept, id=f"own-{index}")
    if kind == "markdown" and (pictures := tidy_pictures(cell.get("attachments"))):
        new["attachments"] = pictures
    return new


def tidy_pictures(attachments: object) -> dict:
    """Pictures pasted into a text, as base64 and nothing else."""
    kept: dict[str, dict[str, str]] = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for mime, data in forms.items() if isinstance(forms, dict) else ():
            data = "".join(part for part in data if isinstance(part, str)) if isinstance(data, list) else data
            if mime in PICTURES and isinstance(data, str) and BASE64.fullmatch(data):
                kept.setdefault(name, {})[mime] = data
    return kept
