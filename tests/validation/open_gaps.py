"""What the validation asks for and is not done yet. Tests fail for anything new, and for an entry that is closed."""

from __future__ import annotations

# Inputs that a lab passes and a probe does not, as `autograder validate --reach` names them.
REACH = {
    "lab3.classifier_gradient: classifier_gradient(x): high",
    "lab3.classifier_gradient: classifier_gradient(x): low",
    "lab3.ddim_step: ddim_step(noise_estimate): high",
    "lab3.ddim_step: ddim_step(noise_estimate): low",
    "lab3.ddim_step: ddim_step(x): high",
    "lab3.ddim_step: ddim_step(x): low",
    "lab3.guided_ddpm_step: ddpm_step(noise): high",
    "lab3.guided_ddpm_step: ddpm_step(noise): low",
    "lab3.guided_ddpm_step: ddpm_step(noise_estimate): high",
    "lab3.guided_ddpm_step: ddpm_step(noise_estimate): low",
    "lab3.guided_ddpm_step: ddpm_step(x): high",
    "lab3.guided_ddpm_step: ddpm_step(x): low",
    "lab3.guided_ddpm_step: guided_noise(gradient): high",
    "lab3.guided_ddpm_step: guided_noise(gradient): special",
    "lab3.guided_ddpm_step: guided_noise(noise_estimate): high",
    "lab3.guided_ddpm_step: guided_noise(noise_estimate): low",
    "lab3.guided_ddpm_step: guided_noise(noise_estimate): special",
    "lab3.schedule: add_noise(noise): high",
    "lab3.schedule: add_noise(noise): low",
    "lab3.score_and_noise: noise_from_score(score): high",
    "lab3.score_and_noise: score_from_noise(noise_estimate): high",
    "lab3.score_and_noise: score_from_noise(noise_estimate): low",
    "lab3.score_and_noise: score_from_noise(noise_estimate): special",
}

# Exercises with fewer than ten right answers besides the model's: how many they have.
RIGHT_ANSWERS: dict[str, int] = {}
