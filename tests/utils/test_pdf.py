"""The PDF of a notebook: every letter and every figure is there, and inside the page."""

import base64
import ctypes
import io
import itertools
import re

import nbformat
import pypdfium2 as pdfium
import pytest
from PIL import Image

from tests.syllabus import minimum
from utils import pdf as writer
from utils.formulas import for_pandoc
from utils.pdf import NoTypesetter, notebook_to_pdf
from utils.printed_text import COLUMNS, MAX_LINES, breakable, clean, is_wide_table

POINTS = 72 / 25.4  # a millimetre
MARGIN = 15.0  # millimetres, as in pdf.typ
v4 = nbformat.v4


def png(width, height):
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def code(source, *outputs):
    return v4.new_code_cell(source, outputs=list(outputs))


def make(tmp_path, *cells):
    pages = notebook_to_pdf(v4.new_notebook(cells=list(cells)), tmp_path / "it.pdf", "the_title", "Ada")
    pdf = pdfium.PdfDocument(tmp_path / "it.pdf")
    assert len(pdf) == pages
    return pdf


def letters(text):
    return re.sub(r"\s", "", text)


def read(pdf):
    """All letters in the order of the pages, without spaces and without head and foot."""
    whole = "".join(letters(page.get_textpage().get_text_range()) for page in pdf)
    return (
        re.sub(rf"the_title·Adapage\d+of{len(pdf)}", "", whole.removeprefix("Ada"))
        .replace("\ufffe", "")
        .replace("\u200b", "")
    )


def assert_inside(pdf):
    """No letter and no figure beyond the margins; half a millimetre is rounding."""
    edge, boxes_checked = (MARGIN - 0.5) * POINTS, 0
    for page in pdf:
        width, height = page.get_size()
        text = page.get_textpage()
        boxes = [text.get_charbox(i) for i in range(text.count_chars())]
        boxes += [item.get_bounds() for item in page.get_objects() if item.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]
        for left, bottom, right, top in boxes:
            if right > left:
                boxes_checked += 1
                assert left >= edge - 3 and right <= width - edge + 3, (left, right, width)
                assert bottom >= 10 and top <= height - edge + 3, (bottom, top, height)
    assert boxes_checked


def test_long_lines_go_on_in_the_next(tmp_path):
    no_spaces = "x" * 700 + "END"
    line = "result = " + " + ".join(f"value_{i}" for i in range(80))
    prose = "A sentence that has no end and goes on " * 30 + "https://example.org/" + "a" * 300
    pdf = make(tmp_path, code(f"{no_spaces}\n{line}"), v4.new_markdown_cell(prose))
    assert_inside(pdf)
    text = read(pdf)
    for piece in (no_spaces, line, prose):
        assert letters(piece) in text


def test_every_page_of_a_long_notebook_is_there(tmp_path):
    sources = [f"cell_{i} = {i}\n" + "\n".join(f"line_{i}_{k} = {k}" for k in range(30)) for i in range(40)]
    pdf = make(tmp_path, *map(code, sources))
    assert len(pdf) >= 15
    assert_inside(pdf)
    text = read(pdf)
    places = [text.find(letters(source)) for source in sources]
    assert -1 not in places and places == sorted(places)


@pytest.mark.parametrize(("width", "height"), [(4000, 300), (300, 4000), (3000, 3000), (40, 30)])
def test_figures_are_scaled_into_the_page_and_keep_their_shape(tmp_path, width, height):
    output = v4.new_output("display_data", {"image/png": png(width, height), "text/plain": "<Figure>"})
    pdf = make(tmp_path, code("plot()", output))
    assert_inside(pdf)
    figures = [i for page in pdf for i in page.get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]
    left, bottom, right, top = figures[0].get_bounds()
    assert len(figures) == 1
    assert (right - left) / (top - bottom) == pytest.approx(width / height, rel=0.02)
    if width == 40:  # a small figure is not blown up
        assert right - left == pytest.approx(width / 100 * 72, rel=0.02)


def test_an_animation_shows_its_last_frame_and_a_broken_picture_says_so(tmp_path):
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    film = v4.new_output("display_data", {"image/gif": base64.b64encode(file.getvalue()).decode()})
    broken = v4.new_output("display_data", {"image/png": base64.b64encode(b"no picture").decode()})
    pdf = make(tmp_path, code("film()", film), code("oops()", broken))
    picture = pdf[0].render(scale=1).to_pil().convert("RGB")
    colors = {color for _, color in picture.getcolors(2**20)}
    assert any(b > 200 > 60 > r for r, g, b in colors) and not any(r > 200 and g < 60 for r, g, b in colors)
    assert letters("a picture that cannot be read") in read(pdf)


def test_streams_errors_and_strange_letters(tmp_path):
    bar = "\r".join(f"step {i}" for i in range(50)) + "\n"
    error = v4.new_output("error", ename="E", evalue="v", traceback=["\x1b[0;31mValueError\x1b[0m: ∇ log p(x) ≠ 0"])
    flood = v4.new_output("stream", text="".join(f"row {i}\n" for i in range(MAX_LINES + 7)))
    odd = v4.new_output("stream", text="bell\x07 null\x00 emoji 🙂 漢字 lone \ud83d end")
    pdf = make(
        tmp_path, code("a", v4.new_output("stream", text=bar)), code("b", error), code("c", flood), code("d", odd)
    )
    assert_inside(pdf)
    text = read(pdf)
    assert "step49" in text and "step48" not in text
    assert letters("ValueError: ∇ log p(x) ≠ 0") in text
    assert f"row{MAX_LINES - 1}" in text and f"row{MAX_LINES}[" not in text
    assert letters("[7 more lines are in the notebook]") in text
    assert "bellnullemoji" in text and "lone" in text and text.endswith("end")


def test_each_page_has_its_number_and_the_name(tmp_path):
    pdf = make(tmp_path, code("\n".join(f"x{i} = {i}" for i in range(150))))
    feet = [letters(page.get_textpage().get_text_range()) for page in pdf]
    assert len(pdf) > 1
    assert all(f"the_title·Adapage{i}of{len(pdf)}" in foot for i, foot in enumerate(feet, 1))


def test_text_is_set_and_not_shown_as_typed(tmp_path):
    """Lists, tables, bold words, links, formulas: nothing of their markdown is left."""
    source = "# A *title*\n- one\n- **two** `three`\n\n| a | b |\n|---|---|\n| $x_1$ | [c](https://example.org) |\n\n"
    source += "$$f(x) = \\begin{cases} 1 & x > 0 \\\\ 0 & \\text{else} \\end{cases}$$\n\n"
    source += "\\begin{align}\na &= {\\rm data}\n\\end{align}"
    text = read(make(tmp_path, v4.new_markdown_cell(source)))
    for word in ("Atitle", "•one", "twothree", "else", "data"):
        assert word in text, text
    assert not set("#*`|$\\&") & set(text), text


def test_boxes_and_hints_are_written_out(tmp_path):
    source = (
        "> ### Exercise 1\n> Do **this**.\n\n<details><summary>A nudge</summary>\n\nTry $\\alpha$.\n</details>\n\n---"
    )
    text = read(make(tmp_path, v4.new_markdown_cell(source)))
    assert text == letters("Exercise 1 Do this. ▸ A nudge Try 𝛼.")


HARMLESS = {
    "unclosed fence": "```python\nx = 1",
    "unclosed comment": "<!-- never closed",
    "unknown formula": r"$\unheardof{x}$ and $$\frac{1}{$$",
    "picture from elsewhere": "![a cat](https://example.org/cat.png) ![b](../../etc/passwd) ![c](attachment:gone.png)",
    "links inside": "[up](#top) [file](other.ipynb) [bare]( )",
    "raw Typst": '#import "x" `#panic()`{=typst} and #panic()\n\n```{=typst}\n#panic()\n```',
    "HTML": "<script>alert(1)</script> <b>bold</b> <img src=x>",
    "title block": "% title\n% author\n\n---\nkey: value\n---",
    "two headings alike": "# Same\n\n# Same\n\n[to it](#same)",
    "citation": "@somebody [^1] and a lone \\ and < and > and @ref",
    "other scripts": "漢字 العربية ñ 🙂",
    "empty": "",
}


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS)
def test_odd_text_disturbs_nothing_else(source, tmp_path):
    cells = [v4.new_markdown_cell("before"), v4.new_markdown_cell(source), code("last = 1")]
    text = read(make(tmp_path, *cells))
    assert text.startswith("before") and text.endswith("last=1"), text


def test_a_missing_typesetter_is_a_sentence(monkeypatch, tmp_path, capsys):
    """Where pip cannot load it, the reason is told."""
    import builtins

    real = builtins.__import__

    def without(name, *rest, **named):
        if name in ("pypandoc", "typst"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    failed = writer.subprocess.CompletedProcess([], 1, stdout="", stderr="ERROR: no network\n")
    monkeypatch.setattr(writer.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(NoTypesetter, match="pip could not load them: ERROR: no network"):
        notebook_to_pdf(v4.new_notebook(), tmp_path / "it.pdf", "title")
    assert "70 MB" in capsys.readouterr().out


def test_pasted_pictures_are_shown(tmp_path):
    cell = v4.new_markdown_cell("My sketch: ![s](attachment:s.png)", attachments={"s.png": {"image/png": png(50, 50)}})
    pdf = make(tmp_path, cell)
    assert [i for i in pdf[0].get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]


def test_the_whole_lab(lab, tmp_path):
    """Each cell's source is found in the PDF, in order, and each figure; no markdown and no TeX is left."""
    notebook = nbformat.read(lab.solution, as_version=4)
    pdf = make(tmp_path, *notebook.cells)
    assert_inside(pdf)
    text, place = read(pdf), 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            place = text.find(letters(clean(cell.source)), place)
            assert place >= 0, cell.source
            text = text[:place] + text[place + len(letters(cell.source)) :]  # what is left is prose and outputs
    figures = sum(
        any(mime in output.get("data", {}) for mime in writer.PICTURES)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    drawn = [i for page in pdf for i in page.get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]
    assert len(drawn) == figures
    left = re.findall(r"\$\$|\*\*(?!kwargs|2)|\|---|<details|\\\\[a-z]+\{", text)
    assert not left, left
    assert "∇" in text or not minimum(lab).formulas


def test_long_words_may_break_and_nothing_is_lost():
    assert breakable("") == ""
    assert breakable("a" * 60 + "\n" + "b" * 61) == "a" * 60 + "\n" + "b" * 60 + "\u200bb"


def test_a_long_line_of_code_continues_at_a_word_with_a_deeper_indent(tmp_path):
    words = [f"value_{i}" for i in range(40)]
    text = make(tmp_path, code("if True:\n    print(" + ", ".join(words) + ")"))[0].get_textpage()
    whole = text.get_text_range()
    assert set(words) <= set(re.findall(r"\w+", whole)), "a word was broken"
    begin = text.get_charbox(whole.index("print"))[0]
    lines: dict[int, float] = {}
    for match in re.finditer(r"value_", whole):
        left, bottom, _, _ = text.get_charbox(match.start())
        lines[round(bottom)] = min(left, lines.get(round(bottom), left))
    _, *others = (lines[place] for place in sorted(lines, reverse=True))  # the first one has `print` before it
    assert others and all(left - begin == pytest.approx(4 * 0.602 * 8, abs=1) for left in others)


def test_a_figure_shrinks_rather_than_leave_a_large_gap(tmp_path):
    """Room for four fifths of it: it stays on the page. Room for a third: it goes to the next one, at its own size."""
    output = v4.new_output("display_data", {"image/png": png(900, 700)})
    for lines, page, share in ((30, 0, 1.0), (40, 0, 0.8), (60, 1, 1.0)):
        pdf = make(tmp_path, code("\n".join(f"x{i} = {i}" for i in range(lines)), output))
        (figure,) = [i for i in pdf[page].get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]
        left, _, right, _ = figure.get_bounds()
        assert right - left == pytest.approx(share * 180 * POINTS, rel=0.12 if share < 1 else 0.01), lines
        assert_inside(pdf)


def alternative_texts(page):
    """Return the alternative texts in the structure of a page."""
    raw, tree = pdfium.raw, pdfium.raw.FPDF_StructTree_GetForPage(page)
    found = []

    def visit(element):
        size = raw.FPDF_StructElement_GetAltText(element, None, 0)
        if size > 2:
            buffer = ctypes.create_string_buffer(size)
            raw.FPDF_StructElement_GetAltText(element, buffer, size)
            found.append(buffer.raw.decode("utf-16-le").rstrip("\0"))
        for i in range(raw.FPDF_StructElement_CountChildren(element)):
            if child := raw.FPDF_StructElement_GetChildAtIndex(element, i):
                visit(child)

    for i in range(raw.FPDF_StructTree_CountChildren(tree)):
        visit(raw.FPDF_StructTree_GetChildAtIndex(tree, i))
    raw.FPDF_StructTree_Close(tree)
    return found


def test_a_figure_keeps_its_alternative_text(tmp_path):
    words = 'Two "clouds" \\ and #arrows.'
    output = v4.new_output("display_data", {"image/png": png(50, 50)}, metadata={"image/png": {"alt": words}})
    assert alternative_texts(make(tmp_path, code("plot()", output))[0]) == [words]


def test_formulas_keep_their_brackets_and_dots(tmp_path):
    """Pandoc overlaps the letters around a negative space, sets norms as relations, and keeps brackets small."""
    assert for_pandoc(r"\nabla\!\cdot s") == r"\nabla\cdot s"
    assert for_pandoc(r"\Big(\frac{a}{b}\Big)") == r"\left(\frac{a}{b}\right)"
    assert for_pandoc(r"\big\| s \big\|^2") == r"\lVert  s \rVert ^2"
    assert for_pandoc(r"|g|") == r"\lvert g\rvert "
    for unpaired in (r"\big( a", r"a \big)", r"\big) \big(", r"\big( a &= b \big)"):
        assert "left" not in for_pandoc(unpaired) and "big" not in for_pandoc(unpaired)


def test_a_wide_table_keeps_its_columns(tmp_path):
    """Each row of an output that is a little too wide stays on one line, in smaller letters."""
    rows = "\n".join(f"{'name':<{COLUMNS}}{i:>12}" for i in range(5))
    assert is_wide_table(rows) and not is_wide_table("x" * (COLUMNS + 1)) and not is_wide_table("x" * 200 + f"\n{rows}")
    pdf = make(tmp_path, code("table()", v4.new_output("stream", text=rows)))
    assert_inside(pdf)
    text = pdf[0].get_textpage().get_text_range()
    assert all(re.search(rf"name\s+{i}\s", re.sub(" +", " ", text)) for i in range(5))
    tops = [pdf[0].get_textpage().get_charbox(m.start())[3] for m in re.finditer("name", text)]
    assert len(tops) == 5 and max(a - b for a, b in itertools.pairwise(tops)) < 12, "a row takes two lines"
