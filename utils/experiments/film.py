"""Films of the score field, as MP4 or GIF."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from torch import Tensor

from utils.experiments.figures import draw_field
from utils.runtime import progress


def film_frames(result: Mapping[str, Tensor], title: str, dpi: int = 72) -> list[np.ndarray]:
    """Draw the frames of a film.

    Args:
        result: `field`, `density` and `film_times` of one experiment.
        title: the title above each frame.
        dpi: the resolution, in pixels per inch; a frame has 5 by 5 inches.

    Returns:
        One picture of bytes, shape (h, w, 3), for each frame. The sides are even, as video encoders require.
    """
    pictures = []
    fig, ax = plt.subplots(figsize=(5, 5), dpi=dpi)
    for arrows, density, t in progress(
        list(zip(result["field"], result["density"], result["film_times"].tolist())), "drawing"
    ):
        ax.clear()
        draw_field(ax, arrows, density, f"{title} · t = {t:.2f}")
        fig.canvas.draw()
        canvas: Any = fig.canvas  # Agg's, which has a buffer; the type that matplotlib declares has none
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    plt.close(fig)
    height, width = (side // 2 * 2 for side in pictures[0].shape[:2])
    return [picture[:height, :width] for picture in pictures]


def save_film(frames: list[np.ndarray], path: Path, rate: int = 8) -> Path:
    """Write a film as MP4, or as GIF if no encoder works. It pauses on the last frame.

    Args:
        frames: pictures of bytes, shape (h, w, 3).
        path: the file to write; its suffix is replaced.
        rate: frames per second.

    Returns:
        The file that was written.
    """
    import imageio.v2 as imageio

    film: list[Any] = [*frames, *frames[-1:] * rate]  # the last frame stays for a second
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        imageio.mimwrite(path.with_suffix(".mp4"), film, fps=rate, codec="libx264", macro_block_size=2, quality=7)
        return path.with_suffix(".mp4")
    except Exception as error:  # no encoder on this machine, or one that does not know the codec
        print(f"no MP4 ({type(error).__name__}: {str(error)[:80]}); writing a GIF")
        return save_gif(frames, path.with_suffix(".gif"), rate)


def save_gif(frames: list[np.ndarray], path: Path, rate: int = 8, colours: int = 48) -> Path:
    """Write a film as an animated GIF.

    Args:
        frames: pictures of bytes, shape (h, w, 3).
        path: the file to write.
        rate: frames per second.
        colours: the number of colours, at most 256.

    Returns:
        The path.
    """
    from PIL import Image

    pictures = [Image.fromarray(frame).quantize(colours, dither=Image.Dither.NONE) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=1000 // rate, loop=0, optimize=True)
    return path


def show_film(result: Mapping[str, Tensor], title: str, dpi: int = 64, colours: int = 32):
    """Return a film as the output of a cell: a GIF, which every notebook viewer plays.

    Args:
        result: `field`, `density` and `film_times` of one experiment.
        title: the title above each frame.
        dpi: the resolution, in pixels per inch.
        colours: the number of colours, at most 256.

    Returns:
        An object that the notebook displays.
    """
    import tempfile

    from IPython.display import Image

    with tempfile.TemporaryDirectory() as folder:
        path = save_gif(film_frames(result, title, dpi), Path(folder) / "film.gif", 6, colours)
        alt = f"{title.capitalize()} as arrows on the square of two atoms, from noise to data."
        return Image(data=path.read_bytes(), format="gif", alt=alt)
