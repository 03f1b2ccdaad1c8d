"""Read a notebook from a file that may hold anything, and reduce it to what grading uses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.errors import NotANotebook
from autograder.text import one_line

MAX_BYTES = 64 * 2**20
MAX_CELLS = 4000  # a lab has about 80; each costs time in every step of grading
MAX_CODE = 2 * 2**20  # characters in all code cells; a lab has about 40,000
PICTURES = ("image/png", "image/jpeg", "image/gif")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
MAX_ITEMS = 1_000_000  # of the JSON; a million empty objects take 64 MB. A lab with its pictures has some 5,000
STRINGS = re.compile(r'"[^"\\]*(?:\\.?[^"\\]*)*(?:"|\Z)', re.DOTALL)  # it matches at each quote, so it is linear
ITEMS = ",[{"  # each begins an item
KEPT_ROLES = ("illustration", "check")  # the roles that a cell without a grade_id may have
MAKERS = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}


def open_notebook(path: Path) -> tuple[NotebookNode, list[str]]:
    """Return the notebook in a file, in nbformat 4 and tidy, and what had to be done to read it.

    Raises:
        NotANotebook: The file is missing, empty, too large, not text, not JSON, or not a notebook.
    """
    name = one_line(path.name)
    text, notes = decode(read_file(path, name), name)
    data = parse(text, name)
    if (count := count_cells(data)) > MAX_CELLS:
        raise NotANotebook(f"{name} has {count:,} cells; the limit is {MAX_CELLS:,}")
    version = data.get("nbformat", 4)
    version = version if type(version) is int else 4 if "cells" in data else 3
    if version != 4 or "cells" not in data:  # nbformat's own reader rejects cells of version 4 that are still usable
        data = convert(data, name)
        notes = [*notes, f"its old format, nbformat {version}, was converted to nbformat 4"]
    notebook = tidy(data)
    if (size := sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")) > MAX_CODE:
        raise NotANotebook(f"{name} has {size / 2**20:.1f} MB of code; the limit is {MAX_CODE // 2**20} MB")
    return notebook, notes


def read_file(path: Path, name: str) -> bytes:
    """Return the content of a file of bounded size.

    Args:
        path: The file.
        name: Its name for messages.

    Raises:
        NotANotebook: The file is missing, empty, too large, unreadable, or not a plain file.
    """
    try:
        if not path.is_file():
            raise NotANotebook(f"{name} is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise NotANotebook(f"{name} has {path.stat().st_size // 2**20} MB; the limit is {MAX_BYTES // 2**20} MB")
        raw = path.read_bytes()
    except OSError as error:
        raise NotANotebook(f"{name} cannot be read: {error.strerror}") from error
    if not raw.strip():
        raise NotANotebook(f"{name} is empty")
    return raw


def decode(raw: bytes, name: str) -> tuple[str, list[str]]:
    """Return the text of a notebook, and a note if its encoding is not UTF-8.

    Raises:
        NotANotebook: The bytes are not text in any encoding that editors use for notebooks.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        encodings = ["utf-8-sig", "cp1252"]
    else:
        encodings = ["utf-8-sig"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text, [] if encoding == "utf-8-sig" else [f"its text was read as {encoding}, because it is not UTF-8"]
    raise NotANotebook(f"{name} is not UTF-8 text")


def parse(text: str, name: str) -> dict:
    """Return the JSON of a notebook.

    Raises:
        NotANotebook: The text is not JSON, or the JSON is not a notebook.
    """
    require_bounded(text, name)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"{name} is not JSON ({str(error)[:80]})") from error
    if not isinstance(data, dict) or not isinstance(data.get("cells", data.get("worksheets")), list):
        raise NotANotebook(f"{name} is JSON, but not a notebook")
    return data


def require_bounded(text: str, name: str) -> None:
    """Count the items of a JSON text before it is parsed: an item of two letters becomes an object of 64 bytes.

    Raises:
        NotANotebook: It has too many items.
    """
    if sum(text.count(sign) for sign in ITEMS) <= MAX_ITEMS:
        return  # an upper bound, because strings are counted too
    bare = STRINGS.sub("", text)
    if (count := sum(bare.count(sign) for sign in ITEMS)) > MAX_ITEMS:
        raise NotANotebook(
            f"{name} has {count:,} items of JSON, and the limit is {MAX_ITEMS:,}, so it was not opened: clear its "
            "outputs and submit it again"
        )


def count_cells(data: dict) -> int:
    """Return the number of cells in a notebook's JSON, also of nbformat 3, which has worksheets."""
    sheets = data["worksheets"] if "cells" not in data else [data]
    lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return sum(len(cells) for cells in lists if isinstance(cells, list))


def convert(data: dict, name: str) -> NotebookNode:
    """Return a notebook of another version in nbformat 4.

    Raises:
        NotANotebook: nbformat cannot read it.
    """
    try:
        return nbformat.reads(json.dumps(data), as_version=4)
    except Exception as error:  # nbformat raises anything on hostile input
        raise NotANotebook(f"{name} is not a readable notebook ({type(error).__name__})") from error


def tidy(notebook: dict) -> NotebookNode:
    """Return a notebook that holds only what grading uses: kinds, sources, some metadata, pictures. No outputs.

    All later code may rely on the types of the result.

    Args:
        notebook: The JSON of a notebook in nbformat 4; its cells may hold anything.
    """
    metadata = notebook.get("metadata")
    mark = metadata.get("guidance_labs") if isinstance(metadata, dict) else None
    mark = {key: value for key, value in mark.items() if isinstance(value, str)} if isinstance(mark, dict) else {}
    cells = [tidy_cell(cell, index) for index, cell in enumerate(notebook["cells"]) if isinstance(cell, dict)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"guidance_labs": mark} if mark else {})


def tidy_cell(cell: dict, index: int) -> NotebookNode:
    """Return a cell that holds only what grading uses, with an id made from its index."""
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    # A lone surrogate cannot be written to any file.
    source = re.sub("[\ud800-\udfff]", "\ufffd", source) if isinstance(source, str) else ""
    kind = str(cell.get("cell_type"))
    make = MAKERS.get(kind, nbformat.v4.new_raw_cell)
    new = make(source, metadata=tidy_metadata(cell.get("metadata")), id=f"own-{index}")
    if kind == "markdown" and (pictures := tidy_pictures(cell.get("attachments"))):
        new["attachments"] = pictures
    return new


def tidy_metadata(metadata: object) -> dict[str, object]:
    """Return the metadata of a cell that grading uses: its grade_id, its tags, its role."""
    metadata = metadata if isinstance(metadata, dict) else {}
    nbgrader, tags, mark = (metadata.get(name) for name in ("nbgrader", "tags", "guidance_labs"))
    kept: dict[str, object] = {}
    if isinstance(nbgrader, dict) and isinstance(nbgrader.get("grade_id"), str):
        kept["nbgrader"] = {"grade_id": nbgrader["grade_id"]}  # the release defines the rest
    if isinstance(tags, list):
        valid = [tag for tag in tags if isinstance(tag, str) and tag and "," not in tag]
        kept["tags"] = list(dict.fromkeys(valid))  # nbformat rejects a tag that occurs twice
    if isinstance(mark, dict) and mark.get("role") in KEPT_ROLES:
        kept["guidance_labs"] = {"role": mark["role"]}
    return kept


def tidy_pictures(attachments: object) -> dict[str, dict[str, str]]:
    """Return the pictures that were pasted into a text, as base64; everything else is dropped."""
    kept: dict[str, dict[str, str]] = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for mime, data in forms.items() if isinstance(forms, dict) else ():
            data = "".join(part for part in data if isinstance(part, str)) if isinstance(data, list) else data
            if mime in PICTURES and isinstance(data, str) and BASE64.fullmatch(data):
                kept.setdefault(name, {})[mime] = data
    return kept
