"""The live network on the front page: it draws what Python draws, on the reader's machine, and asks nobody else."""

from __future__ import annotations

import functools
import http.server
import threading
from urllib.parse import unquote, urlsplit

import psutil
import pytest
import torch

pytest.importorskip("selenium")
pytest.importorskip("sphinx", reason="the site's extra is not installed: pip install -e '.[site]'")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from autograder.validation.kill_matrix import solved_lab
from docs.site.live.export import NULL, checkpoint
from tests.browser.live import is_live
from utils.nets import DigitClassifier
from utils.training import CHECKPOINTS, load_weights

PATIENCE = 300  # seconds, for a busy machine
STEPS = 12
# What a page of the site may do when it may ask its own server only. Blobs are the worker and the runtime.
POLICY = "default-src 'self' blob: data: 'unsafe-inline' 'wasm-unsafe-eval'"
INK = (
    "const c = document.getElementById(arguments[0]);"
    "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 == 3)"
)
LIVE = "document.getElementById('live')"


@pytest.fixture(scope="module", name="site")
def live_site(site):
    """The site, if it has the live network."""
    if not is_live(site):
        pytest.skip("npm or the ONNX exporter is missing: the site has no live network")
    return site


@pytest.fixture
def page(browser, site):
    """The front page, opened from the disk, with its first digit."""
    return opened(browser, (site / "index.html").as_uri())


def opened(browser, address: str):
    browser.get(address)
    wait_for(browser, "done")
    return browser


def wait_for(browser, state: str) -> None:
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(f"return {LIVE}.dataset.state") == state)


def after(browser, kind: str, act) -> dict:
    """Do something, and return the walk that ends after it: kind, labels, w, steps, noise and x."""
    browser.execute_script(f"{LIVE}.dataset.kind = ''")
    act()
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(f"return {LIVE}.dataset.kind") == kind)
    return walk(browser)


def walk(browser) -> dict:
    return browser.execute_script(
        f"const {{kind, labels, w, steps, noise, walk}} = {LIVE}.result;"
        "return {kind, labels, w, steps, noise: [...noise], x: [...walk[walk.length - 1].x]}"
    )


def images(numbers: list[float]) -> torch.Tensor:
    return torch.tensor(numbers).reshape(-1, 1, 32, 32)


def drawn_by_python(walk: dict) -> torch.Tensor:
    """Draw with lab 4's model answers and PyTorch, from the browser's noise."""
    names = solved_lab("lab4").namespace
    simulator = names["EulerSimulator"](names["CFGVectorFieldODE"](checkpoint(), walk["w"], NULL))
    times = torch.linspace(0, 1, walk["steps"] + 1)
    return simulator.simulate(images(walk["noise"]), times, y=torch.tensor(walk["labels"]))


def test_a_digit_forms_and_the_browser_draws_what_python_draws(page, shot):
    first = walk(page)
    assert (first["kind"], first["labels"], first["w"], first["steps"]) == ("fresh", [3], 3, STEPS)
    # The worker counts what it evaluates: at each step one image without a label and one with it.
    assert page.execute_script(f"return {LIVE}.dataset.calls") == str(2 * STEPS)
    assert f"{2 * STEPS} evaluations" in page.find_element(By.ID, "live-status").text
    x, expected = images(first["x"]), drawn_by_python(first)
    assert (x - expected).abs().mean() < 0.05
    # The picture on the page is this image: opacity is ink.
    opacity = torch.tensor(page.execute_script(INK, "live-digit")).reshape(32, 32)
    assert (opacity - ((x[0, 0] + 1) / 2 * 255).clamp(0, 255)).abs().max() <= 1
    strip = page.execute_script(INK, "live-strip")
    assert len(strip) == 32 * 32 * (STEPS + 1) and sum(strip) > 0, "a picture of each step"
    page.execute_script(f"{LIVE}.scrollIntoView()")
    shot("live")


def test_dragging_w_changes_the_picture(page):
    before = page.execute_script(INK, "live-digit")
    slider = page.find_element(By.ID, "live-w")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", slider)
    box = page.execute_script("return arguments[0].getBoundingClientRect()", slider)

    def mouse(kind: str, share: float) -> None:
        """Press, move or release the mouse at a share of the slider's width."""
        place = {"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}
        event = {"type": f"mouse{kind}", "button": "left", "buttons": 1, "clickCount": 1, **place}
        page.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    for kind, share in (("Pressed", 0.3), ("Moved", 0.45), ("Moved", 0.62)):
        mouse(kind, share)
    # The picture follows while the slider is still held, with fewer steps.
    WebDriverWait(page, PATIENCE).until(
        lambda b: b.execute_script(
            f"return {LIVE}.dataset.kind === 'drag' && {LIVE}.result.w === Number(arguments[0].value)", slider
        )
    )
    held, during = walk(page), page.execute_script(INK, "live-digit")
    assert 5 < held["w"] < 8 and held["steps"] < STEPS and during != before
    mouse("Moved", 0.98)
    moved = after(page, "settle", lambda: mouse("Released", 0.98))
    assert page.execute_script(INK, "live-digit") != during
    assert moved["w"] > 9 and moved["labels"] == [3] and moved["noise"] == walk(page)["noise"]
    assert page.find_element(By.ID, "live-w-value").text == f"{moved['w']:.1f}"
    assert page.execute_script(INK, "live-digit") != before
    assert (images(moved["x"]) - drawn_by_python(moved)).abs().mean() < 0.05
    # By keyboard, down to the end of the scale.
    least = after(page, "settle", lambda: slider.send_keys(Keys.HOME))
    assert least["w"] == 0 and "ignored" in page.find_element(By.ID, "live-w-says").text


def test_the_picture_forms_step_by_step(page):
    seen = "const digit = document.getElementById('live-digit'); window.seen = [];"
    seen += "new MutationObserver(() => seen.push(digit.getAttribute('aria-label').split('t = ')[1]))"
    page.execute_script(seen + ".observe(digit, {attributeFilter: ['aria-label']})")
    after(page, "fresh", page.find_element(By.ID, "live-noise").click)
    assert page.execute_script("return seen") == [f"{i / STEPS:.2f}" for i in range(STEPS + 1)]


def test_ten_digits_are_python_s_and_the_page_does_not_freeze(page):
    """The page's own clock goes on at every step: a network on the page's thread would stop it during each."""
    page.execute_script("window.ticks = 0; setInterval(() => ticks++, 20)")
    ten = after(page, "ten", page.find_element(By.ID, "live-ten").click)
    assert page.execute_script("return ticks") > 4 * STEPS
    assert ten["labels"] == list(range(10)) and ten["steps"] == STEPS
    assert page.execute_script(f"return {LIVE}.dataset.calls") == str(2 * STEPS * 10)
    x = images(ten["x"])
    assert (x - drawn_by_python(ten)).abs().mean() < 0.05
    for k, canvas in enumerate(page.find_elements(By.CSS_SELECTOR, "#live-ten-row canvas")):
        read = "return [...arguments[0].getContext('2d').getImageData(0, 0, 32, 32).data].filter((_, i) => i % 4 == 3)"
        opacity = torch.tensor(page.execute_script(read, canvas)).reshape(32, 32)
        assert (opacity - ((x[k, 0] + 1) / 2 * 255).clamp(0, 255)).abs().max() <= 1


def test_a_bar_shows_how_much_has_been_loaded(browser, site):
    script = """
    window.shares = [];
    addEventListener("DOMContentLoaded", () => {
      const bar = document.getElementById("live-progress");
      const words = document.getElementById("live-progress-text");
      const look = () => shares.push([bar.getAttribute("value"), words.textContent, bar.offsetWidth > 50]);
      new MutationObserver(look).observe(bar, {attributeFilter: ["value"]});
    });"""
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        opened(browser, (site / "index.html").as_uri())
        *shares, starting = browser.execute_script("return shares")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    values = [float(value) for value, _, _ in shares]
    assert len(values) > 10 and values == sorted(values) and values[0] < 0.2 and values[-1] == 1
    assert [words for _, words, _ in shares] == [f"Loading the network: {int(100 * value + 0.5)} %" for value in values]
    assert all(visible for _, _, visible in shares) and starting[:2] == [None, "Starting the network"]
    assert not browser.find_element(By.ID, "live-loading").is_displayed()


def test_a_digit_is_chosen_and_noise_is_kept_or_renewed(page):
    first = walk(page)
    label = page.find_element(By.CSS_SELECTOR, "label[for=live-choice-7]")
    seven = after(page, "fresh", label.click)
    assert seven["labels"] == [7] and seven["noise"] == first["noise"] and seven["x"] != first["x"]
    fresh = after(page, "fresh", page.find_element(By.ID, "live-noise").click)
    assert fresh["noise"] != first["noise"] and fresh["labels"] == [7]
    noise = torch.tensor(fresh["noise"])
    assert abs(noise.mean()) < 0.2 and abs(noise.std() - 1) < 0.15  # 6 standard errors


def test_the_three_velocities_at_any_time(page):
    slider = page.find_element(By.ID, "live-t")
    slider.send_keys(Keys.HOME)
    assert page.find_element(By.ID, "live-at").text == "0.00"
    names = [f"live-{name}{end}" for name in ("unconditional", "conditional", "guided") for end in ("", "-end")]
    at_start = [page.execute_script(INK, name) for name in names]
    assert all(sum(picture) > 0 for picture in at_start) and len({tuple(picture) for picture in at_start}) == 6
    for _ in range(STEPS // 2):
        slider.send_keys(Keys.ARROW_RIGHT)
    assert page.find_element(By.ID, "live-at").text == "0.50"
    assert [page.execute_script(INK, name) for name in names] != at_start
    # Guided, at this time: (1 - w) times the first plus w times the second.
    unconditional, conditional = (
        torch.tensor(page.execute_script(f"return [...{LIVE}.result.walk[{STEPS // 2}].{name}]"))
        for name in ("unconditional", "conditional")
    )
    guided = (unconditional + 3 * (conditional - unconditional)).reshape(32, 32)
    opacity = torch.tensor(page.execute_script(INK, "live-guided")).reshape(32, 32)
    assert (opacity - (guided.abs() / 2.5 * 255).clamp(0, 255)).abs().max() <= 1


def test_no_other_host_is_asked_and_the_page_stays_light(browser, site):
    """All pages work under a policy that forbids every other host, and break the policy nowhere."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012, one server

        def end_headers(self):
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_request(self, *_):
            self.asked.append(unquote(urlsplit(self.path).path).lstrip("/"))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        browser.get_log("browser")
        opened(browser, f"http://127.0.0.1:{server.server_port}/index.html")
        front = set(Handler.asked)
        for path in sorted(site.rglob("*.html")):
            browser.get(f"http://127.0.0.1:{server.server_port}/{path.relative_to(site)}")
        assert not [entry for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]]
    finally:
        server.shutdown()
    sizes = {name: (site / name).stat().st_size for name in front if (site / name).is_file()}
    network = {name for name in sizes if name.startswith("live/") and name.split(".")[-2].isdigit()}
    assert len(network) > 10 and sum(size for name, size in sizes.items() if name not in network) < 1_000_000
    assert sum(sizes.values()) < 25_000_000


def test_where_webgpu_fails_webassembly_takes_over(browser, site):
    opened(browser, f"{(site / 'index.html').as_uri()}?backend=webgpu")
    assert browser.execute_script(f"return {LIVE}.dataset.backend") == "wasm", "this Chromium has no graphics card"
    assert "by WebAssembly" in browser.find_element(By.ID, "live-status").text


@pytest.mark.parametrize(
    "fault, sentence",
    [
        ("delete window.WebAssembly", "The network needs WebAssembly, which this browser does not offer."),
        ("window.Worker = class { constructor() { throw Error('no') } }", "could not be started in this browser."),
    ],
)
def test_where_the_network_cannot_run_there_is_a_film_and_a_sentence(browser, site, fault, sentence):
    script = {"source": fault}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        browser.get((site / "index.html").as_uri())
        wait_for(browser, "film")
        film = browser.find_element(By.CSS_SELECTOR, "#live-film img")
        WebDriverWait(browser, 60).until(lambda b: b.execute_script("return arguments[0].naturalWidth > 300", film))
        assert sentence in browser.find_element(By.ID, "live-film").text
        assert not browser.find_element(By.CSS_SELECTOR, ".live-card").is_displayed()
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_a_digit_takes_less_than_three_seconds_of_one_core(page):
    """Processor time of all of Chromium, because the time on the wall depends on the load of the machine."""

    def used() -> float:
        family = psutil.Process(page.service.process.pid).children(recursive=True)
        return sum(sum(process.cpu_times()[:2]) for process in family)

    begun = used()
    after(page, "fresh", page.find_element(By.ID, "live-noise").click)
    assert used() - begun < 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_digits_are_recognised(page):
    judge = DigitClassifier()
    load_weights(judge, CHECKPOINTS / "reference_classifier.safetensors")
    right = 0
    for round_ in range(10):
        button = page.find_element(By.ID, "live-noise" if round_ else "live-ten")
        ten = after(page, "ten", button.click)
        assert ten["labels"] == list(range(10)) and ten["w"] == 3
        with torch.no_grad():
            right += int((judge.eval()(images(ten["x"])).argmax(1) == torch.arange(10)).sum())
    assert right >= 97
