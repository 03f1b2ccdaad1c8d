"""Formulas without a network: TeX to MathML, and nothing else."""

import re
from xml.etree import ElementTree

import nbformat
import pytest

from autograder.feedback.formulas import mathml
from tests.syllabus import minimum


def letters(tex, **options):
    return "".join(ElementTree.fromstring(mathml(tex, **options)).itertext())


def test_letters_and_structure():
    assert letters(r"\nabla_x \log p_t(x \mid y)") == "∇xlogpt(x∣y)"
    assert letters(r"x \sim \mathcal N(0, \sigma^2)") == "x∼𝒩(0,σ2)"
    assert letters(r"\mathbb E[x]") == "𝔼[x]" and letters(r"\big\|x\big\|^2") == "‖x‖2"
    tree = ElementTree.fromstring(mathml(r"\frac{a}{b}", display=True))
    assert tree.get("display") == "block" and [e.text for e in tree.find(".//mfrac").iter("mi")] == ["a", "b"]
    assert "mspace" in mathml(r"\log p") and "mspace" not in mathml(r"\log(p)")


def test_what_cannot_be_translated_stays_as_it_was_typed():
    assert mathml(r"\unheardof{x} < 1") == r'<code class="tex">$\unheardof{x} &lt; 1$</code>'
    assert mathml("{" * 3000).startswith('<code class="tex">$') and mathml("x" * 5000).startswith('<code class="tex">$')


@pytest.mark.parametrize(
    "tex",
    [r"\href{javascript:alert(1)}{x}", r"\text{<script>alert(1)</script>}", r"\class{a}{x}", "<img src=x onerror=y>",
     r"\style{background:url(//e.org)}{x}", r"\mathrm{<b onclick=z>}"],
)  # fmt: skip
def test_a_formula_is_never_a_program(tex):
    page = mathml(tex)
    assert not re.search(r"<(?!/?(m[a-z]+|code)\b)", page), page
    tags = re.findall(r"<[^>]*>", page)
    assert not [tag for tag in tags if re.search(r"\bon\w+=|href|style=|src=", tag)], page


def test_every_formula_of_the_labs_is_translated(lab):
    found = 0
    for cell in nbformat.read(lab.student, as_version=4).cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"`[^`]*`", "", re.sub(r"(?ms)^```.*?^```", "", cell.source))
            for display, inline in re.findall(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+)\$", text, re.DOTALL):
                found += 1
                assert mathml(display or inline, bool(display)).startswith("<math"), display or inline
    assert found >= minimum(lab).formulas
