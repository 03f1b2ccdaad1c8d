"""The PDF of a notebook: every letter and every figure is there, and inside the page."""

import base64
import io
import re

import nbformat
import pypdfium2 as pdfium
import pytest
from PIL import Image

from tests.syllabus import minimum
from utils.pdf import MARGIN, MAX_LINES, blocks, clean, formula, notebook_to_pdf, paragraph

POINTS = 72 / 25.4  # a millimetre
v4 = nbformat.v4


def png(width, height):
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def code(source, *outputs):
    return v4.new_code_cell(source, outputs=list(outputs))


def make(tmp_path, *cells):
    pages = notebook_to_pdf(v4.new_notebook(cells=list(cells)), tmp_path / "it.pdf", "the_title")
    pdf = pdfium.PdfDocument(tmp_path / "it.pdf")
    assert len(pdf) == pages
    return pdf


def letters(text):
    return re.sub(r"\s", "", text)


def read(pdf):
    """All letters in the order of the pages, without spaces and without the foot of each page."""
    whole = "".join(letters(page.get_textpage().get_text_range()) for page in pdf)
    return re.sub(rf"the_title·page\d+of{len(pdf)}", "", whole).replace("\ufffe", "")


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


def test_markdown_pieces():
    source = "# Title\n\nSome text\n$$ a = b $$\nmore ![x](attachment:p.png) text\n\n```python\n# no title\n```\nlast"
    assert list(blocks(source)) == [
        ("heading", "# Title"),
        ("text", "Some text"),
        ("formula", " a = b"),
        ("text", "more"),
        ("attachment", "p.png"),
        ("text", "text"),
        ("code", "# no title"),
        ("text", "last"),
    ]


def test_formulas_are_drawn_or_left_as_typed(tmp_path):
    pdf = make(tmp_path, v4.new_markdown_cell("$$x^2 + y^2$$\n\n$$\\unknown{x} = 1$$"))
    assert len([i for i in pdf[0].get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]) == 1
    assert letters(r"$$\unknown{x} = 1$$") in read(pdf)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (r"$\sigma_d^2 + \tfrac12$ and $\mathcal N(0, I)$", "σ_d^2 + 1/2 and N(0, I)"),
        (r"$\nabla_x \log p_t(x \mid z)$", "∇_x log p_t(x ∣ z)"),
        (r"$x_{i,j}$, $10^{-3}$, $\frac{a + b}{2c}$", "x_(i,j), 10^-3, (a + b)/(2c)"),
        (r"$\unheardof{x}$ costs $5 and $6", r"$\unheardof{x}$ costs $5 and $6"),
        ("one\ntwo\n- **three**\n  four\n- 2**3 and 4**5", "one two\n- three four\n- 2**3 and 4**5"),
        ("a line with two spaces  \nbroken", "a line with two spaces  \nbroken"),
    ],
)
def test_paragraphs(typed, read):
    assert paragraph(typed) == read


def test_boxes_and_hints_are_written_out(tmp_path):
    source = (
        "> ### Exercise 1\n> Do **this**.\n\n<details><summary>A nudge</summary>\n\nTry $\\alpha$.\n</details>\n\n---"
    )
    text = read(make(tmp_path, v4.new_markdown_cell(source)))
    assert text == letters("Exercise 1 Do this. ▸ A nudge Try α.")


def test_display_formulas_of_the_labs_are_drawn(lab):
    """All but those with cases, which matplotlib does not know: those stay as typed."""
    cells = [cell.source for cell in nbformat.read(lab.student, as_version=4).cells if cell.cell_type == "markdown"]
    formulas = [text for source in cells for kind, text in blocks(source) if kind == "formula"]
    left = [text for text in formulas if formula(text) is None]
    assert (len(formulas) >= 3 or not minimum(lab).formulas) and all("cases" in text for text in left), left


def test_pasted_pictures_are_shown(tmp_path):
    cell = v4.new_markdown_cell("My sketch: ![s](attachment:s.png)", attachments={"s.png": {"image/png": png(50, 50)}})
    pdf = make(tmp_path, cell)
    assert [i for i in pdf[0].get_objects() if i.type == pdfium.raw.FPDF_PAGEOBJ_IMAGE]


def test_the_whole_lab(lab, tmp_path):
    """Each cell's source is found in the PDF, in order; tables, formulas and drawings included."""
    notebook = nbformat.read(lab.solution, as_version=4)
    pdf = make(tmp_path, *notebook.cells)
    assert_inside(pdf)
    text, place = read(pdf), 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            place = text.find(letters(clean(cell.source)), place)
            assert place >= 0, cell.source
