"""The command line of lab 2's experiments.

`python -m utils.experiments run NAME … --answers NOTEBOOK` trains; `analyse` draws figures of what has been trained.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from utils.experiments import EXPERIMENTS, RUNS, TRAINED, Answers, MissingAnswer, run


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command's words. None takes those of the process.

    Returns:
        The exit code: 0 if done, 1 if there was nothing to analyse, 2 for wrong input.
    """
    parser = argparse.ArgumentParser(prog="python -m utils.experiments", description="Lab 2's experiments.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, words in (
        ("run", "train experiments, or go on where they were stopped"),
        ("analyse", "figures and a video of what has been trained"),
    ):
        sub = commands.add_parser(command, help=words)
        kinds = f"{', '.join(EXPERIMENTS)}, or all; with `run`, settings such as steps=500 as well"
        sub.add_argument("names", nargs="*" if command == "analyse" else "+", metavar="NAME", help=kinds)
        sub.add_argument("--answers", type=Path, required=True, help="the notebook with your answers")
        sub.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs (%(default)s)")
    commands.choices["run"].add_argument("--fresh", action="store_true", help="forget an earlier run")
    commands.choices["analyse"].add_argument("--out", type=Path, default=Path("generated_artifacts"))
    commands.choices["analyse"].add_argument("--no-video", action="store_true")
    commands.choices["analyse"].add_argument("--store", type=Path, help="keep the figures' numbers in this file")
    options = parser.parse_args(arguments)
    settings = [word for word in options.names if "=" in word]
    names = [word for word in options.names if "=" not in word]
    try:
        answers = Answers.from_notebook(options.answers)
        if options.command == "analyse":
            from utils.experiments.analysis import analyse

            done = analyse(
                names or EXPERIMENTS, answers, options.runs, options.out, not options.no_video, options.store
            )
            return 0 if done else 1
        for name in TRAINED if names == ["all"] else names:
            finished = run(name, answers, settings, options.runs, options.fresh)
            tail = finished.history[-100:] or [float("nan")]
            print(
                f"{name}: {len(finished.history)} steps, {finished.milliseconds_a_step:.1f} ms a step, "
                f"last loss {sum(tail) / len(tail):.4f}"
            )
    except (KeyError, ValueError, MissingAnswer, OSError, NotImplementedError) as error:
        print(f"{type(error).__name__}: {error.args[0] if error.args else 'not answered yet'}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
