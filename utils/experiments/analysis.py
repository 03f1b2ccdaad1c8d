"""What lab 2's experiments show: the command that measures and draws them, their stored results, and one table.

`measure` turns a finished experiment into tensors; the `draw_…` functions turn `{name: tensors}` into figures. So
stored tensors can be drawn too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
from torch import Tensor

from utils import plotting
from utils.experiments import EXPERIMENTS, Answers, Experiment, load_run
from utils.experiments.figures import (
    STYLES,
    draw_errors,
    draw_field,
    draw_line,
    draw_losses,
    draw_marginals,
    draw_radii,
    draw_samples,
    draw_snapshots,
    exact_line,
    title_of,
)
from utils.experiments.film import film_frames, save_film, save_gif, show_film
from utils.experiments.measurements import (
    LINE_TIMES,
    TIMES,
    Results,
    error_by_time,
    field,
    measure,
    noised_states,
    score_along_line,
    summary,
    total_variation,
    walks,
)
from utils.training import CHECKPOINTS, load_tensors, save_tensors

__all__ = [  # the notebook needs one import: `from utils.experiments import analysis`
    "LINE_TIMES", "STYLES", "TIMES", "Results", "analyse", "draw_errors", "draw_field", "draw_line", "draw_losses",
    "draw_marginals", "draw_radii", "draw_samples", "draw_snapshots", "error_by_time", "exact_line", "field",
    "film_frames", "measure", "noised_states", "print_table", "save_film", "save_gif",
    "score_along_line", "show_film", "store_results", "stored_results", "summary", "title_of", "total_variation",
    "walks",
]  # fmt: skip


def analyse(
    names: Iterable[str], answers: Answers, runs: Path, out: Path, video: bool = True, store: Path | None = None
) -> list[str]:
    """Measure and draw the finished experiments, and print which are missing.

    Args:
        names: names of experiments.
        answers: the student's functions.
        runs: the folder of the runs.
        out: the folder for figures, films and `summary.json`.
        video: whether to make films of the score field.
        store: a file for the numbers behind the figures, or None.

    Returns:
        The names of the finished experiments.

    Raises:
        KeyError: there is no experiment of that name.
    """
    import matplotlib

    matplotlib.use("Agg")
    plotting.use_style()
    experiments = finished_runs(names, answers, runs)
    results = {}
    for experiment in experiments:
        print(f"measuring {experiment.name}")
        results[experiment.name] = measure(experiment, states=10_000, frames=61 if video else 0)
    if not results:
        print("nothing to analyse: no experiment is finished")
        return []
    out.mkdir(parents=True, exist_ok=True)
    if store:
        print(f"written: {store_results(results, store)}")
    for name, draw in all_figures(results, experiments[-1]).items():
        figure = draw()
        figure.savefig(out / f"{name}.png", dpi=130)
        plt.close(figure)
        print(f"written: {out / f'{name}.png'}")
    if video:
        for name, result in results.items():
            print(f"written: {save_film(film_frames(result, title_of(name), dpi=120), out / f'field_{name}')}")
    summaries = {name: summary(result) for name, result in results.items()}
    (out / "summary.json").write_text(json.dumps(summaries, indent=1) + "\n")
    print(f"written: {out / 'summary.json'}")
    return list(results)


def finished_runs(names: Iterable[str], answers: Answers, runs: Path) -> list[Experiment]:
    """Load the runs that are finished, and print which are missing.

    Args:
        names: names of experiments. A repeated name counts once.
        answers: the student's functions.
        runs: the folder of the runs.

    Returns:
        The finished experiments in the order of the names.

    Raises:
        KeyError: there is no experiment of that name.
    """
    finished = []
    for name in dict.fromkeys(names):
        if name not in EXPERIMENTS:
            raise KeyError(f"there is no experiment '{name}'; there are {', '.join(EXPERIMENTS)}")
        try:
            finished.append(load_run(name, answers, runs))
        except FileNotFoundError as error:
            print(f"missing: {error}")
    return finished


def all_figures(results: Results, experiment: Experiment) -> dict[str, Callable[[], plt.Figure]]:
    """Return the functions that draw all figures, by the name of their file.

    Args:
        results: the measurements by experiment, at least one.
        experiment: one of the experiments; all share sigma_d and sigma_min.

    Returns:
        A function without arguments for each figure.
    """
    trained = {name: result for name, result in results.items() if len(result["history"])}
    learned = {name: result for name, result in results.items() if name != "analytical"}
    config = experiment.config
    figures: dict[str, Callable[[], plt.Figure]] = {
        "fields": lambda: draw_snapshots(results),
        "samples": lambda: draw_samples(results),
        "line": lambda: draw_line(learned | exact_line(results)),
        "radii": lambda: draw_radii(results, config.sigma_d, config.sigma_min),
        **{f"marginals_{name}": partial(draw_marginals, results[name], title_of(name)) for name in results},
    }
    if trained:
        figures |= {"errors": lambda: draw_errors(trained), "losses": lambda: draw_losses(trained)}
    return figures


STORED = CHECKPOINTS / "lab2_results.safetensors"


def store_results(results: Results, path: Path = STORED) -> Path:
    """Write what the notebook's figures need to a file, for students whose earlier answer is missing.

    Args:
        results: the measurements by experiment.
        path: the file to write.

    Returns:
        The file.
    """
    shown = ("analytical", "no_regularizer")  # the films and the marginals are of these two
    tensors = {}
    for name, result in results.items():
        for key, value in result.items():
            if key in ("field", "density"):
                value = value[:: max(1, len(value) // 15)].half()
            if key == "film_times":
                value = value[:: max(1, len(value) // 15)]
            if key in ("walk", "forward"):
                value = value[:, :1000].clone()
            if name in shown or key not in ("field", "density", "film_times", "forward"):
                tensors[f"{name}/{key}"] = value
    save_tensors(tensors, path)
    return path


def stored_results(path: Path = STORED) -> dict[str, dict[str, Tensor]]:
    """Read what `store_results` wrote.

    Args:
        path: the file.

    Returns:
        The measurements by experiment.

    Raises:
        FileNotFoundError: there is no such file.
    """
    results: dict[str, dict[str, Tensor]] = {}
    for key, value in load_tensors(path)[0].items():
        name, key = key.split("/")
        results.setdefault(name, {})[key] = value.float()
    return {name: results[name] for name in EXPERIMENTS if name in results}


def print_table(results: Results, times: Iterable[float] = (0.2, 0.4, 0.6, 0.8, 1.0)) -> None:
    """Print the time of a step and the errors of each experiment, and last those of a network that returns 0.

    Each pair of numbers is the error anywhere / where the states are.

    Args:
        results: the measurements by experiment.
        times: which of `TIMES` to show.
    """
    columns = [TIMES.index(t) for t in times]

    def in_columns(anywhere: Tensor, common: Tensor) -> str:
        return "".join(f"{anywhere[i]:7.2f} / {common[i]:.2f}".rjust(15) for i in columns)

    print("regulariser".ljust(36) + "ms a step" + "".join(f"t = {t:g}".rjust(15) for t in times))
    for name, result in results.items():
        cells = in_columns(result["uniform"], result["weighted"])
        print(title_of(name).ljust(36) + f"{float(result['milliseconds']):9.1f}" + cells)
    any_of_them = next(iter(results.values()), {})
    if "uniform_of_nothing" in any_of_them:
        cells = in_columns(any_of_them["uniform_of_nothing"], any_of_them["weighted_of_nothing"])
        print("a network that returns 0".ljust(45) + cells)
    print("each pair: error of sigma · score anywhere / where the states are")
