"""A course in a clean copy of the repository, JupyterLab started by the make target, and a headless Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder import ROOT
from autograder.course.cells import exercise_of, role_of
from autograder.course.labs import find_lab
from autograder.demo import CLASS, LOSS, make_class, with_mutant
from autograder.running.bubblewrap import bubblewrap
from tests.events import await_event

TOKEN = "a-token-for-tests"
# Closed networks refuse what Chromium asks for in the background; root needs --no-sandbox.
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
    "--hide-scrollbars",
]  # fmt: skip
# A quiet JupyterLab: no question about news, and all cells in the page at once.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": '{"fetchNews": "false"}',
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": '{"windowingMode": "none"}',
}

ESSAY = """\
*The skips.* In comes the map of a level of the way down, for 5 images on the finest grid `(5, 32, 16, 16)`; out
comes a map of the same shape, to which the map of the way up has been added. Without them the details are lost.

*The label embedding.* In come 5 labels, out come 5 rows of numbers, which are learned. Without it I could not ask
for a seven."""


@dataclass
class Course:
    root: Path  # a clean copy of the repository
    folder: Path  # the sample class: submissions, gradebook, feedback
    lab: str


@dataclass
class Server:
    address: str

    def url(self, path: str) -> str:
        return f"{self.address}/{path}?token={TOKEN}"


def environment(root: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(root),
        "LAB_BUDGET": "ci",
        "JUPYTERLAB_SETTINGS_DIR": str(root / ".settings"),
    }


WINDOWS: list[Any] = []  # of this process: none, or one


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    WINDOWS.append(window)
    yield window
    window.quit()


@pytest.fixture(scope="module", autouse=True)
def no_page_is_left_open():
    """Leave the last page of a file's tests: a film on it would take time from all tests that follow."""
    yield
    for window in WINDOWS:
        from selenium.common.exceptions import WebDriverException

        with contextlib.suppress(WebDriverException):
            window.get("about:blank")


@pytest.fixture(scope="session")
def course(browser, tmp_path_factory):
    """Three students, graded by the command that instructors use."""
    root = tmp_path_factory.mktemp("clone") / "course"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    for name, text in SETTINGS.items():
        (root / ".settings" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / ".settings" / name).write_text(text)
    lab = find_lab("lab4")
    make_class(lab, root / "demo" / "submitted", {"ada": half_right, "chi": CLASS["chi"]})
    write_my_lab(lab, root)
    command = [sys.executable, "-m", "autograder", "grade", lab.name, "--course", "demo"]
    command += ["--sandbox", "none"] if bubblewrap() is None else []
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Course(root, root / "demo", lab.name)


def half_right(lab) -> nbformat.NotebookNode:
    """Ada, with an essay of a student's: the picture of formgrader is public, and must not show a model answer."""
    notebook = CLASS["ada"](lab)
    essay = next(c for c in notebook.cells if role_of(c) == "written" and exercise_of(c) == "lab4.unet_essay")
    essay.source = ESSAY
    return notebook


def write_my_lab(lab, root: Path) -> None:
    """Write a student's lab with one known mistake, without the illustrations, which take time."""
    notebook = with_mutant(LOSS, "mask_inverted")(lab)
    keep = ("setup", "definitions", "answer", "check", "test", "written")
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown" or role_of(cell) in keep]
    for cell in notebook.cells:
        if role_of(cell) == "test":  # the hidden lines are not released
            cell.source = cell.source.split("\n")[0]
    nbformat.write(notebook, root / "labs" / lab.name / f"{lab.name}.ipynb")


@contextlib.contextmanager
def jupyterlab(root: Path, command: list[str], variable: str = ""):
    """Start JupyterLab in a folder, wait for its first answer, and stop it in the end.

    Args:
        root: the folder.
        command: the command; JupyterLab's flags are added to it.
        variable: if given, the flags are added as `variable=flags`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token={TOKEN} --allow-root"
    command = [*command, *([f"{variable}={flags}"] if variable else flags.split())]
    log = root / "jupyter.log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            command, cwd=root, env=environment(root), stdout=file, stderr=file, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2).close()
            return True
        except OSError:
            return False

    if not await_event(answers, process, "JupyterLab's first answer", 90):
        pytest.fail(f"`{command[0]}` did not start JupyterLab:\n{log.read_text()[-3000:]}")
    yield Server(address)
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def server(course):
    """`make course COURSE=demo`, as an instructor would type it. Its address."""
    venv = Path(sys.prefix)
    # The copy borrows this environment; --assume-old keeps make from installing the copy into it.
    command = ["make", f"--assume-old={venv}/.ready", "course", "COURSE=demo", f"VENV={venv}"]
    with jupyterlab(course.root, command, "JUPYTER") as running:
        yield running


@pytest.fixture
def shot(browser):
    """Save what the browser shows to docs/images, where LAB_SCREENSHOTS is set (`make screenshots`)."""

    def save(name: str) -> None:
        if os.environ.get("LAB_SCREENSHOTS"):
            import io

            from PIL import Image

            picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
            folder = ROOT / "docs" / "images"
            folder.mkdir(parents=True, exist_ok=True)
            picture.quantize(128, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)

    return save
