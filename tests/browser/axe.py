"""axe-core, the accessibility checker, run in the browser's page: the site's copy, or one fetched from npm."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

from docs.site.live.pack import MODULES

VERSION = "4.14.1"
SERIOUS = ("serious", "critical")
# Widths of a laptop and of a phone, in both colour schemes.
VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(
    result => done(result.violations.map(v => [v.impact, v.id, v.help, v.nodes.map(n => n.html.slice(0, 200))])),
    error => done([["critical", "axe", String(error), []]]));
"""


@cache
def source() -> str:
    """Return axe's script, or skip the test where npm is missing or reaches no registry."""
    installed = MODULES / "axe-core" / "axe.min.js"
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so axe-core cannot be fetched")
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", f"axe-core@{VERSION}", "--silent"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
        archives = list(Path(folder).glob("axe-core-*.tgz"))
        if done.returncode or not archives:
            pytest.skip(f"npm could not fetch axe-core: {done.stderr[-200:]}")
        with tarfile.open(archives[0]) as archive:
            file = archive.extractfile("package/axe.min.js")
            assert file is not None
            return file.read().decode()


def show(browser, address: str, width: int, scheme: str) -> None:
    """Open a page at a width, in a colour scheme."""
    phone = width < 500
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": phone},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get(address)


def reset(browser) -> None:
    """Return to the browser's own window and colours."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def faults(browser) -> list[str]:
    """Return the serious faults of the open page, one line each with its first places."""
    browser.execute_script(source())
    browser.set_script_timeout(120)
    found = browser.execute_async_script(RUN)
    return [
        f"{impact} {name}: {words} ({len(places)}) {places[:3]}"
        for impact, name, words, places in found
        if impact in SERIOUS
    ]


def sideways(browser) -> int:
    """Return by how many pixels the page is wider than the window."""
    return browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
