"""MNIST, the offline digits and CIFAR-10: found, read whole, and damage named."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
import torch

from utils import data
from utils import data as data_module
from utils.data import DamagedFile, LabelledImages, find_mnist, load_digits, read_idx


def test_sampling_is_uniform_and_hands_out_copies():
    pixels = torch.arange(4, dtype=torch.uint8).reshape(4, 1, 1, 1) * 85
    images = LabelledImages(pixels, torch.arange(4), "test")
    torch.manual_seed(0)
    x, y = images.sample(8000)
    assert torch.equal(((x.flatten() + 1) * 1.5).round().long(), y)  # image and label stay together
    counts = y.bincount(minlength=4)
    assert (counts - 2000).abs().max() < 5 * math.sqrt(8000 * 0.25 * 0.75)
    y.fill_(9)
    images[:][1].fill_(9)
    assert images.labels.tolist() == [0, 1, 2, 3]
    assert x.min() == -1 and x.max() == 1


@pytest.fixture
def fake_mnist(tmp_path, monkeypatch):
    """A tiny MNIST with checksums of its own."""
    import hashlib

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = {}
    for name, (_, shape) in data_module.MNIST_FILES.items():
        small = (20, *shape[1:])
        header = bytes([0, 0, 8, len(small)]) + b"".join(n.to_bytes(4, "big") for n in small)
        body = np.random.default_rng(0).integers(0, 10 if len(small) == 1 else 256, small, dtype=np.uint8).tobytes()
        (raw / f"{name}.gz").write_bytes(gzip.compress(header + body))
        files[name] = (hashlib.sha256(header + body).hexdigest(), small)
    monkeypatch.setattr(data_module, "MNIST_FILES", files)
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    return raw


def test_mnist_is_found_in_lab_data(fake_mnist):
    assert find_mnist() == fake_mnist
    images = load_digits("test", size=16)
    assert images.source == "MNIST" and images.pixels.shape == (20, 1, 16, 16)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "not_gzip"])
def test_damaged_files_are_named_and_never_half_read(fake_mnist, damage):
    path = fake_mnist / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    if damage == "flipped":
        plain = bytearray(gzip.decompress(content))
        plain[500] ^= 1
        content = gzip.compress(bytes(plain))
    path.write_bytes(
        {"cut": content[: len(content) // 2], "empty": b"", "not_gzip": b"hello" * 10}.get(damage, content)
    )
    with pytest.raises(DamagedFile, match=r"train-images-idx3-ubyte\.gz"):
        load_digits("train")


def test_a_cut_unpacked_file_is_named(fake_mnist):
    path = fake_mnist / "t10k-labels-idx1-ubyte"
    path.write_bytes(gzip.decompress((fake_mnist / f"{path.name}.gz").read_bytes())[:-3])
    with pytest.raises(DamagedFile, match="25 bytes and should hold 28"):
        read_idx(fake_mnist, path.name)


def test_offline_digits_take_the_same_shape(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setenv("LAB_BUDGET", "grade")  # downloads nothing
    data_module.say_offline.cache_clear()
    train, test = load_digits("train"), load_digits("test")
    assert len(train) == 1437 and len(test) == 360 and train.pixels.shape[1:] == (1, 32, 32)
    assert len(capsys.readouterr().out.splitlines()) == 1  # said once
    assert train.labels.bincount().min() > 100
    assert not {bytes(p.numpy()) for p in test.pixels} & {bytes(p.numpy()) for p in train.pixels}


def write_cifar(folder, images: int = 40):
    folder.mkdir(parents=True)
    pixels = torch.randint(256, (images, 3 * 32 * 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = (torch.arange(images) % 10).to(torch.uint8)
    records = torch.cat([labels[:, None], pixels], dim=1).numpy()
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        records.tofile(folder / name)
    return pixels.reshape(-1, 3, 32, 32), labels


def test_cifar_is_read_as_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="download_cifar"):
        data.load_cifar()
    pixels, labels = write_cifar(tmp_path / "cifar-10-batches-bin")
    train, test = data.load_cifar("train"), data.load_cifar("test")
    assert len(train) == 200 and len(test) == 40
    images, y = test[:]
    assert torch.allclose(images, pixels.float() / 127.5 - 1)
    assert torch.equal(y, labels.long())


def test_damaged_cifar_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    folder = tmp_path / "cifar-10-batches-bin"
    write_cifar(folder)
    whole = (folder / "data_batch_3.bin").read_bytes()
    (folder / "data_batch_3.bin").write_bytes(whole[:-5])
    with pytest.raises(data.DamagedFile, match="data_batch_3"):
        data.load_cifar("train")
    (folder / "data_batch_3.bin").write_bytes(b"\xff" + whole[1:])
    with pytest.raises(data.DamagedFile, match="labels above 9"):
        data.load_cifar("train")
