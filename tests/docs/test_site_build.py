"""The site: complete, without answers, every link leads somewhere, and nothing is fetched from elsewhere."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil

import nbformat
import pytest
import torch
from PIL import Image

pytest.importorskip("sphinx", reason="the site's extra is not installed: pip install -e '.[site]'")

from autograder import ROOT
from autograder.course.cells import BEGIN, END, role_of
from autograder.course.labs import labs
from docs.site import build as site_build
from docs.site import conf
from docs.site.board.draw import fingerprint
from docs.site.board.mistakes import GROUPS, PICTURES, all_mistakes
from docs.site.live import export, pack
from tests.browser.live import is_live
from tests.syllabus import minimum
from utils.checks.exercise import load
from utils.explorables import CATALOGUE


def page_of(site, lab):
    return site / "labs" / lab.name / f"{lab.name}.html"


def test_every_lab_is_there_with_its_figures_and_formulas(site):
    front = (site / "index.html").read_text(encoding="utf-8")
    for lab in labs():
        page = page_of(site, lab).read_text(encoding="utf-8")
        assert f"labs/{lab.name}/{lab.name}.html" in front
        figures = set(re.findall(r'src="[./]*(_images/\w+\.(?:png|gif))"', page))
        least = minimum(lab)
        assert len(figures) >= least.figures and all((site / figure).stat().st_size > 1000 for figure in figures)
        assert page.count("<math") >= least.formulas and 'class="tex"' not in page, "a formula that was not translated"
        assert page.count("NotImplementedError") >= least.answers, "the student's cells"


def test_tables_and_formulas_of_outputs_are_drawn(site):
    """An output in Markdown is a table with formulas on the page, and not the text of one."""
    written = 0
    for lab in labs():
        page = site_build.Page(page_of(site, lab).read_text(encoding="utf-8"))
        text = site_build.squeeze("".join(page.words))
        assert not re.search(r"\|[-—:]+\|", text), "the ruler of a table"
        for cell in nbformat.read(lab.solution, as_version=4).cells:
            for output in cell.get("outputs", []):
                source = output.get("data", {}).get("text/markdown", "")
                formulas = re.findall(r"\$[^$]+\$", source)
                written += len(formulas)
                assert not [formula for formula in formulas if site_build.squeeze(formula) in text]
    assert written > 10


def test_the_syllabus_says_what_the_registry_says(site):
    words = " ".join(site_build.Page((site / "syllabus.html").read_text(encoding="utf-8")).words)
    for lab in labs():
        for entry in load(lab.short):
            assert entry.title in words and entry.name in words
        assert f"{sum(entry.points for entry in load(lab.short)):g}" in words.split()


def test_the_pages_of_each_reader_are_there(site):
    for name in ("docs/student.html", "docs/instructor.html", "CONTRIBUTING.html"):
        assert (site / name).is_file()


def test_no_page_holds_an_answer(site):
    """Another check than the build's own: all the code between the markers, and every model answer's sentences."""
    for lab in labs():
        text = site_build.squeeze("".join(site_build.Page(page_of(site, lab).read_text(encoding="utf-8")).words))
        for cell in nbformat.read(lab.solution, as_version=4).cells:
            if role_of(cell) == "answer":
                for part in re.findall(f"{BEGIN}(.*?){END}", cell.source, re.DOTALL):
                    assert site_build.squeeze(part) not in text
            elif role_of(cell) == "written":
                for sentence in re.findall(r"[A-Z][^.*`$|<]{40,}\.", cell.source):
                    assert site_build.squeeze(sentence) not in text
        assert "BEGINHIDDEN" not in text and "utils.checks.graded" not in text


def test_a_leaked_answer_and_a_broken_link_are_found(site, tmp_path):
    lab = labs()[0]
    answer = next(c for c in nbformat.read(lab.solution, as_version=4).cells if role_of(c) == "answer")
    (tmp_path / "leak.html").write_text(f"<pre>{answer.source.replace('<', '&lt;')}</pre>", encoding="utf-8")
    assert any(lab.name in problem for problem in site_build.answers_shown(tmp_path))
    (tmp_path / "links.html").write_text(
        '<a href="gone.html">x</a><a href="#nowhere">y</a><a href="https://example.org">fine</a>'
        '<script src="https://example.org/a.js"></script><h1 id="here"></h1><a href="#here">fine</a>'
    )
    (tmp_path / "style.css").write_text('@import "https://example.org/font.css";')
    problems = " | ".join(site_build.broken_links(tmp_path))
    assert "gone.html" in problems and "#nowhere" in problems and "a.js from elsewhere" in problems
    assert "font.css from elsewhere" in problems and "#here" not in problems and len(problems.split(" | ")) == 4


@pytest.mark.slow
def test_the_live_network_has_the_velocities_of_the_checkpoint(tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="the site's extra is not installed")
    pytest.importorskip("onnxscript", reason="the site's extra is not installed")
    session = runtime.InferenceSession(str(export.exported(tmp_path)))
    net = export.checkpoint()
    for batch in (1, 2, 20):
        x, t, y = torch.randn(batch, 1, 32, 32), torch.rand(batch, 1, 1, 1), torch.randint(0, 11, (batch,))
        (u,) = session.run(None, {"x": x.numpy(), "t": t.numpy(), "y": y.numpy()})
        with torch.no_grad():
            # Velocities are of size 1. Both compute in float32, in another order: 5e-6 was measured.
            assert (torch.from_numpy(u) - net(x, t, y)).abs().max() < 1e-4


def test_the_pieces_of_the_live_network_make_up_the_files(site):
    if not is_live(site):
        pytest.skip("npm or the ONNX exporter is missing")
    counts = json.loads((site / "live" / "pieces.js").read_text().split(" = ")[1].rstrip(";\n"))
    assert {"worker", "model", "reference", "wasm-code", "wasm-binary"} <= counts.keys()
    scripts = [(site / "live" / f"worker.{i}.js").read_text() for i in range(counts["worker"])]
    text = "".join(re.search(r'"([^"]*)"\);$', script.strip())[1] for script in scripts)
    assert gzip.decompress(base64.b64decode(text)) == (pack.HERE / "worker.js").read_bytes()


def test_without_npm_the_front_page_shows_a_film_and_the_build_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(pack, "MODULES", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert pack.install() == "npm is missing"
    assert "images/guidance.gif" in site_build.front_page(live=False)
    assert "live/page.js" not in site_build.front_page(live=False)
    assert "live/page.js" in site_build.front_page(live=True)


@pytest.mark.slow
def test_without_npm_all_but_the_live_part_is_built(site, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(pack, "MODULES", tmp_path / "node_modules")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert site_build.build(tmp_path / "site") == 0
    assert "without the live network, because npm is missing" in capsys.readouterr().err
    pages = [{str(path.relative_to(folder)) for path in folder.rglob("*.html")} for folder in (site, tmp_path / "site")]
    assert pages[0] == pages[1] and not (tmp_path / "site" / "live").exists()
    front = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "guidance.gif" in front and 'id="live"' not in front


def test_the_board_shows_what_the_grader_says_with_pictures_of_these_answers(site):
    page = (site / "mistakes.html").read_text(encoding="utf-8")
    drawn_from = json.loads((PICTURES / "drawn_from.json").read_text())
    assert len(all_mistakes()) >= 12
    for mistake in all_mistakes():
        assert f"{mistake.key}.png" in page and (site / "_static" / f"{mistake.key}.png").is_file()
        assert drawn_from[mistake.key] == fingerprint(mistake), "run: python -m docs.site.board.draw"
    assert page.count("<figcaption>") == len(all_mistakes()) + len(GROUPS), "a right answer heads each group"


def test_each_explorable_has_a_page_that_leads_to_its_lab_and_back(site):
    listed = (site / "explorables.html").read_text(encoding="utf-8")
    for name, explorable in CATALOGUE.items():
        page = (site / "explorables" / f"{name}.html").read_text(encoding="utf-8")
        assert f'data-explorable="{name}"' in page and "attachShadow" in page
        assert f"explorables/{name}.html" in listed and (site / "_static" / f"{name}.png").is_file()
        lab = next(lab for lab in labs() if lab.short == explorable.lab)
        assert f"../labs/{lab.name}/{lab.name}.html" in page
        assert f"../../explorables/{name}.html" in page_of(site, lab).read_text(encoding="utf-8")


def test_links_to_the_site_have_a_preview(site, monkeypatch):
    page = (site / "index.html").read_text(encoding="utf-8")
    assert 'property="og:title"' in page and 'property="og:description"' in page
    with Image.open(site / "_static" / "preview.png") as picture:
        assert picture.size == (1200, 630)
    # A preview needs the full address, which the workflow knows.
    monkeypatch.setattr(conf, "html_baseurl", "https://example.org/course/")
    context = {"title": "Lab 4"}
    conf.add_preview(None, "labs/lab4", "page.html", context, None)
    assert '"og:image" content="https://example.org/course/_static/preview.png"' in context["metatags"]
    assert '"og:url" content="https://example.org/course/labs/lab4.html"' in context["metatags"]


def test_the_workflow_publishes_what_make_site_builds():
    workflow = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    steps = re.findall(r"(?:uses: actions/|run: )(.+)", workflow)
    order = ["setup-python", "setup-node", "configure-pages", "make site", "upload-pages-artifact", "deploy-pages"]
    assert [step for step in (s.split("@")[0] for s in steps) if step in order] == order
    (published,) = re.findall(r"[ {]path: (\S+)", workflow)
    assert ROOT / published == site_build.SITE and "SITE_URL:" in workflow
    for lock in re.findall(r"cache-dependency-path: (\S+)", workflow):
        assert (ROOT / lock.rstrip(" }")).is_file()
    recipe = re.search(r"^site:.*\n\t(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert recipe and recipe[1].endswith("-m docs.site.build")


def test_every_picture_of_the_docs_is_shown_on_a_page():
    pages = [ROOT / "README.md", *(ROOT / guide for guide in site_build.GUIDES)]
    shown = {name for page in pages for name in re.findall(r"images/([\w-]+\.\w+)\)", page.read_text("utf-8"))}
    assert shown == {picture.name for picture in (ROOT / "docs" / "images").iterdir()}
