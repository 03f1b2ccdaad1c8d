"""Lab 2's experiments: the same small network, trained with different regularisers.

In the notebook: `run("fokker_planck", Answers.of(globals()))`. In a shell:
`python -m utils.experiments run fokker_planck --answers NOTEBOOK`. The graded functions come from the notebook.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from utils.atoms import NoiseSchedule, TwoAtoms
from utils.experiments.answers import Answers, MissingAnswer
from utils.experiments.regularisers import NEEDS, REGULARISERS, score_of
from utils.nets import EquivariantMLP
from utils.runtime import current_budget, seed_everything
from utils.training import Trainer, load_tensors

__all__ = ["EXPERIMENTS", "Answers", "Experiment", "MissingAnswer", "load_config", "load_run", "run"]

FOLDER = Path(__file__).parent
TRAINED = (
    "no_regularizer",
    "analytical_regression",
    "fokker_planck",
    "consistency",
    "consistency_with_analytical_guide",
)
EXPERIMENTS = ("analytical", *TRAINED)
RUNS = Path("runs/lab2")
CPU = torch.device("cpu")
SAVE_SECONDS = 10.0  # a run that is killed loses no more than this


def load_config(name: str, overrides: Sequence[str] = ()) -> DictConfig:
    """Merge base.yaml, NAME.yaml, the settings of the budget, and overrides such as `steps=500`; later ones win.

    Args:
        name: one of `EXPERIMENTS`.
        overrides: settings as `name=value`.

    Returns:
        The configuration.

    Raises:
        KeyError: there is no such experiment, setting or regulariser.
    """
    if name not in EXPERIMENTS:
        raise KeyError(f"there is no experiment '{name}'; there are {', '.join(EXPERIMENTS)}")
    config = merged(OmegaConf.load(FOLDER / "base.yaml"), OmegaConf.load(FOLDER / f"{name}.yaml"))
    budget = config.pop("budgets").get(current_budget(CPU).name, {})
    given = OmegaConf.from_dotlist(list(overrides))
    if unknown := set(given) - set(config):
        raise KeyError(f"unknown setting {', '.join(sorted(unknown))}; there are {', '.join(sorted(config))}")
    config = merged(config, {} if name == "analytical" else budget, given, {"name": name})
    if config.regulariser is not None and config.regulariser not in REGULARISERS:
        raise KeyError(f"there is no regulariser '{config.regulariser}'; there are {', '.join(REGULARISERS)}")
    return config


def merged(*configs: Any) -> DictConfig:
    """Merge configurations; later ones win.

    Args:
        *configs: mappings, or configurations of OmegaConf.

    Returns:
        A new configuration.

    Raises:
        ValueError: the result is a list, because a file holds one.
    """
    config = OmegaConf.merge(*configs)
    if not isinstance(config, DictConfig):
        raise ValueError("a configuration maps names to settings; this one is a list")
    return config


@dataclass
class Experiment:
    """A finished experiment.

    Args:
        config: its configuration.
        schedule: its noise schedule.
        answers: the student's functions.
        model: its network; None for `analytical`.
        history: the loss of every step.
        seconds: the time that training took.
    """

    config: DictConfig
    schedule: NoiseSchedule
    answers: Answers
    model: EquivariantMLP | None = None
    history: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The experiment's name.

        Returns:
            One of `EXPERIMENTS`.
        """
        return self.config.name

    @property
    def title(self) -> str:
        """The experiment's title.

        Returns:
            The title in its configuration.
        """
        return self.config.title

    @property
    def milliseconds_a_step(self) -> float:
        """The mean time of a training step.

        Returns:
            Milliseconds.
        """
        return 1000 * self.seconds / max(1, len(self.history))

    def score(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the score, which is not multiplied by sigma.

        Args:
            x: states, shape (b, 2).
            t: times in [0, 1], shape (b, 1).

        Returns:
            The learned score, or the exact one for `analytical`, shape of x.
        """
        if self.model is None:
            return self.exact_score(x, t)
        return score_of(self.model, self.schedule)(x, t)

    def exact_score(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the exact score, computed by the student's `analytic_score`.

        Args:
            x: states, shape (b, 2).
            t: times in [0, 1], shape (b, 1).

        Returns:
            The scores, shape of x.

        Raises:
            MissingAnswer: the notebook does not define `analytic_score`.
        """
        return self.answers.need("analytic_score")(x, self.schedule.sigma(t), self.config.sigma_d)


class RegularisedTrainer(Trainer):
    """A trainer on the student's loss plus a weight times the regulariser.

    Args:
        trainer: the student's trainer.
        config: the experiment's configuration.
        answers: the student's functions.
        schedule: the noise schedule.
    """

    def __init__(self, trainer: Trainer, config: DictConfig, answers: Answers, schedule: NoiseSchedule):
        super().__init__(trainer.model)
        self.trainer, self.config, self.answers, self.schedule = trainer, config, answers, schedule

    def get_train_loss(self, batch_size: int) -> Tensor:
        """Return the loss of one random batch.

        Args:
            batch_size: how many states, at least 1.

        Returns:
            The loss, shape ().
        """
        # By place, because the student's method may give its argument another name.
        loss = self.trainer.get_train_loss(batch_size)  # type: ignore[call-arg]
        if self.config.regulariser is None:
            return loss
        options: dict[str, Any] = {"batch": batch_size, **self.config.options}
        regulariser = REGULARISERS[self.config.regulariser]
        extra = regulariser(self.model, self.schedule, self.answers, sigma_d=self.config.sigma_d, **options)
        return loss + self.config.weight * extra


def run(
    name: str,
    answers: Answers,
    overrides: Sequence[str] = (),
    runs: str | Path | None = RUNS,
    fresh: bool = False,
    device: torch.device | str = CPU,
) -> Experiment:
    """Train one experiment, or continue it where it stopped.

    State, configuration and TensorBoard's logs are kept in `runs/NAME`. If the settings or the answers have changed
    since, the run starts again from the beginning and prints so.

    Args:
        name: one of `EXPERIMENTS`.
        answers: the student's functions.
        overrides: settings as `name=value`.
        runs: the folder of the runs. None writes nothing.
        fresh: start from the beginning in any case.
        device: where to train. So small a network is as fast on the CPU as on a GPU.

    Returns:
        The finished experiment.

    Raises:
        KeyError: there is no such experiment or setting.
        MissingAnswer: an answer that it needs is missing.
    """
    config = load_config(name, overrides)
    experiment, trainer = prepare(config, answers, torch.device(device))
    if trainer is None or experiment.model is None:
        return experiment
    checkpoint = logdir = None
    if runs is not None:
        folder = Path(runs) / name
        card = merged(config, {"answers": answers.fingerprint(needed(config))})
        if folder.exists() and (fresh or not same_card(folder, card)):
            if not fresh:
                print(f"{name}: settings or answers have changed since the last run; starting from the beginning.")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(card, folder / "config.yaml")
        checkpoint, logdir = folder / "state.safetensors", folder / "tensorboard"
    trainer.train(
        config.steps,
        next(experiment.model.parameters()).device,
        lr=config.lr,
        batch_size=config.batch,
        checkpoint=checkpoint,
        save_seconds=SAVE_SECONDS,
        logdir=logdir,
    )
    experiment.history, experiment.seconds = trainer.history, trainer.seconds
    return experiment


def prepare(config: DictConfig, answers: Answers, device: torch.device) -> tuple[Experiment, Trainer | None]:
    """Make an experiment before training, and its trainer.

    Args:
        config: the configuration.
        answers: the student's functions.
        device: where to train.

    Returns:
        The experiment, and its trainer; None if nothing is trained.

    Raises:
        MissingAnswer: an answer that it needs is missing.
    """
    schedule = answers.schedule(config.sigma_min, config.sigma_max)
    if config.steps == 0:
        answers.need("analytic_score")
        return Experiment(config, schedule, answers), None
    seed_everything(config.seed)
    model = EquivariantMLP(**config.network).to(device)
    data = TwoAtoms(config.sigma_d, device)
    trainer = answers.need("ScoreTrainer")(schedule, model, data)
    return Experiment(config, schedule, answers, model), RegularisedTrainer(trainer, config, answers, schedule)


def needed(config: DictConfig) -> list[str]:
    """List the answers that an experiment trains with.

    Args:
        config: the configuration.

    Returns:
        Names of the student's functions and classes.
    """
    names = ["ExponentialNoise", "ScoreTrainer", *NEEDS.get(config.regulariser, ())]
    return [*names, "analytic_score"] if config.options.get("guide") == "exact" else names


def same_card(folder: Path, card: DictConfig) -> bool:
    """Return whether a folder holds a run of these settings and answers. The number of steps may differ.

    Args:
        folder: the run's folder.
        card: the configuration, with the answers' fingerprint.

    Returns:
        True if the run can be continued.
    """
    try:
        old = OmegaConf.load(folder / "config.yaml")
    except (FileNotFoundError, OSError):
        return False
    return OmegaConf.to_container(OmegaConf.merge(old, {"steps": card.steps})) == OmegaConf.to_container(card)


def load_run(name: str, answers: Answers, runs: str | Path = RUNS, device: torch.device | str = CPU) -> Experiment:
    """Load a finished run.

    Args:
        name: one of `EXPERIMENTS`.
        answers: the student's functions.
        runs: the folder of the runs.
        device: where the network goes.

    Returns:
        The finished experiment.

    Raises:
        FileNotFoundError: there is no such run, or it is not finished. The message names the command that makes it.
    """
    device = torch.device(device)
    if name == "analytical":
        return prepare(load_config(name), answers, device)[0]
    folder = Path(runs) / name
    hint = f"`python -m utils.experiments run {name} --answers NOTEBOOK` makes it"
    if not (folder / "state.safetensors").exists():
        raise FileNotFoundError(f"no run of {name} in {folder}; {hint}")
    config = merged(OmegaConf.load(folder / "config.yaml"))
    tensors, facts = load_tensors(folder / "state.safetensors", device)
    done = len(tensors["history"])
    if done < config.steps:
        raise FileNotFoundError(f"{name} stopped after {done} of {config.steps} steps; {hint.replace('makes', 'ends')}")
    experiment, _ = prepare(config, answers, device)
    if experiment.model is None:
        raise ValueError(f"{folder / 'config.yaml'} has no training steps, so there is no network to load")
    experiment.model.load_state_dict(
        {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    )
    experiment.model.eval()
    experiment.history, experiment.seconds = tensors["history"].tolist(), float(facts["seconds"])
    return experiment
