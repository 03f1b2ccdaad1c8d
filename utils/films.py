"""Films of images as animated GIFs, with names for rows and columns and a clock."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from utils.alternative_text import describe_table
from utils.tiling import GAP, tile

PAPER, INK = 250, 15  # grey levels
LINE = 18  # height of a line of text in pixels of the film


def save_gif(
    frames: Sequence[Tensor],
    path: str | Path,
    columns: int,
    seconds: float = 3.0,
    zoom: int = 2,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    clock: Sequence[str] = (),
) -> Path:
    """Write grids of images as an animated GIF that pauses on its last frame.

    Args:
        frames: one tensor of shape (n, 1, h, w) for each frame, values in [-1, 1].
        path: the file to write.
        columns: images in a row.
        seconds: the length without the pause.
        zoom: the side of a pixel of an image, in pixels of the GIF.
        row_names: one name for each row, written at the left; or nothing.
        column_names: one name for each column, written above; or nothing.
        clock: one text for each frame, written at the upper left; or nothing.

    Returns:
        The path.
    """
    from PIL import Image

    pictures = []
    for index, frame in enumerate(frames):
        text = clock[index] if clock else ""
        picture = draw_frame(frame, columns, zoom, row_names, column_names, text)
        pictures.append(picture.quantize(16, dither=Image.Dither.NONE))  # 16 greys: a quarter of the size
    duration = [int(1000 * seconds / len(pictures))] * (len(pictures) - 1) + [1500]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0, optimize=True)
    return Path(path)


def draw_frame(
    frame: Tensor, columns: int, zoom: int, row_names: Sequence[str], column_names: Sequence[str], clock: str
):
    """Draw one frame of a film.

    Args:
        frame: images of shape (n, 1, h, w), values in [-1, 1].
        columns: images in a row.
        zoom: the side of a pixel of an image, in pixels of the frame.
        row_names: one name for each row; or nothing.
        column_names: one name for each column; or nothing.
        clock: the text at the upper left; or nothing.

    Returns:
        The frame as a grey PIL image.
    """
    from PIL import Image, ImageDraw, ImageFont

    sheet = np.nan_to_num(tile(frame, columns), nan=-1.0)
    grey = Image.fromarray((PAPER - (sheet + 1) / 2 * (PAPER - INK)).astype(np.uint8))
    large = grey.resize((grey.width * zoom, grey.height * zoom), Image.Resampling.NEAREST)
    font = ImageFont.load_default(13)
    left = int(max((font.getlength(text) for text in [*row_names, clock] if text), default=-12)) + 12
    top = (LINE if column_names else 0) + (LINE if clock else 0)
    picture = Image.new("L", (left + large.width, top + large.height), PAPER)
    picture.paste(large, (left, top))
    pen = ImageDraw.Draw(picture)
    height, width = frame.shape[-2:]
    if clock:
        pen.text((4, 2), clock, fill=INK, font=font)
    for i, name in enumerate(row_names):
        pen.text((4, top + zoom * (i * (height + GAP) + height / 2)), name, fill=INK, font=font, anchor="lm")
    for i, name in enumerate(column_names):
        pen.text((left + zoom * (i * (width + GAP) + width / 2), top - 9), name, fill=INK, font=font, anchor="mm")
    return picture


def show_gif(
    frames: Tensor,
    columns: int,
    seconds: float = 3.0,
    row_names: Sequence[str] = (),
    column_names: Sequence[str] = (),
    clock: Sequence[str] = (),
    alt: str = "",
):
    """Return an animation as the output of a cell, embedded in the notebook.

    Args:
        frames: shape (time, n, 1, h, w), values in [-1, 1].
        columns: images in a row.
        seconds: the length without the pause at the end.
        row_names: one name for each row, written at the left; or nothing.
        column_names: one name for each column, written above; or nothing.
        clock: one text for each frame, written at the upper left; or nothing.
        alt: what the film shows, for readers who do not see it; by default, the names of its rows and columns.

    Returns:
        An object that the notebook displays.
    """
    from IPython.display import Image

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        save_gif(list(frames), path, columns, seconds, 2, row_names, column_names, clock)
        alt = alt or describe_table("Pictures on their way from noise to data", row_names, column_names)
        return Image(data=path.read_bytes(), format="gif", alt=alt)
