"""A clip: consecutive frames at one frame rate, with the maps that go with them."""

from dataclasses import dataclass, fields

import numpy as np

from slimvid.errors import SlimvidError

BODY_POINTS = 25  # OpenPose BODY_25
FACE_POINTS = 68  # dlib-68

# name -> (dtype, shape after the frame axis; letters are free sizes, "H" and "W" those of the frames)
_LAYOUT: dict[str, tuple[type, tuple]] = {
    "frames": (np.uint8, ("H", "W", 3)),
    "image": (np.uint8, ("H", "W", 3)),
    "edges": (np.uint8, ("H", "W")),
    "landmarks": (np.float32, (FACE_POINTS, 2)),
    "labels": (np.uint8, ("H", "W")),
    "instances": (np.uint16, ("H", "W")),
    "keypoints": (np.float32, ("P", BODY_POINTS, 3)),
    "densepose": (np.uint8, ("H", "W", 3)),
    "flow": (np.float16, (2, "H", "W")),
    "flow_valid": (np.uint8, ("H", "W")),
}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Consecutive frames of one clip with everything known about them; T frames of H x W pixels.

    Attributes:
        name: unique in its task and safe as a file name.
        fps: frames per second.
        frames: uint8 [T, H, W, 3], RGB.
        image: uint8 [T, H, W, 3], RGB, the source domain's pictures (conditions of kind "image").
        edges: uint8 [T, H, W], 0 or 255.
        landmarks: float32 [T, 68, 2], (x, y) in pixels (pixel centres at integers), dlib-68 order.
        labels: uint8 [T, H, W], class ids; 255 is void.
        instances: uint16 [T, H, W], instance ids; 0 is none.
        keypoints: float32 [T, P, 25, 3], (x, y, confidence 0..1) of P people in OpenPose's BODY_25 order;
            people missing from a frame have confidence 0.
        densepose: uint8 [T, H, W, 3], surface map: part index spread over 0..255, U, V; 0 is background.
        flow: float16 [T, 2, H, W], backward flow (dx, dy) in pixels:
            ``frame[t](x) ~ frame[t-1](x + flow[t](x))``; ``flow[0]`` is 0.
        flow_valid: uint8 [T, H, W], 1 where the flow can be trusted (not occluded, inside); 0 at t = 0.

    Raises:
        SlimvidError: a map whose type, size or length does not fit the frames.
    """

    name: str
    fps: float
    frames: np.ndarray
    image: np.ndarray | None = None
    edges: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    labels: np.ndarray | None = None
    instances: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    densepose: np.ndarray | None = None
    flow: np.ndarray | None = None
    flow_valid: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "._-" for c in self.name):
            raise SlimvidError(f"clip {self.name!r}: name it with letters, digits, '.', '_' and '-' only")
        if not self.fps > 0:
            raise SlimvidError(f"clip {self.name}: fps is {self.fps}; give a positive frame rate")
        if self.frames.ndim != 4 or not len(self.frames):
            raise SlimvidError(
                f"clip {self.name}: frames have shape {self.frames.shape}; give [T,H,W,3], T > 0"
            )
        for name in (f.name for f in fields(self) if f.name in _LAYOUT):
            self._check(name)

    def _check(self, name: str) -> None:
        value = getattr(self, name)
        if value is None:
            return
        dtype, tail = _LAYOUT[name]
        sizes = {"H": self.frames.shape[1], "W": self.frames.shape[2]}
        wanted = (len(self.frames), *(sizes.get(n, n) for n in tail))
        fits = value.ndim == len(wanted) and all(
            isinstance(w, str) or w == g for w, g in zip(wanted, value.shape, strict=False)
        )
        if value.dtype != dtype or not fits:
            shown = "[" + ",".join(map(str, wanted)) + "]"
            raise SlimvidError(
                f"clip {self.name}: {name} is {value.dtype}{list(value.shape)}; give {np.dtype(dtype)}{shown}"
            )

    def __len__(self) -> int:
        return len(self.frames)
