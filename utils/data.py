"""Handwritten digits with their labels, as one tensor on the device.

MNIST is searched for in $LAB_DATA, then in ./data, then downloaded into ./data by torchvision. Without a network,
scikit-learn's digits (1,797 images of real handwriting) are used instead, scaled to the same shape.
A damaged or truncated file is named in an error and never read in part.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from utils.distributions import Sampleable
from utils.runtime import SETUP_FACTS, current_budget

OFFLINE = "scikit-learn's digits (offline)"
# SHA-256 of the four unpacked files of the original database, and their shapes.
MNIST_FILES = {
    "train-images-idx3-ubyte": ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", (60000, 28, 28)),
    "train-labels-idx1-ubyte": ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60000,)),
    "t10k-images-idx3-ubyte": ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", (10000, 28, 28)),
    "t10k-labels-idx1-ubyte": ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10000,)),
}


class DamagedFile(RuntimeError):
    """Raised for a data file with the wrong length or content. The message names the file."""


class LabelledImages(nn.Module, Sampleable):
    """Images with labels, drawn uniformly and with replacement.

    Pixels are stored as bytes on the device, and returned as floats from -1 (paper) to 1 (ink).

    Args:
        pixels: shape (n, c, h, w), uint8, 0 to 255.
        labels: shape (n,), integers.
        source: where the images come from, for messages.

    Raises:
        ValueError: the pixels are not uint8 with four axes, or the number of labels differs.

    Example:
        >>> images = LabelledImages(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1), torch.arange(2), "")
        >>> images[:][0].flatten().tolist(), images[:][1].tolist()
        ([-1.0, 1.0], [0, 1])
    """

    pixels: Tensor
    labels: Tensor

    def __init__(self, pixels: Tensor, labels: Tensor, source: str):
        super().__init__()
        if pixels.dtype != torch.uint8 or pixels.dim() != 4 or len(pixels) != len(labels):
            raise ValueError(f"need uint8 images (n, c, h, w) and as many labels, got {pixels.dtype}, "
                             f"{tuple(pixels.shape)} and {tuple(labels.shape)}")  # fmt: skip
        self.register_buffer("pixels", pixels, persistent=False)
        self.register_buffer("labels", labels.long(), persistent=False)
        self.source = source

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index) -> tuple[Tensor, Tensor]:
        """Return images and labels at these indices, as new tensors.

        Args:
            index: a tensor of integers, a slice or a list.

        Returns:
            Images, shape (k, c, h, w), in [-1, 1], and labels, int64 of shape (k,).
        """
        return self.pixels[index].float() / 127.5 - 1, self.labels[index].clone()

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw images and their labels.

        Args:
            n: how many, at least 1.

        Returns:
            Images, shape (n, c, h, w), in [-1, 1], and labels, int64 of shape (n,).
        """
        return self[torch.randint(len(self), (n,), device=self.labels.device)]


def load_digits(split: str = "train", size: int = 32, device: torch.device | str = "cpu") -> LabelledImages:
    """Load MNIST, or the offline digits if MNIST is not available.

    Args:
        split: `train` or `test`.
        size: the height and width that the images are scaled to, in pixels.
        device: where the images go.

    Returns:
        The images, each of shape (1, size, size). Their `source` says which data they are.

    Raises:
        DamagedFile: MNIST was found but is damaged.
        ValueError: `split` is neither `train` nor `test`.
    """
    from torchvision.transforms.v2 import functional as image  # here, because its import takes seconds

    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")
    root = find_mnist() or download_mnist()
    if root is None:
        say_offline()
        pixels, labels = read_offline_digits(split)
    else:
        prefix = "train" if split == "train" else "t10k"
        pixels, labels = (read_idx(root, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    pixels = image.resize(torch.from_numpy(pixels)[:, None], [size, size], antialias=True)
    return LabelledImages(pixels, torch.from_numpy(labels), OFFLINE if root is None else "MNIST").to(device)


def describe_source() -> str:
    """Return one phrase about where the digits come from. Looks at the disk, not at the network.

    Returns:
        The phrase that `setup` prints.
    """
    if find_mnist():
        return "MNIST"
    return OFFLINE if current_budget().name == "grade" else "MNIST will be downloaded; without a network, " + OFFLINE


SETUP_FACTS["data"] = describe_source


@lru_cache(1)
def say_offline() -> None:
    """Print that the offline digits are used. Prints only once per process."""
    print(
        f"MNIST was not found and could not be downloaded, so {OFFLINE} are used instead. "
        "Numbers that were measured on MNIST will differ."
    )


def find_mnist() -> Path | None:
    """Find the first folder that holds the four files of MNIST, unpacked or gzipped.

    Returns:
        The folder, or None.
    """
    for root in (os.environ.get("LAB_DATA"), "data"):
        raw = Path(root) / "MNIST" / "raw" if root else None
        if raw and all((raw / name).exists() or (raw / f"{name}.gz").exists() for name in MNIST_FILES):
            return raw
    return None


def download_mnist() -> Path | None:
    """Download MNIST into ./data. At the budget `grade`, nothing is downloaded.

    Returns:
        The folder with the files, or None if there is no network.
    """
    if current_budget().name == "grade":
        return None
    from torchvision.datasets import MNIST

    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(10)  # seconds without an answer: then there is no network worth waiting for
        MNIST("data", download=True)
    except (OSError, RuntimeError):
        return None
    finally:
        socket.setdefaulttimeout(patience)
    return find_mnist()


def read_idx(raw: Path, name: str) -> np.ndarray:
    """Read one file of MNIST. The whole file is checked before any part of it is used.

    Args:
        raw: the folder with MNIST's files.
        name: a key of `MNIST_FILES`.

    Returns:
        The bytes, shape (n, 28, 28) for images and (n,) for labels.

    Raises:
        DamagedFile: the file cannot be read, or its length or its checksum is wrong.
    """
    sha256, shape = MNIST_FILES[name]
    path = raw / name if (raw / name).exists() else raw / f"{name}.gz"
    advice = "Delete it, and it will be downloaded again."
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, OSError, ValueError) as error:
        raise DamagedFile(f"{path} cannot be read ({error}). {advice}") from error
    except Exception as error:  # zlib.error is none of the above
        raise DamagedFile(f"{path} is damaged ({error}). {advice}") from error
    header = 4 + 4 * len(shape)
    expected = header + int(np.prod(shape))
    if len(content) != expected:
        raise DamagedFile(f"{path} holds {len(content):,} bytes and should hold {expected:,}. {advice}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedFile(f"{path} has the right length but not the right content. {advice}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()


def read_offline_digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read scikit-learn's 8×8 digits, scaled to 28×28 with a margin as in MNIST.

    They are stored in `utils/digits.npz`, because importing scikit-learn takes longer than reading them. The digits of
    each class are shared between the two parts in the same proportion.

    Args:
        split: `train` (1,437 images) or `test` (360 images).

    Returns:
        Images, bytes of shape (n, 28, 28), and labels, shape (n,).

    References:
        E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998
        (CC BY 4.0), https://doi.org/10.24432/C50P49
    """
    from torchvision.transforms.v2 import functional as image

    with np.load(Path(__file__).with_name("digits.npz")) as stored:
        pixels, labels = stored[f"{split}_images"], stored[f"{split}_labels"]
    pixels = torch.from_numpy(pixels * (255 / 16)).to(torch.uint8)[:, None]
    pixels = image.resize(pixels, [24, 24], interpolation=image.InterpolationMode.BICUBIC)
    return image.pad(pixels, [2, 2])[:, 0].numpy(), labels.astype(np.int64)


CIFAR_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR_RECORD = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue pixels


def find_cifar() -> Path | None:
    """Find the folder with CIFAR-10's binary version, in $LAB_DATA or ./data.

    Returns:
        The folder, or None.
    """
    for root in (os.environ.get("LAB_DATA"), "data"):
        folder = Path(root) / "cifar-10-batches-bin" if root else None
        if folder and (folder / "test_batch.bin").exists():
            return folder
    return None


def load_cifar(split: str = "train", device: torch.device | str = "cpu") -> LabelledImages:
    """Load CIFAR-10, colour images of ten classes, from its binary version.

    Args:
        split: `train` or `test`.
        device: where the images go.

    Returns:
        The images, each of shape (3, 32, 32).

    Raises:
        FileNotFoundError: CIFAR-10 is missing; `download_cifar` fetches it.
        DamagedFile: a file has the wrong length or impossible labels.
        ValueError: `split` is neither `train` nor `test`.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', not {split!r}")
    folder = find_cifar()
    if folder is None:
        raise FileNotFoundError("CIFAR-10 was not found. `download_cifar()` downloads it (160 MB).")
    paths = sorted(folder.glob("data_batch_?.bin")) if split == "train" else [folder / "test_batch.bin"]
    records = []
    for path in paths:
        content = np.fromfile(path, dtype=np.uint8)
        if len(content) == 0 or len(content) % CIFAR_RECORD:
            raise DamagedFile(
                f"{path} holds {len(content):,} bytes, which is no multiple of {CIFAR_RECORD:,}. Delete it."
            )
        records.append(content.reshape(-1, CIFAR_RECORD))
        if records[-1][:, 0].max() > 9:
            raise DamagedFile(f"{path} has labels above 9: it is not a file of CIFAR-10. Delete it.")
    if not records:
        raise DamagedFile(f"{folder} has no training files, data_batch_1.bin and so on. Delete the folder.")
    rows = torch.from_numpy(np.concatenate(records))
    return LabelledImages(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0], "CIFAR-10").to(device)


def download_cifar(root: str | Path = "data") -> Path:
    """Download and unpack CIFAR-10's binary version, 160 MB.

    Args:
        root: the folder to unpack into.

    Returns:
        The folder with the files.

    Raises:
        OSError: there is no network.
        RuntimeError: the download is damaged.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    download_and_extract_archive(CIFAR_URL, str(root), md5=CIFAR_MD5)
    return Path(root) / "cifar-10-batches-bin"
