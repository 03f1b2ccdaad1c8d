"""Write a notebook as a PDF that cuts nothing off.

Long lines are wrapped, wide figures are scaled, and every cell and output is included. Neither LaTeX nor a browser is
needed: fpdf2 draws the pages, with the fonts that come with matplotlib.
"""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib
from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from nbformat import NotebookNode
from PIL import Image

MARGIN = 15.0  # millimetres
CODE, TEXT = 7.5, 10.0  # points
DOTS = 100  # pixels an inch that a figure is taken to have, unless it must shrink
MAX_LINES = 400  # of one output; a note says how many are left out
GREY, BLACK, RED = (110, 110, 110), (20, 20, 20), (150, 30, 30)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
HIDDEN = re.compile(r"<!--.*?-->|\[!\[[^\]\n]*\]\([^)\n]*\)\]\([^)\n]*\)", re.DOTALL)  # comments, and badges
QUOTE = re.compile(r"^>(?!>) ?", re.MULTILINE)  # the boxes of the exercises
FOLDED = re.compile(r"</?details>\n?|<summary>(.*?)</summary>")  # on paper, hints are unfolded
BOLD = re.compile(r"(?<![\w*])\*\*(\S(?:[^*]*\S)?)\*\*(?![\w*])")
LIST = re.compile(r"\s*(?:[-*+▸]|\d+\.|\([a-z]\))\s")
INLINE = re.compile(r"(?<![\\$\w`])\$(?![\s$])([^$`]+?)(?<![\s\\])\$(?![\d$])")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class Pages(FPDF):
    """A PDF of A4 pages with the notebook's name and a page number at the foot.

    Args:
        title: the notebook's name.
    """

    def __init__(self, title: str):
        super().__init__(format="A4")
        self.title_text = title
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.add_font("text", "", fonts / "DejaVuSans.ttf")
        self.add_font("text", "B", fonts / "DejaVuSans-Bold.ttf")
        self.add_font("code", "", fonts / "DejaVuSansMono.ttf")
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN + 5)
        self.alias_nb_pages("{pages}")
        self.add_page()

    def footer(self):
        """Draw the foot of a page; fpdf2 calls this for each page."""
        self.set_y(-MARGIN)
        self.set_font("text", "", 7.5)
        self.set_text_color(*GREY)
        self.cell(0, 5, f"{self.title_text} · page {self.page_no()} of {{pages}}", align="C")

    def write_lines(self, text: str, font: str, size: float, style: str = "", color=BLACK, fill=None) -> None:
        """Write text as it is. A line that is too long continues in the next one.

        Args:
            text: any text, with line breaks.
            font: `text`, which breaks lines between words, or `code`, which breaks them anywhere.
            size: the size of the letters in points.
            style: `B` for bold, else empty.
            color: red, green and blue of the letters, 0 to 255.
            fill: red, green and blue of the background, 0 to 255, or None.
        """
        self.set_font(font, style, size)
        self.set_text_color(*color)
        if fill:
            self.set_fill_color(*fill)
        wrap = WrapMode.CHAR if font == "code" else WrapMode.WORD
        height = size * (0.45 if font == "code" else 0.5)
        self.multi_cell(
            0, height, text, fill=bool(fill), wrapmode=wrap, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )  # fmt: skip

    def picture(self, data: bytes, dots: float = DOTS) -> None:
        """Draw a picture at its own size, or as large as a page allows. Of an animation, draw the last frame.

        Args:
            data: the bytes of an image file.
            dots: the resolution that the picture is assumed to have, in pixels per inch.

        Raises:
            OSError: the bytes are no picture.
        """
        with Image.open(io.BytesIO(data)) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)  # of an animation, the last frame
            still = image.convert("RGBA")
        sheet = Image.new("RGB", still.size, "white")
        sheet.paste(still, mask=still.getchannel("A"))
        scale = min(25.4 / dots, self.epw / sheet.width, (self.eph - 10) / sheet.height)
        width, height = sheet.width * scale, sheet.height * scale
        if self.will_page_break(height + 2):
            self.add_page()
        self.image(sheet, w=width, h=height)
        self.ln(2)


def notebook_to_pdf(notebook: NotebookNode, path: str | Path, title: str) -> int:
    """Write the notebook's cells and outputs as a PDF.

    Args:
        notebook: the notebook, in version 4 of the format.
        path: the file to write.
        title: the text at the foot of each page.

    Returns:
        The number of pages.
    """
    for library in ("fontTools", "fpdf", "matplotlib.mathtext"):  # a letter that the fonts lack is drawn as a box
        logging.getLogger(library).setLevel(logging.ERROR)
    pages = Pages(title)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            write_code(pages, cell)
        else:
            write_markdown(pages, cell.source, cell.get("attachments", {}))
        pages.ln(3)
    pages.output(str(path))
    return pages.page_no()


def write_code(pages: Pages, cell: NotebookNode) -> None:
    """Write a code cell and its outputs.

    Args:
        pages: the PDF.
        cell: the cell.
    """
    if not cell.source.strip():
        return
    pages.write_lines(f"In [{cell.get('execution_count') or ' '}]", "text", 7, color=GREY)
    pages.write_lines(clean(cell.source), "code", CODE, fill=(244, 244, 240))
    for output in cell.get("outputs", []):
        pages.ln(1)
        write_output(pages, output)


def write_output(pages: Pages, output: NotebookNode) -> None:
    """Write an output in the richest form that a page can show.

    Args:
        pages: the PDF.
        output: an output of a code cell.
    """
    kind = output.get("output_type")
    if kind == "stream":
        pages.write_lines(shorten(clean(join(output.get("text", "")))), "code", CODE)
    elif kind == "error":
        pages.write_lines(shorten(clean("\n".join(output.get("traceback", [])))), "code", CODE, color=RED)
    else:
        data = output.get("data", {})
        for mime in ("image/png", "image/jpeg", "image/gif"):
            if mime in data:
                try:
                    pages.picture(base64.b64decode(join(data[mime])))
                except (OSError, ValueError, SyntaxError):  # PIL's words for a damaged picture
                    pages.write_lines("[a picture that cannot be read]", "text", TEXT, color=GREY)
                return
        if text := join(data.get("text/plain", "")):
            pages.write_lines(shorten(clean(text)), "code", CODE)


def write_markdown(pages: Pages, source: str, attachments: dict) -> None:
    """Write headings, paragraphs, code blocks, display formulas and pasted pictures. Anything else is written as typed.

    Args:
        pages: the PDF.
        source: the cell's markdown.
        attachments: the cell's pasted pictures, by name.
    """
    source = FOLDED.sub(lambda m: f"\n\n▸ {m[1]}\n\n" if m[1] else "", HIDDEN.sub("", clean(source)))
    for kind, text in blocks(QUOTE.sub("", source)):
        if kind == "heading":
            level = len(text) - len(text.lstrip("#"))
            pages.ln(1)
            pages.write_lines(text.lstrip("# "), "text", max(TEXT, 17 - 2.5 * level), "B")
        elif kind == "code":
            pages.write_lines(text, "code", CODE, fill=(250, 250, 247))
        elif kind == "formula" and (image := formula(text)):
            pages.picture(image, dots=200)
        elif kind == "attachment" and text in attachments:
            write_output(pages, NotebookNode(output_type="display_data", data=attachments[text]))
        elif text.startswith("|"):
            pages.write_lines(INLINE.sub(plain_formula, text), "code", CODE)
        elif kind == "formula":
            pages.write_lines(f"$${text}$$", "text", TEXT)
        elif set(text) != {"-"}:
            pages.write_lines(paragraph(text), "text", TEXT)
        pages.ln(1)


def blocks(source: str) -> Iterator[tuple[str, str]]:
    r"""Split markdown into blocks.

    Args:
        source: the markdown.

    Yields:
        The kind of a block (`heading`, `code`, `formula`, `attachment` for a pasted picture's name, or `text`), and its
        text.

    Example:
        >>> list(blocks("# Title\n\nSome text"))
        [('heading', '# Title'), ('text', 'Some text')]
    """
    pattern = r"(?ms)^```[^\n]*\n(?P<code>.*?)^```[ \t]*$|^\$\$(?P<formula>.*?)\$\$|^(?P<heading>\#{1,6} [^\n]*)$"
    pattern += r"|!\[[^\]\n]*\]\(attachment:(?P<attachment>[^)\n]+)\)"
    end = 0
    for match in re.finditer(pattern, source):
        yield from (("text", part.strip()) for part in source[end : match.start()].split("\n\n") if part.strip())
        kind = match.lastgroup
        assert kind is not None  # every alternative is a named group
        yield kind, match[kind].rstrip()
        end = match.end()
    yield from (("text", part.strip()) for part in source[end:].split("\n\n") if part.strip())


def paragraph(text: str) -> str:
    r"""Join the lines of a paragraph, so that they break where the page ends.

    Items of a list stay on lines of their own.

    Args:
        text: a paragraph or a list.

    Returns:
        The text with short formulas in plain letters.

    Example:
        >>> paragraph("one\ntwo **bold**\n- item")
        'one two bold\n- item'
    """
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and not LIST.match(line) and not lines[-1].endswith(("  ", "\\")):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return INLINE.sub(plain_formula, BOLD.sub(r"\1", "\n".join(lines)))


def plain_formula(match: re.Match) -> str:
    r"""Write a short formula in plain letters. A formula that needs more than letters stays as it was typed.

    Args:
        match: a match of `INLINE`, whose first group is the formula.

    Returns:
        The formula as text.

    Example:
        >>> INLINE.sub(plain_formula, r"$\sigma_t^2$")
        'σ_t^2'
    """
    tex = FRACTION.sub(r"(\1\3)/(\2\4)", match[1])
    tex = re.sub(r"\\(?:mathcal|mathbb|mathrm|text|rm|[bB]igg?|left|right)(?![A-Za-z])\s*", "", tex)
    tex = (
        re.sub(r"\\(?:[,;:! ]|q?quad(?![A-Za-z]))", " ", tex)
        .replace("\\{", "{")
        .replace("\\}", "}")
        .replace("\\|", "‖")
    )
    tex = re.sub(r"\\([A-Za-z]+)", lambda name: sign(name[1]), tex)
    tex = re.sub(r"\{([^{}]?)\}", r"\1", tex)
    tex = re.sub(r"(?<=[_^])\{([\w+-]*)\}", r"\1", tex).replace("{", "(").replace("}", ")")
    tex = re.sub(r" {2,}", " ", tex)
    return match[0] if "\\" in tex else re.sub(r"\(([\w.]+)\)/\(([\w.]+)\)", r"\1/\2", tex)


FRACTION = re.compile(r"\\[td]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\w)\s*(\w))")
FUNCTIONS = ("log", "ln", "exp", "sin", "cos", "tanh", "min", "max", "mod", "det", "sup", "inf", "lim", "arg", "Pr")


def sign(name: str) -> str:
    """Return the letter of a TeX command.

    Args:
        name: the command without its backslash.

    Returns:
        The letter, or the command itself if there is none.

    Example:
        >>> sign("nabla")
        '∇'
    """
    if name in FUNCTIONS:
        return f"{name} "
    try:
        from matplotlib._mathtext_data import tex2uni  # private, but the only table at hand
    except ImportError:
        return f"\\{name}"
    return (
        chr(tex2uni[name]) if name in tex2uni else {"bmod": " mod ", "ldots": "…", "dots": "…"}.get(name, f"\\{name}")
    )


def for_mathtext(tex: str) -> str:
    """Rewrite TeX so that matplotlib understands it.

    Args:
        tex: a formula.

    Returns:
        The formula with full-sized fractions, all braces, and no sizes of brackets.
    """
    tex = re.sub(r"\\[bB]igg?[lrm]?(?![A-Za-z])\s*", "", " ".join(tex.split()))
    tex = re.sub(r"\\[td]?frac\s*(\w)\s*(\w)", r"\\frac{\1}{\2}", tex)
    tex = re.sub(r"\\[td]?frac(?![A-Za-z])", r"\\dfrac", tex)
    tex = re.sub(r"\\(mathrm|mathbb|mathcal)\s+(\w)", r"\\\1{\2}", tex)
    return tex.replace(r"\text{", r"\mathrm{").replace(r"\bmod", r"\ \mathrm{mod}\ ").replace(r"\!", "")


def formula(tex: str) -> bytes | None:
    """Draw a formula.

    Args:
        tex: the formula, without dollar signs.

    Returns:
        A PNG file, or None if matplotlib does not know a command of the formula.
    """
    from matplotlib import mathtext

    file = io.BytesIO()
    try:
        mathtext.math_to_image(f"${for_mathtext(tex)}$", file, dpi=200, format="png")
    except (ValueError, RuntimeError):
        return None
    return file.getvalue()


def clean(text: str) -> str:
    r"""Remove terminal colours and control characters. Of a redrawn line, such as a progress bar, keep the last state.

    Args:
        text: what a program printed.

    Returns:
        Text that the PDF can show.

    Example:
        >>> clean("\x1b[31mred\x1b[0m 10%\rred 99%")
        'red 99%'
    """
    lines = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in ESCAPES.sub("", text).split("\n"))
    return CONTROL.sub("", "\n".join(lines)).expandtabs(4)


def shorten(text: str) -> str:
    """Cut a long output and say how many lines are missing.

    Args:
        text: an output.

    Returns:
        At most `MAX_LINES` lines, and a note if there were more.
    """
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MAX_LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:MAX_LINES], f"[{len(lines) - MAX_LINES} more lines are in the notebook]"])


def join(text: str | list[str]) -> str:
    """Join a text that a notebook may store as a list of lines.

    Args:
        text: a text or a list of its lines.

    Returns:
        The text.
    """
    return text if isinstance(text, str) else "".join(text)
