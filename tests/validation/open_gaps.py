"""What `autograder validate --reach` asks for and is not done. The test fails for a new gap and for a closed one."""

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
