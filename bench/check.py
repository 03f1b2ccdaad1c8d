"""Compare the ratios in bench/results with the committed ones: `make bench-check`. Exit code 1 if one got much worse.

Seconds differ from machine to machine. A ratio of two ways that were measured in turns on one machine differs little,
so it can be compared with what another machine has measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
MEASURED_BY = {
    "grading.json": "bench.bench_grading",
    "lab4.json": "bench.bench_lab4",
    "start.json": "bench.bench_start",
}
MUCH_WORSE = 0.8  # of the committed ratio


def ratios(name: str, document: dict) -> dict[str, float]:
    """Return how many times faster ours is than the usual way, by what is compared.

    Args:
        name: the file of results.
        document: its content.
    """
    if name == "grading.json":
        return {key: value for key, value in document.items() if "ratio" in key}
    if name == "start.json":
        return {f"importing alone beside {key}": 1 / value for key, value in document["times"].items()}
    found = {}
    for device, entry in document.items():
        plain, ours = entry["speed"]["plain"], entry["speed"]["ours"]
        found[f"{device}: a sampled image"] = plain["seconds a sampled image"] / ours["seconds a sampled image"]
        found[f"{device}: a training image"] = an_image(plain) / an_image(ours)
    return found


def an_image(row: dict) -> float:
    """Return the seconds of a training step for each of its images."""
    return row["seconds a training step"] / row["images a training step"]


def worse(committed: dict[str, float], measured: dict[str, float]) -> list[str]:
    """Return a sentence for each ratio that is missing or less than `MUCH_WORSE` of the committed one."""
    found = []
    for what, before in committed.items():
        now = measured.get(what)
        if now is None:
            found.append(f"{what}: committed {before:.1f}, and not measured now")
        elif now < MUCH_WORSE * before:
            found.append(f"{what}: {now:.1f} times, and the committed result is {before:.1f} times")
    return found


def committed_results(name: str) -> dict:
    """Return a file of results as the last commit has it.

    Raises:
        subprocess.CalledProcessError: there is no such file in the last commit, or no repository.
    """
    words = ["git", "show", f"HEAD:bench/results/{name}"]
    return json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and compare with the committed results. The files of results then hold the new numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-run", action="store_true", help="compare what the files of results hold now")
    options = parser.parse_args(arguments)
    failed = []
    for name, module in MEASURED_BY.items():
        if not options.no_run:
            importlib.import_module(module).main([])
        before = ratios(name, committed_results(name))
        now = ratios(name, json.loads((RESULTS / name).read_text()))
        for what, value in now.items():
            print(f"{what}: {value:.1f} times; committed: {before.get(what, float('nan')):.1f}")
        failed += worse(before, now)
    for sentence in failed:
        print(f"more than a fifth worse: {sentence}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
