"""Label maps as pictures: a colour per class, and back."""

from collections.abc import Sequence

import numpy as np

Palette = Sequence[tuple[int, int, int]]


def paint(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """A label map as a picture: uint8 [H, W] -> uint8 [H, W, 3]; ids without a colour (void) are black."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    return table[labels]


def nearest_class(picture: np.ndarray, palette: Palette) -> np.ndarray:
    """Class ids of the nearest palette colours (L2 in RGB): uint8 [H, W, 3] -> uint8 [H, W].

    Of classes with the same colour the last one is found.
    """
    ids, _ = _nearest(picture, palette)
    return ids


def exact_class(picture: np.ndarray, palette: Palette) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """`nearest_class`, and the first colour that is not in the palette (None where all are)."""
    ids, far = _nearest(picture, palette)
    strange = np.argwhere(far > 0)
    return ids, tuple(int(v) for v in picture[tuple(strange[0])]) if len(strange) else None


def _nearest(picture: np.ndarray, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    owners = colour_owners(palette)
    colours = np.array(list(owners), np.int32)
    codes = picture.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    shown, where = np.unique(codes, return_inverse=True)
    colour = np.stack([shown >> 16, shown >> 8 & 255, shown & 255], axis=1)
    distances = ((colour[:, None] - colours) ** 2).sum(2)
    ids = np.array(list(owners.values()), np.uint8)[distances.argmin(1)]
    shape = picture.shape[:2]
    return ids[where.reshape(shape)], distances.min(1)[where.reshape(shape)]


def colour_owners(palette: Palette) -> dict[tuple[int, int, int], int]:
    """Colour -> class that it stands for: the last of those that share it."""
    return {tuple(int(v) for v in colour): number for number, colour in enumerate(palette)}


def as_seen(labels: np.ndarray, palette: Palette) -> np.ndarray:
    """Label ids as a picture can show them: classes that share a colour become its owner (void stays)."""
    owners = colour_owners(palette)
    table = np.arange(256, dtype=np.uint8)
    table[: len(palette)] = [owners[tuple(int(v) for v in colour)] for colour in palette]
    return table[labels]
