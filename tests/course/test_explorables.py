"""Explorables as outputs: small, whole without a network, and with a still picture where no script runs."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess

import pytest
import torch
from PIL import Image

from autograder.gradebook.outputs import safe_outputs
from autograder.running.outputs import read_outputs
from utils.explorables import CATALOGUE, show
from utils.explorables.card import HERE, WIDTH
from utils.pdf import output_block
from utils.toy_problems import all_down, ferromagnet, up_spin_pmf

MOST_BYTES = 300_000


def output(name: str) -> dict:
    data, metadata = show(name)._repr_mimebundle_()
    return {"output_type": "display_data", "data": data, "metadata": metadata}


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_output_is_small(name):
    size = len(json.dumps(output(name)))
    print(f"{name}: {size / 1000:.0f} kB")
    assert size < MOST_BYTES


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_still_picture_comes_with_its_caption(name):
    found = output(name)
    with Image.open(io.BytesIO(base64.b64decode(found["data"]["image/png"]))) as picture:
        assert picture.width == WIDTH and picture.height > 250
    assert found["metadata"]["image/png"]["alt"] == CATALOGUE[name].caption
    assert CATALOGUE[name].caption in found["data"]["text/plain"]
    assert len(re.findall(r"\.(?: |$)", CATALOGUE[name].idea)) == 3, "three sentences"


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_code_names_no_other_host_and_no_way_to_one(name):
    page = show(name).html()
    assert "https:" not in page and "http:" not in page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b|@import|url\(|WebSocket|eval\(", page)
    assert page.count("</script") == 1, "nothing in the code may end the script"


@pytest.mark.parametrize("name", CATALOGUE)
def test_feedback_shows_the_still_picture(name):
    (read,) = read_outputs(json.dumps({"outputs": [output(name)]}).encode())["outputs"]
    (shown,) = safe_outputs([read])
    assert "text/html" not in shown.data and shown.data["image/png"] == output(name)["data"]["image/png"]
    assert CATALOGUE[name].caption in shown.metadata["image/png"]["alt"]


def test_html_without_a_script_is_shown_beside_a_picture():
    both = {"text/html": "<b>x</b>", "image/png": "aGk=", "text/plain": "x"}
    (shown,) = safe_outputs([{"output_type": "display_data", "data": both}])
    assert shown.data["text/html"] == "<b>x</b>"


def test_the_pdf_shows_the_still_picture(tmp_path):
    from nbformat import from_dict

    assert output_block(from_dict(output("two_gaussians")), tmp_path)["t"] == "RawBlock"
    (picture,) = tmp_path.iterdir()
    with Image.open(picture) as saved:
        assert saved.width == WIDTH


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="ring_walk"):
        show("ring_wlak")


def test_stored_samples_follow_the_exact_distribution_where_it_is_known():
    stored = json.loads((HERE / "stored" / "up_spins.json").read_text())
    for problem, rows in zip((ferromagnet(), all_down()), stored["counts"]):
        per_class = up_spin_pmf(problem)
        for w, exact in ((0.0, problem.prior @ per_class), (1.0, per_class[0])):
            counts = torch.tensor(rows[stored["w"].index(w)]).double()
            assert counts.sum() == stored["samples"]
            assert (counts / counts.sum() - exact).abs().max() < 0.07, "120 steps leave an error of 0.06"


def test_every_file_is_in_the_repository():
    """Git ignores some folders by their names, and a card without its stored numbers is still a card."""
    listed = subprocess.run(["git", "ls-files", HERE], cwd=HERE, capture_output=True, text=True, check=True).stdout
    files = [path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) == len(listed.splitlines()) and "const STORED" in show("guided_digits").html()


def test_every_file_belongs_to_an_explorable():
    assert {path.stem for path in (HERE / "stills").glob("*.png")} == set(CATALOGUE)
    assert {path.stem for path in (HERE / "js").glob("*.js")} == {*CATALOGUE, "frame"}
