"""Write a notebook as a PDF: pandoc reads its text, and Typst sets the pages.

Both are Python packages without system dependencies, about 70 MB together. They are loaded when the first PDF is made.
The layout is in `pdf.typ`.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from utils.formulas import for_pandoc
from utils.printed_text import breakable, clean, is_wide_table, join, shorten

TEMPLATE = Path(__file__).with_name("pdf.typ")
TYPESETTERS = ("pypandoc_binary>=1.14,<2", "typst>=0.13.4,<1")  # what pip installs
DOTS = 100  # pixels an inch that a figure is taken to have
WIDEST, HIGHEST = 180 / 25.4 * 72, 235 / 25.4 * 72  # of a figure, in points
TOO_LARGE = 4000  # pixels of a side, beyond which a picture is made smaller
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FOLDED = re.compile(r"</?details[^>\n]*>\n?|<summary>([^\n]*?)</summary>")  # on paper, hints are unfolded
PICTURES = ("image/png", "image/jpeg", "image/gif")
NO_ATTRIBUTES = ["", [], []]
Node = dict[str, Any]  # an element of pandoc's document: {"t": its type, "c": its content}


class NoTypesetter(RuntimeError):
    """Raised when pandoc and Typst are not installed and cannot be."""


def notebook_to_pdf(notebook: NotebookNode, path: str | Path, title: str, author: str = "") -> int:
    """Write the notebook's cells and outputs as a PDF.

    Args:
        notebook: The notebook, in version 4 of the format.
        path: The file to write.
        title: The notebook's name, for the foot of each page.
        author: The student's name, for the head of the first page and the foot of each.

    Returns:
        The number of pages.

    Raises:
        NoTypesetter: pandoc and Typst are missing and could not be installed.
    """
    pandoc, typst = load_typesetters()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = json.loads(pandoc(markdown_of(notebook, folder), "json", "ipynb+raw_tex"))
        texts = iter(document["blocks"])
        document["blocks"] = [
            block
            for cell in notebook.cells
            for block in (code_blocks(cell, folder) if cell.cell_type == "code" else text_blocks(next(texts), folder))
        ]
        body = pandoc(json.dumps(document), "typst", "json")
        main = folder / "main.typ"
        main.write_text(f"{TEMPLATE.read_text(encoding='utf-8')}\n{body}", encoding="utf-8")
        facts = {"title": title, "author": author}
        compiler = typst.Compiler(str(main), root=str(folder), sys_inputs=facts)
        pages, warnings = compiler.compile_with_warnings(format="pdf")
        if any("converge" in warning.message for warning in warnings):
            # A figure that shrinks moves those after it, and Typst gives up after five rounds. Without, it needs none.
            compiler = typst.Compiler(str(main), root=str(folder), sys_inputs=facts | {"shrink": "no"})
            pages = compiler.compile(format="pdf")
        Path(path).write_bytes(pages)
        return len(re.findall(rb"/Type\s*/Page\b", pages))


def load_typesetters() -> tuple[Callable[[str, str, str], str], Any]:
    """Import pandoc and Typst. What is missing is installed by pip.

    Returns:
        pandoc as a function of text, output format and input format, and the package `typst`.

    Raises:
        NoTypesetter: pip could not install them.
    """
    try:
        import pypandoc
        import typst
    except ImportError:
        print("Loading pandoc and Typst, which make the PDF (70 MB, once) …")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1", *TYPESETTERS]
        done = subprocess.run(install, capture_output=True, text=True)
        importlib.invalidate_caches()
        try:
            import pypandoc
            import typst
        except ImportError:
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            raise NoTypesetter(f"pandoc and Typst are not installed, and pip could not load them: {reason}") from None
    logging.getLogger("pypandoc").setLevel(logging.CRITICAL)  # a formula that pandoc cannot read stays as typed

    def pandoc(text: str, to: str, source: str) -> str:
        # --sandbox: pandoc reads no other file and no address that the notebook names
        return pypandoc.convert_text(text, to, format=source, extra_args=["--sandbox", "--wrap=preserve"])

    return pandoc, typst


def markdown_of(notebook: NotebookNode, folder: Path) -> str:
    """Take the text cells out of a notebook, and save their pasted pictures as files.

    Args:
        notebook: The notebook.
        folder: Where the pictures go.

    Returns:
        A notebook of the text cells alone, as JSON.
    """
    cells = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            continue
        text = FOLDED.sub(lambda m: f"\n\n##### ▸ {m[1]}\n\n" if m[1] else "\n", COMMENT.sub("", clean(cell.source)))
        for index, (name, data) in enumerate(cell.get("attachments", {}).items()):
            file = save_picture(data, folder / f"pasted{number}-{index}.png")
            text = text.replace(f"attachment:{name}", file.name if file else "unreadable")
        cells.append(nbformat.v4.new_markdown_cell(text, id=f"c{number}"))
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


def text_blocks(cell: Node, folder: Path) -> list[Node]:
    """Convert a text cell to what the page can show.

    Args:
        cell: A cell of pandoc's document.
        folder: Where the pictures are.

    Returns:
        The cell's blocks.
    """
    return [tidy(block, folder) for block in cell["c"][1]]


def tidy(node: Any, folder: Path) -> Any:
    """Remove HTML, links into the notebook, and pictures from elsewhere.

    Args:
        node: An element of pandoc's document, or anything with elements in it.
        folder: Where the pictures are.

    Returns:
        The same without them.
    """
    if isinstance(node, list):
        return [tidy(item, folder) for item in node]
    if not isinstance(node, dict) or "c" not in node:
        return node
    kind, content = node["t"], node["c"]
    if kind in ("RawInline", "RawBlock"):
        words = math(content[1]) if content[0] == "tex" else element("Str", "")
        return words if kind == "RawInline" else element("Para", [words])
    if kind == "Math":
        return math(content[1], content[0])
    if kind == "Image":
        return still(content, folder)
    if kind == "Link" and not content[2][0].startswith(("http://", "https://", "mailto:")):
        return element("Span", [NO_ATTRIBUTES, tidy(content[1], folder)])
    if kind == "CodeBlock":
        return element(kind, [["", content[0][1], []], breakable(content[1])])
    if kind == "Str":  # a word that is longer than a line may break
        return element(kind, breakable(content, 40))
    if kind == "Table":  # every column as wide as its text
        content[2] = [[alignment, {"t": "ColWidthDefault"}] for alignment, _ in content[2]]
    if kind == "Header":  # without its identifier, which another cell's may repeat
        return element(kind, [content[0], NO_ATTRIBUTES, tidy(content[2], folder)])
    return element(kind, tidy(content, folder))


def element(kind: str, content: Any) -> Node:
    """Make an element of pandoc's document.

    Args:
        kind: Its type, such as "Str".
        content: Its content.

    Returns:
        The element.
    """
    return {"t": kind, "c": content}


def math(tex: str, kind: Node | None = None) -> Node:
    """Make a formula.

    Args:
        tex: TeX without dollar signs; an environment such as align is one, too.
        kind: pandoc's type of formula, inline or display. The default is display.

    Returns:
        The element.
    """
    return element("Math", [kind or {"t": "DisplayMath"}, for_pandoc(tex)])


def still(image: list[Any], folder: Path) -> Node:
    """Show a picture that lies in the folder; of any other, show the description.

    Args:
        image: The content of pandoc's element: attributes, description, and the target with a title.
        folder: Where the pictures are.

    Returns:
        The element.
    """
    file = folder / Path(image[2][0]).name
    if file.name == image[2][0] and file.is_file():
        words = "".join(node["c"] if node["t"] == "Str" else " " for node in image[1])
        return element("RawInline", ["typst", place(file, words)])
    return element("Emph", tidy(image[1], folder))


def code_blocks(cell: NotebookNode, folder: Path) -> list[Node]:
    """Convert a code cell and its outputs.

    Args:
        cell: The cell.
        folder: Where pictures are saved.

    Returns:
        The blocks; none for an empty cell.
    """
    if not cell.source.strip():
        return []
    outputs = [output_block(output, folder) for output in cell.get("outputs", [])]
    return [code(clean(cell.source), "python"), *(block for block in outputs if block)]


def output_block(output: NotebookNode, folder: Path) -> Node | None:
    """Convert an output to the richest form that a page can show.

    Args:
        output: An output of a code cell.
        folder: Where pictures are saved.

    Returns:
        The block, or None if there is nothing to show.
    """
    kind, data = output.get("output_type"), output.get("data", {})
    if kind == "stream":
        return printed(clean(join(output.get("text", ""))))
    if kind == "error":
        return code(shorten(clean("\n".join(output.get("traceback", [])))), "error")
    if any(mime in data for mime in PICTURES):
        file = save_picture(data, folder / f"output{len(list(folder.iterdir()))}.png")
        if file is None:
            return code("[a picture that cannot be read]", "output")
        return element("RawBlock", ["typst", place(file, picture_text(output))])
    text = clean(join(data.get("text/plain", "")))
    return printed(text) if text else None


def code(text: str, language: str) -> Node:
    """Make a block of code. The template has a layout for `python`, `output`, `table` and `error`.

    Args:
        text: Any text.
        language: One of the four.

    Returns:
        The element.
    """
    return element("CodeBlock", [["", [language], []], breakable(text)])


def printed(text: str) -> Node:
    """Make a block of what a cell printed. A table that is wider than the page gets smaller letters.

    Args:
        text: The output.

    Returns:
        The element.
    """
    text = shorten(text)
    return code(text, "table" if is_wide_table(text) else "output")


def save_picture(data: dict[str, str | list[str]], file: Path) -> Path | None:
    """Save a picture of a notebook as a PNG file on white. Of an animation, save the last frame.

    Args:
        data: The picture in base64, by MIME type.
        file: The file to write.

    Returns:
        The file, or None if there is no picture or it cannot be read.
    """
    try:
        encoded = next(data[mime] for mime in PICTURES if mime in data)
        with Image.open(io.BytesIO(base64.b64decode(join(encoded)))) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
            frame = image.convert("RGBA")
    except (StopIteration, OSError, ValueError, SyntaxError):  # PIL's words for a damaged picture
        return None
    sheet = Image.new("RGB", frame.size, "white")
    sheet.paste(frame, mask=frame.getchannel("A"))
    sheet.thumbnail((TOO_LARGE, TOO_LARGE))
    sheet.save(file, dpi=(DOTS, DOTS))
    return file


def picture_text(output: NotebookNode) -> str:
    """Return the alternative text of a picture: what it shows, for readers who do not see it.

    Args:
        output: An output with a picture.

    Returns:
        A sentence, or nothing.
    """
    stored = output.get("metadata", {})
    found = (stored.get(mime, {}).get("alt") for mime in PICTURES if isinstance(stored.get(mime), dict))
    return next((clean(text) for text in found if isinstance(text, str)), "")


def place(file: Path, alt: str) -> str:
    """Place a saved picture at its own size, or as large as a page allows.

    Args:
        file: The PNG file.
        alt: What it shows, or nothing.

    Returns:
        Typst code.
    """
    with Image.open(file) as image:
        width, height = (side / DOTS * 72 for side in image.size)
    scale = min(1.0, WIDEST / width, HIGHEST / height)
    return (
        f'#picture("{file.name}", {width * scale:.1f}pt, {height * scale:.1f}pt, {json.dumps(alt, ensure_ascii=False)})'
    )


def draw_pages(notebook: NotebookNode, page_file: Path, author: str) -> int:
    """Write the PDF. If that fails, print one line, because the notebook is what is graded.

    Args:
        notebook: what to draw.
        page_file: the PDF's path.
        author: the student's name.

    Returns:
        The number of pages, or 0 if there is no PDF.
    """
    try:
        return notebook_to_pdf(notebook, page_file, page_file.stem, author)
    except Exception as error:  # no network, another program has the old PDF open, the disk is full
        print(f"\nThe PDF could not be made ({type(error).__name__}: {error}). The zip holds your notebook without it.")
        return 0
