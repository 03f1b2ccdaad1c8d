"""`make gpu-check`: all of it on the CPU, small; the sentence where there is no GPU; and a failure that is noticed."""

from __future__ import annotations

import json

import pytest
import torch

from bench import gpu_check


def test_without_a_gpu_it_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main(["--out", str(tmp_path / "out.json")]) == 1
    assert "No GPU was found" in capsys.readouterr().err and not (tmp_path / "out.json").exists()


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(gpu_check, "IMAGES", 2)
    monkeypatch.setattr(gpu_check, "EULER_STEPS", 2)
    monkeypatch.setattr(gpu_check, "BATCH", 8)


def run(tmp_path, *words):
    code = gpu_check.main(["--device", "cpu", "--labs", "lab4", "--out", str(tmp_path / "out.json"), *words])
    return code, json.loads((tmp_path / "out.json").read_text())


def test_all_of_it_on_the_cpu(small, tmp_path):
    code, results = run(tmp_path, "--steps", "30")
    assert code == 0 and all(results[name]["ok"] for name in ("probes", "sampling", "training"))
    assert len(results["probes"]["findings"]) == 5
    assert results["sampling"]["difference"] == 0, "the same device gives the same numbers"
    assert results["training"]["last_loss"] < results["training"]["first_loss"] and results["machine"]["torch"]


def test_a_failure_is_written_and_the_other_checks_run(small, tmp_path, monkeypatch, capsys):
    def broken(lab, net, device, bf16):
        raise RuntimeError("CUDA error: an illegal memory access")

    monkeypatch.setattr(gpu_check, "sample", broken)
    monkeypatch.setattr(gpu_check, "check_training", lambda lab, device, steps: {"ok": True})
    code, results = run(tmp_path)
    assert code == 1 and "illegal memory access" in results["sampling"]["error"]
    assert results["probes"]["ok"] and "✗ sampling" in capsys.readouterr().out
