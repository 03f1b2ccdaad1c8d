"""Whether a built site has the live network."""

from __future__ import annotations

from pathlib import Path


def is_live(site: Path) -> bool:
    """Whether the site has the live network, for which npm and the ONNX exporter are needed."""
    return (site / "live" / "page.js").is_file()
