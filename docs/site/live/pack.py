"""Lay out the live part of the site: lab 4's network, and the runtime that evaluates it in the browser.

Pages that are opened from the disk may not fetch files, but they may load scripts. So every file that the page needs is
compressed, written in base64 and cut into scripts, which also tells the page how much has been loaded.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from pathlib import Path

from docs.site.live.export import exported, reference

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
RUNTIME = MODULES / "onnxruntime-web" / "dist"
PAGE = ("page.js", "loader.js", "drawing.js", "live.css")
PIECE = 500_000  # letters of one script


def install() -> str:
    """Install the packages of package-lock.json, and return why that failed, or nothing."""
    if (MODULES / ".package-lock.json").is_file() and RUNTIME.is_dir():
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is missing"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return "" if done.returncode == 0 else f"`npm ci` failed: {done.stderr.strip()[-500:]}"


def pack(site: Path, cache: Path) -> None:
    """Write the folder `live` of the site.

    Args:
        site: the folder of the site.
        cache: where the exported network is kept for the next build.
    """
    folder = site / "live"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in PAGE:
        shutil.copy(HERE / name, folder / name)
    parts = {
        "worker": (HERE / "worker.js").read_bytes(),
        "model": exported(cache).read_bytes(),
        "reference": reference().encode(),
        "wasm-code": (RUNTIME / "ort.wasm.bundle.min.mjs").read_bytes(),
        "wasm-binary": (RUNTIME / "ort-wasm-simd-threaded.wasm").read_bytes(),
        "webgpu-code": (RUNTIME / "ort.jspi.bundle.min.mjs").read_bytes(),
        "webgpu-binary": (RUNTIME / "ort-wasm-simd-threaded.jspi.wasm").read_bytes(),
    }
    pieces = {name: write_pieces(folder, name, content) for name, content in parts.items()}
    (folder / "pieces.js").write_text(f"window.livePieces = {json.dumps(pieces)};\n")


def write_pieces(folder: Path, name: str, content: bytes) -> int:
    """Write a file as scripts that call `livePiece(name, index, text)`, and return their number."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    starts = range(0, len(text), PIECE)
    for index, start in enumerate(starts):
        script = f'livePiece("{name}", {index}, "{text[start : start + PIECE]}");\n'
        (folder / f"{name}.{index}.js").write_text(script)
    return len(starts)
