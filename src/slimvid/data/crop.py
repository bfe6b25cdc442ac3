"""The box that frames, maps and points are cut to."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A box of the source frame and the size it is scaled to; one for pictures, maps and points alike."""

    left: int
    top: int
    width: int
    height: int
    out_height: int
    out_width: int

    @classmethod
    def centre(cls, source: tuple[int, int], *, height: int, width: int) -> "Crop":
        """The largest centred box of ``source`` (rows, columns) with the aspect of height x width.

        For frames wider than the target this is "scale to the height, then crop the centre" of the vid2vid
        pose protocol, without its rounding of the scaled width to a multiple of 32.
        """
        rows, columns = source
        box_width = min(columns, round(rows * width / height))
        box_height = min(rows, round(columns * height / width))
        return cls(
            left=(columns - box_width) // 2,
            top=(rows - box_height) // 2,
            width=max(1, box_width),
            height=max(1, box_height),
            out_height=height,
            out_width=width,
        )

    def picture(self, image: np.ndarray) -> np.ndarray:
        """Crop and scale [H, W, 3]: area where it shrinks, bilinear where it grows."""
        import cv2

        shrinks = self.out_height <= self.height and self.out_width <= self.width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(self._cut(image), (self.out_width, self.out_height), interpolation=method)

    def ids(self, image: np.ndarray) -> np.ndarray:
        """Crop and scale a map of ids [H, W] or [H, W, C] without mixing them: the nearest pixel centre."""
        rows = ((np.arange(self.out_height) + 0.5) * self.height / self.out_height).astype(int)
        columns = ((np.arange(self.out_width) + 0.5) * self.width / self.out_width).astype(int)
        return np.ascontiguousarray(self._cut(image)[rows][:, columns])

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Move points [..., 2] (x, y; pixel centres at integers) with the picture: float32."""
        scale = np.float64([self.out_width / self.width, self.out_height / self.height])
        return ((xy - np.float64([self.left, self.top]) + 0.5) * scale - 0.5).astype(np.float32)

    def _cut(self, image: np.ndarray) -> np.ndarray:
        return image[self.top : self.top + self.height, self.left : self.left + self.width]
