"""The site, built once for all tests of one process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from docs.site import build


@cache
def built_site() -> Path:
    """Build the site, and return its folder."""
    root = Path(tempfile.mkdtemp(prefix="site-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    assert build.build(root / "site") == 0, "a link, or an answer: see above"
    return root / "site"


def is_live(site: Path) -> bool:
    """Whether the site has the live network, for which npm and the ONNX exporter are needed."""
    return (site / "live" / "page.js").is_file()
