"""Lab 2's experiments: their settings, resuming, the command, the analysis; and what the stored results show."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from autograder import ROOT
from autograder.course.labs import find_lab
from utils import experiments
from utils.atoms import TwoAtoms
from utils.experiments import EXPERIMENTS, TRAINED, Answers, MissingAnswer, analysis, load_config, load_run, run
from utils.experiments.__main__ import main

SMALL = ["steps=12", "batch=16"]


@pytest.fixture(scope="module")
def answers() -> Answers:
    """The model answers of lab 2."""
    return Answers.from_notebook(find_lab("lab2").solution)


@pytest.fixture(autouse=True)
def ci(monkeypatch):
    """Run with the smallest budget."""
    monkeypatch.setenv("LAB_BUDGET", "ci")


@pytest.fixture(scope="module")
def finished(answers, tmp_path_factory):
    """A folder with two finished runs and one that was stopped."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_BUDGET", "ci")
        for name in ("no_regularizer", "fokker_planck"):
            run(name, answers, SMALL, runs=folder)
        stopped_run("consistency", answers, folder, 8)
    return folder


def stopped_run(name, answers, folder, step):
    """A run that dies at this step; its state is kept after every step before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "SAVE_SECONDS", -1.0)
        loss = experiments.RegularisedTrainer.get_train_loss

        def dying(trainer, batch_size):
            if len(trainer.history) == step:
                raise KeyboardInterrupt
            return loss(trainer, batch_size)

        patch.setattr(experiments.RegularisedTrainer, "get_train_loss", dying)
        with pytest.raises(KeyboardInterrupt):
            run(name, answers, SMALL, runs=folder)


def test_full_has_the_sources_numbers(monkeypatch):
    monkeypatch.setenv("LAB_BUDGET", "full")
    for name in TRAINED:
        config = load_config(name)
        assert (config.steps, config.batch, config.lr, config.seed) == (16_000, 512, 1e-3, 1234)
        assert (config.sigma_d, config.sigma_min, config.sigma_max) == (0.01, 0.001, 0.2)
    weights = {name: load_config(name).weight for name in TRAINED}
    assert weights == {
        "no_regularizer": 0.0, "analytical_regression": 1.0, "fokker_planck": 1e-5,
        "consistency": 1e-3, "consistency_with_analytical_guide": 1e-3,
    }  # fmt: skip
    assert load_config("fokker_planck").options.batch == 64
    assert load_config("consistency").options.steps == 5
    assert load_config("consistency_with_analytical_guide").options.guide == "exact"


def test_unknown_names_and_settings_are_named():
    with pytest.raises(KeyError, match="no experiment 'fokker'"):
        load_config("fokker")
    with pytest.raises(KeyError, match="wieght"):
        load_config("fokker_planck", ["wieght=1"])


@pytest.mark.parametrize("name", TRAINED)
def test_each_experiment_trains_every_parameter(answers, name):
    experiment = run(name, answers, SMALL, runs=None)
    assert len(experiment.history) == 12
    fresh, _ = experiments.prepare(experiment.config, answers, torch.device("cpu"))
    before = dict(fresh.model.named_parameters())
    assert all(not torch.equal(before[key], value) for key, value in experiment.model.named_parameters())


def test_the_regularisers_differ_from_the_first_step(answers):
    losses = {name: run(name, answers, ["steps=1", "batch=64"], runs=None).history[0] for name in TRAINED}
    assert len(set(losses.values())) == len(TRAINED)


def test_analytical_needs_no_training(answers):
    experiment = run("analytical", answers)
    x, t = torch.rand(5, 2), torch.rand(5, 1)
    assert experiment.model is None and experiment.history == []
    torch.testing.assert_close(experiment.score(x, t), answers.analytic_score(x, experiment.schedule.sigma(t), 0.01))
    assert float(analysis.error_by_time(experiment, grid=5, states=10)["uniform"].max()) == 0


def test_a_killed_run_continues_to_the_last_bit(answers, tmp_path):
    whole = run("consistency", answers, SMALL, runs=tmp_path / "whole")
    stopped_run("consistency", answers, tmp_path / "cut", 7)
    resumed = run("consistency", answers, SMALL, runs=tmp_path / "cut")
    assert resumed.history == whole.history
    for one, other in zip(resumed.model.parameters(), whole.model.parameters()):
        assert torch.equal(one, other)
    assert list((tmp_path / "cut" / "consistency" / "tensorboard").glob("events*"))


def test_other_settings_or_answers_start_again(answers, tmp_path, capsys):
    run("no_regularizer", answers, SMALL, runs=tmp_path)
    run("no_regularizer", answers, [*SMALL, "seed=5"], runs=tmp_path)
    assert "starting from the beginning" in capsys.readouterr().out

    class Other(answers.ScoreTrainer):
        def get_train_loss(self, batch_size):
            return 2 * super().get_train_loss(batch_size)

    run("no_regularizer", Answers(**{**vars(answers), "ScoreTrainer": Other}), [*SMALL, "seed=5"], runs=tmp_path)
    assert "starting from the beginning" in capsys.readouterr().out
    # an answer that it does not train with may change
    without = Answers(**{**vars(answers), "fokker_planck_residual": None})
    run("no_regularizer", answers, SMALL, runs=tmp_path / "b")
    run("no_regularizer", without, SMALL, runs=tmp_path / "b")
    assert "starting from the beginning" not in capsys.readouterr().out


def test_a_missing_answer_is_named(answers):
    with pytest.raises(MissingAnswer, match="fokker_planck_residual"):
        run("fokker_planck", Answers(**{**vars(answers), "fokker_planck_residual": None}), SMALL, runs=None)


def test_a_finished_run_is_loaded_and_an_unfinished_one_is_told(answers, finished):
    loaded = load_run("fokker_planck", answers, finished)
    x, t = torch.rand(5, 2), torch.rand(5, 1)
    again = run("fokker_planck", answers, SMALL, runs=finished)  # finished: nothing is trained
    assert torch.equal(loaded.model(x, t), again.model(x, t)) and len(again.history) == 12
    with pytest.raises(FileNotFoundError, match="stopped after 8 of 12 steps"):
        load_run("consistency", answers, finished)


@pytest.mark.slow
def test_analyse_takes_what_is_finished_and_says_what_is_missing(answers, finished, tmp_path, capsys, monkeypatch):
    small = analysis.measure
    monkeypatch.setattr(analysis, "measure", lambda e, **_: small(e, states=60, grid=6, frames=2))
    done = analysis.analyse(EXPERIMENTS, answers, finished, tmp_path, store=tmp_path / "kept.safetensors")
    assert done == ["analytical", "no_regularizer", "fokker_planck"]
    words = capsys.readouterr().out
    assert "no run of analytical_regression" in words and "consistency stopped after 8 of 12" in words
    figures = {path.stem for path in tmp_path.glob("*.png")}
    assert {
        "samples",
        "fields",
        "line",
        "radii",
        "errors",
        "losses",
        "marginals_analytical",
        "marginals_fokker_planck",
    } <= figures
    films = {path.stem for path in tmp_path.iterdir() if path.suffix in (".mp4", ".gif")}
    assert films == {f"field_{name}" for name in done}
    facts = json.loads((tmp_path / "summary.json").read_text())
    assert facts["fokker_planck"]["steps"] == 12 and facts["analytical"]["last loss"] is None
    assert list(analysis.stored_results(tmp_path / "kept.safetensors")) == done
    assert analysis.analyse(["analytical_regression"], answers, finished, tmp_path / "none") == []


def test_the_film_is_an_mp4_or_where_there_is_no_encoder_a_gif(answers, tmp_path, monkeypatch, capsys):
    import imageio.v2 as imageio
    from PIL import Image

    result = analysis.field(run("analytical", answers), frames=3, grid=6, bins=20, states=500)
    frames = analysis.film_frames(result, "exact score")
    assert len(frames) == 3 and all(side % 2 == 0 for side in frames[0].shape[:2])
    film = analysis.save_film(frames, tmp_path / "film")
    assert film.suffix == ".mp4" and film.read_bytes()[4:8] == b"ftyp"
    assert len(imageio.mimread(film)) >= 3

    def no_encoder(*_, **__):
        raise OSError("no ffmpeg")

    monkeypatch.setattr(imageio, "mimwrite", no_encoder)
    film = analysis.save_film(frames, tmp_path / "other")
    assert film.suffix == ".gif" and Image.open(film).n_frames >= 3 and "no MP4" in capsys.readouterr().out


def test_the_shells_command(tmp_path):
    notebook = str(find_lab("lab2").solution)
    command = [sys.executable, "-m", "utils.experiments"]
    environment = os.environ | {"LAB_BUDGET": "ci", "PYTHONPATH": str(ROOT)}
    options = ["--answers", notebook, "--runs", str(tmp_path / "runs")]
    done = subprocess.run([*command, "run", "no_regularizer", "steps=5", *options],
                          cwd=tmp_path, env=environment, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0 and "no_regularizer: 5 steps" in done.stdout, done.stderr


@pytest.mark.parametrize("words", [["run", "nothing"], ["run", "no_regularizer", "stps=5"], ["analyse", "nothing"]])
def test_a_wrong_command_ends_with_2_and_one_line(words, tmp_path, capsys):
    notebook = str(find_lab("lab2").solution)
    assert main([*words, "--answers", notebook, "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_blank_notebook_cannot_train_and_is_told(tmp_path, capsys):
    assert main(["run", "no_regularizer", "--answers", str(find_lab("lab2").student), "--runs", str(tmp_path)]) == 2
    assert "NotImplementedError" in capsys.readouterr().err
    assert main(["run", "no_regularizer", "--answers", str(tmp_path / "none.ipynb"), "--runs", str(tmp_path)]) == 2


# --- what the stored results show: the facts that the text tells


@pytest.fixture(scope="module")
def stored():
    """The stored results of the course."""
    return analysis.stored_results()


def at(result, key, t):
    return float(result[key][analysis.TIMES.index(t)])


def test_stored_results_are_of_all_experiments(stored):
    assert tuple(stored) == EXPERIMENTS
    assert all(len(stored[name]["history"]) >= 1000 for name in TRAINED)


def test_errors_are_large_where_data_are_rare_and_small_where_they_are_common(stored):
    for name in ("no_regularizer", "fokker_planck", "consistency", "consistency_with_analytical_guide"):
        for t in (0.2, 0.4, 0.6, 0.8):
            assert at(stored[name], "uniform", t) > 5 * at(stored[name], "weighted", t)
    assert max(float(stored[name]["weighted"].max()) for name in TRAINED) < 0.5


def test_only_the_oracle_helps_where_data_are_rare(stored):
    for t in (0.2, 0.4, 0.6):
        plain = at(stored["no_regularizer"], "uniform", t)
        assert at(stored["analytical_regression"], "uniform", t) < 0.25 * plain
        assert at(stored["fokker_planck"], "uniform", t) > 1.15 * plain
        for name in ("consistency", "consistency_with_analytical_guide"):
            assert at(stored[name], "uniform", t) == pytest.approx(plain, rel=0.2)


def test_walks_get_lost_where_the_score_has_vanished(stored):
    lost = {name: analysis.summary(result)["share beyond 0.06"] for name, result in stored.items()}
    assert lost["analytical"] == 0 and lost["analytical_regression"] < 0.005
    assert lost["no_regularizer"] < 0.05 and lost["fokker_planck"] > 0.15


def test_the_price_of_a_step(stored):
    price = {name: float(stored[name]["milliseconds"]) for name in TRAINED}
    assert price["fokker_planck"] > 1.5 * price["consistency"] > 1.5 * price["no_regularizer"]


def test_forward_states_have_both_orders(answers):
    schedule = answers.schedule(0.001, 0.2)
    x = analysis.noised_states(schedule, 0.0, 1000, 0.01, "cpu")
    assert ((x - torch.tensor([0.75, 0.25])).abs() < 0.1).all(dim=1).float().mean().item() == 0.5
    data, _ = TwoAtoms().sample(100)
    assert analysis.total_variation(x, x) == 0
    assert analysis.total_variation(data, data.flip(1)) == pytest.approx(1)
