"""The explorables in a real browser: they are moved, they are right, and they load nothing."""

from __future__ import annotations

import json
import sys

import nbformat
import numpy as np
import pytest
import torch

pytest.importorskip("selenium")

from nbconvert import HTMLExporter
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from autograder import ROOT
from solutions.explorables import numbers, samples
from tests.browser.conftest import SETTINGS, jupyterlab
from utils.explorables import CATALOGUE, show

# What such a page may do: run the scripts and show the pictures that it contains. Nothing is loaded.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
HEAD = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    "<script>window.faults = []; for (const kind of ['error', 'unhandledrejection', 'securitypolicyviolation'])"
    " addEventListener(kind, (e) => faults.push(`${kind}: ${e.message || e.reason || e.blockedURI}`));</script>"
)
CARD = "document.querySelector('[data-explorable]').explorable"
KEYS = [("two_gaussians", "w"), ("up_spins", "w"), ("ring_field", "sigma"), ("ring_walk", "k"),
        ("particle_cloud", "frame"), ("guided_digits", "w")]  # fmt: skip
SCALE = 1e-6  # the largest difference from Python's numbers, relative to numbers above 1


def as_output(name: str) -> nbformat.NotebookNode:
    data, metadata = show(name)._repr_mimebundle_()
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


class Card:
    """A card on the page that the browser shows."""

    def __init__(self, browser):
        self.browser = browser
        self.wait(f"const card = {CARD}; return Boolean(card) && !card.pending && card.stages[0].width > 0")

    def run(self, code: str, *arguments):
        return self.browser.execute_script(code, *arguments)

    def wait(self, code: str):
        return WebDriverWait(self.browser, 60).until(lambda b: b.execute_script(code))

    def change(self, **state):
        self.run(f"{CARD}.change(arguments[0])", state)

    def state(self) -> dict:
        return self.run(f"return {CARD}.state")

    def values(self) -> dict:
        return json.loads(self.run(f"return JSON.stringify({CARD}.values())"))

    def find(self, css: str):
        host = self.browser.find_element(By.CSS_SELECTOR, "[data-explorable]")
        return host.shadow_root.find_element(By.CSS_SELECTOR, css)

    def faults(self) -> list[str]:
        return self.run("return window.faults")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page for each explorable, with a strict policy."""
    folder = tmp_path_factory.mktemp("explorables")
    for name in CATALOGUE:
        text = f'<!doctype html><html lang="en"><meta charset="utf-8">{HEAD}<body>{show(name).html()}</body></html>'
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def opened(browser, pages):
    """Open the page of an explorable; afterwards, nothing on it may have failed or been blocked."""
    cards = []

    def open_page(name: str) -> Card:
        browser.get((pages / f"{name}.html").as_uri())
        cards.append(Card(browser))
        return cards[-1]

    yield open_page
    assert cards[-1].faults() == []
    loaded = "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"
    assert browser.execute_script(loaded) == []


def assert_same(actual, expected):
    actual, expected = (torch.as_tensor(np.asarray(v), dtype=torch.float64) for v in (actual, expected))
    assert actual.shape == expected.shape
    assert ((actual - expected).abs() / expected.abs().clamp(min=1)).max() < SCALE


@pytest.mark.parametrize(
    "t, w, x", [(0.15, 2.0, -0.4), (0.0, 0.0, 0.0), (0.01, 8.0, -2.75), (1.0, 3.0, 1.5), (0.4, 1.0, 3.0)]
)
def test_the_scores_on_the_line_are_those_of_automatic_differentiation(opened, t, w, x):
    card = opened("two_gaussians")
    card.change(t=t, w=w, x=x)
    actual = card.values()
    for key, value in numbers.two_gaussians(t, w, x).items():
        assert_same(actual[key], value)


@pytest.mark.parametrize("world, w", [(0, 3.0), (0, 0.0), (1, 1.0), (1, 7.3)])
def test_the_distributions_of_up_spins_are_pythons(opened, world, w):
    card = opened("up_spins")
    card.change(world=world, w=w, samples=True)
    actual = card.values()
    for key, value in numbers.up_spins(world, w).items():
        assert_same(actual[key], value)


@pytest.mark.parametrize("sigma, x, y", [(0.2, 0.3, 0.35), (0.01, 0.5001, 0.5), (0.5, 0.9, 0.1), (0.1, 0.25, 0.25)])
def test_the_pulls_of_the_copies_add_up_to_the_score_of_lab_2(opened, sigma, x, y):
    card = opened("ring_field")
    card.change(sigma=sigma, x=x, y=y)
    at, place = card.values(), numbers.vector(x, y)[None]
    exact = numbers.ring_score(place, sigma)[0]
    assert_same(at["score"], exact)
    assert_same(at["field"], exact)  # the sum that the grey arrows use
    assert_same(at["density"], numbers.ring_density(place, sigma)[0])
    card.change(copies=1)  # three copies for each atom
    assert_same(card.values()["error"], numbers.ring_score(place, sigma, (-1, 0, 1))[0] - exact)


def test_a_walk_on_the_ring_takes_the_steps_of_lab_2(opened):
    card = opened("ring_walk")
    actual = card.values()
    source = numbers.Random(card.state()["seed"])
    start, noise = numbers.vector(source.uniform(), source.uniform()), source.normals(63, 2)
    assert_same(actual["noise"], noise)
    assert_same(actual["states"], numbers.ring_walk(start, noise))
    assert actual["distance"][-1] < 0.05, "the walk ends near the crystal"


@pytest.mark.parametrize("w", [0.0, 4.0])
def test_the_particles_take_the_steps_of_lab_3(opened, w):
    card = opened("particle_cloud")
    card.change(w=w, frame=70)
    at = card.values()
    assert at["t"] == numbers.cloud_times()[70]
    for key, value in numbers.spread(*numbers.tilted_density(at["t"], w, 200)).items():
        assert_same(at["tilted"][key], value)
    few = json.loads(card.run(f"return JSON.stringify({CARD}.replay(3))"))
    noise = torch.tensor(few["noise"], dtype=torch.float64)
    start = torch.tensor(few["begin"], dtype=torch.float64).reshape(3, 2)
    ode = numbers.cloud_ode(start, w)
    assert_same(few["ode"], ode[-1].flatten())
    assert_same(few["half"], ode[50].flatten())
    sde = numbers.cloud_sde(start, w, noise.reshape(1000, 3, 2))
    assert_same(few["sde"], sde[-1].flatten())
    assert_same(few["half_sde"], sde[numbers.cloud_times()[50]].flatten())


def test_the_stored_digits_are_the_checkpoints(opened):
    card = opened("guided_digits")
    card.wait(f"return {CARD}.ready")
    walk = samples.digits()(3.0, samples.digit_noise()[:1], torch.tensor([4]))[0, :, 0]
    for t in (0, 2, 5):
        card.change(digit=4, w=3, t=t)
        at = card.values()
        assert (at["w"], at["t"]) == (3.0, t / 5)
        stored = torch.tensor(at["pixels"][0]).reshape(samples.SIDE, samples.SIDE)
        error = (stored.clamp(-1, 1) - walk[t].clamp(-1, 1)).abs().mean()
        assert error < 0.08, f"{error:.3f} of a range of 2 at t = {t / 5}: the sheet is compressed"
    card.change(t=0)
    noise = card.values()["pixels"]
    card.change(digit=9, w=0)
    assert card.values()["pixels"] == noise, "noise has no label"


def test_a_point_is_dragged_and_moved_by_keys(opened):
    card = opened("two_gaussians")
    point = card.find(".handle")
    before = card.state()["x"]
    ActionChains(card.browser).drag_and_drop_by_offset(point, 80, 5).perform()
    moved = card.state()["x"]
    width = card.run(f"return {CARD}.stages[0].width")
    assert moved - before == pytest.approx(80 * 7 / (width - 12), abs=0.05)
    point.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert card.state()["x"] == pytest.approx(moved - 0.1)
    said = f"x = {card.state()['x']:.2f}".replace("-", "−")
    # It is written with the next frame of the picture.
    WebDriverWait(card.browser, 60).until(lambda _: point.get_attribute("aria-valuetext") == said)
    ActionChains(card.browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    assert card.state()["x"] == pytest.approx(moved + 0.4)


def test_a_point_on_the_square_wraps_around(opened):
    card = opened("ring_field")
    card.change(x=0.98, y=0.5)
    point = card.find(".handle")
    point.send_keys(*[Keys.ARROW_RIGHT] * 4, Keys.ARROW_UP)
    assert (card.state()["x"], card.state()["y"]) == (pytest.approx(0.02), pytest.approx(0.51))
    before = card.values()["score"]
    ActionChains(card.browser).drag_and_drop_by_offset(point, 60, -40).perform()
    assert card.values()["score"] != before and card.state()["y"] > 0.55


@pytest.mark.parametrize("name, key", KEYS)
def test_sliders_are_labelled_and_moved_by_keys_and_the_focus_is_seen(opened, name, key):
    card = opened(name)
    slider = card.find(f"input[data-key={key}]")
    assert slider.accessible_name and slider.aria_role == "slider"
    before, sentence = card.state()[key], card.find(".says").text
    slider.send_keys(Keys.ARROW_LEFT)
    assert card.state()[key] < before and slider.get_attribute("aria-valuetext")
    card.wait(f"return !{CARD}.pending")
    assert card.find(".says").text != sentence or name == "particle_cloud", "the sentence follows"
    assert slider.value_of_css_property("outline-style") == "solid", "the focus is seen"


def test_a_walk_is_played_and_reduced_motion_jumps(opened, browser):
    card = opened("ring_walk")
    card.change(k=60)
    card.find("button[data-key=play]").click()
    card.wait(f"return {CARD}.state.k === 63 && !{CARD}.state.playing")
    reduced = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", reduced)
    try:
        card.change(k=5)
        card.find("button[data-key=play]").click()
        assert card.state()["k"] == 63 and not card.state()["playing"]
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def scheme(card: Card) -> str:
    return card.run("return document.querySelector('[data-explorable]').dataset.scheme")


def test_light_and_dark_follow_the_page_before_the_system(opened, browser):
    card = opened("two_gaussians")
    try:
        for system in ("dark", "light"):
            features = [{"name": "prefers-color-scheme", "value": system}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            card.wait(f"return document.querySelector('[data-explorable]').dataset.scheme === '{system}'")
            for attribute, value, expected in (
                ("data-jp-theme-light", "false", "dark"),
                ("data-jp-theme-light", "true", "light"),
                ("data-theme", "dark", "dark"),
                ("data-theme", "light", "light"),
            ):
                card.run("document.body.setAttribute(...arguments)", attribute, value)
                card.wait(f"return document.querySelector('[data-explorable]').dataset.scheme === '{expected}'")
                card.run("document.body.removeAttribute(arguments[0])", attribute)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_phone_shows_all_of_it(opened, browser, name):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        card = opened(name)
        assert card.run("return document.documentElement.scrollWidth") <= max(390, card.run("return innerWidth"))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_exported_page_shows_all_six_each_with_a_life_of_its_own(browser, tmp_path):
    cells = [nbformat.v4.new_code_cell("…", outputs=[as_output(name)]) for name in [*CATALOGUE, "two_gaussians"]]
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    (tmp_path / "page.html").write_text(page.replace("<head>", f"<head>{HEAD}", 1), encoding="utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    Card(browser)
    started = "return [...document.querySelectorAll('[data-explorable]')].map(e => Boolean(e.explorable))"
    assert browser.execute_script(started) == [True] * 7
    browser.execute_script(f"{CARD}.change({{w: 5}})")
    others = "return [...document.querySelectorAll('[data-explorable]')].map(e => e.explorable.state.w)"
    assert browser.execute_script(others)[::6] == [5, 2], "the second card of the same name did not change"


@pytest.fixture
def lab(browser, tmp_path, monkeypatch):
    """JupyterLab in a folder with one notebook, which imports this `utils`."""
    source = 'from utils import explorables\n\nexplorables.show("two_gaussians")'
    cells = [nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("1 + 1")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or JupyterLab asks for one
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "explorables.ipynb")
    for name, text in SETTINGS.items():
        (tmp_path / ".settings" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".settings" / name).write_text(text)
    (tmp_path / "utils").symlink_to(ROOT / "utils")
    command = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={tmp_path}"]
    with jupyterlab(tmp_path, command) as running:
        yield running


def test_cards_work_in_jupyterlab_and_keep_their_keys(browser, lab):
    browser.get(lab.url("lab/tree/explorables.ipynb"))
    WebDriverWait(browser, 90).until(lambda b: "Idle" in b.find_element(By.TAG_NAME, "body").text)
    WebDriverWait(browser, 60).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".jp-Notebook .cm-content"))[0].click()
    ActionChains(browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    WebDriverWait(browser, 90).until(lambda b: b.find_elements(By.CSS_SELECTOR, "[data-explorable]"))
    card = Card(browser)
    before = card.state()["x"]
    point = card.find(".handle")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    ActionChains(browser).drag_and_drop_by_offset(point, 60, 0).perform()
    dragged = card.state()["x"]
    assert dragged > before + 0.2
    active = (
        "return [...document.querySelectorAll('.jp-Notebook-cell')].map(c => c.classList.contains('jp-mod-active'))"
    )
    cells_before = browser.execute_script(active)
    point.send_keys(Keys.ARROW_DOWN, Keys.ARROW_LEFT)
    assert card.state()["x"] == pytest.approx(dragged - 0.1), "the keys reach the point"
    assert browser.execute_script(active) == cells_before, "and not JupyterLab"
    at = card.state()
    for key, value in numbers.two_gaussians(at["t"], at["w"], at["x"]).items():
        assert_same(card.values()[key], value)
    assert scheme(card) == "light"
    browser.execute_script("document.body.dataset.jpThemeLight = 'false'")
    card.wait("return document.querySelector('[data-explorable]').dataset.scheme === 'dark'")
