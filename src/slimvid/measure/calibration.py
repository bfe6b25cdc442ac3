"""What the rulers say of damage whose amount is known: the curves behind the gates and docs/rulers.md."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from slimvid.measure import perceptual
from slimvid.measure.damage import SPATIAL, TEMPORAL
from slimvid.measure.frame_distance import fit_frame_map, frame_features
from slimvid.measure.frechet import distance_per_dimension, half_sample_floor
from slimvid.measure.kid import squared_mmd
from slimvid.measure.lite_features import FeatureMap, cell_features
from slimvid.measure.packaged_networks import load_shift_tolerant
from slimvid.measure.video_distance import fit_video_map, video_features

DIMENSIONS = 32
SINGLE_FRAMES = 4  # of the perceptual distance, evenly spread
RUN = 12  # of its temporal form: the first frames


@dataclass(frozen=True, kw_only=True)
class Rulers:
    """Maps fitted on one part of a clip and the features of the part that is damaged.

    Attributes:
        clean: the undamaged frames, uint8 T x H x W x 3.
        frame_map, video_map: of the two distances. frames, videos: the clean features through them.
        singles: what the perceptual distance compares four clean frames by.
    """

    clean: np.ndarray
    frame_map: FeatureMap
    video_map: FeatureMap
    frames: np.ndarray
    videos: np.ndarray
    singles: list[list[Tensor]]

    def floors(self) -> dict[str, float]:
        """Two random halves of the clean samples; of the perceptual distance, neighbours in time."""
        halves = {"frame_distance": self.frames, "video_distance": self.videos}
        found = {name: half_sample_floor(x) for name, x in halves.items()}
        return {**found, "perceptual": float(perceptual.neighbour_distances(self.clean[:RUN]).mean())}

    def frame_distance(self, damaged: np.ndarray) -> float:
        return distance_per_dimension(self.frames, self.frame_map(_flat(frame_features, damaged)))

    def frame_kernel(self, damaged: np.ndarray) -> float:
        return squared_mmd(self.frames, self.frame_map(_flat(frame_features, damaged)), paired=True)

    def video_distance(self, damaged: np.ndarray) -> float:
        return distance_per_dimension(self.videos, self.video_map(_flat(video_features, damaged)))

    def perceptual(self, damaged: np.ndarray) -> float:
        """Mean over four frames."""
        net = load_shift_tolerant()
        pairs = zip(perceptual.embedded(damaged[_singles(damaged)]), self.singles, strict=True)
        return float(np.mean([net.between(*pair).item() for pair in pairs]))

    def temporal_perceptual(self, damaged: np.ndarray) -> float:
        """Mean over the first twelve frames."""
        return float(perceptual.compare(damaged[:RUN], self.clean[:RUN])[1].mean())


def fit_rulers(calibrated: np.ndarray, clean: np.ndarray) -> Rulers:
    """Fit the maps on real frames, and look at others.

    Args:
        calibrated: real frames, consecutive, uint8 T x H x W x 3.
        clean: other real frames of the kind, consecutive.

    Raises:
        SlimvidError: frames that do not vary.
    """
    frame_map = fit_frame_map(_flat(frame_features, calibrated), DIMENSIONS)
    video_map = fit_video_map(_flat(video_features, calibrated), DIMENSIONS)
    return Rulers(
        clean=clean,
        frame_map=frame_map,
        video_map=video_map,
        frames=frame_map(_flat(frame_features, clean)),
        videos=video_map(_flat(video_features, clean)),
        singles=list(perceptual.embedded(clean[_singles(clean)])),
    )


def damage_curves(rulers: Rulers, ruler: str) -> dict[str, list[float]]:
    """The four values of a ruler for each kind of damage that it is there to see.

    Args:
        ruler: the name of one of `Rulers`' measures.
    """
    kinds = TEMPORAL if ruler in ("video_distance", "temporal_perceptual") else SPATIAL
    look = getattr(rulers, ruler)
    return {
        kind: [look(damage(rulers.clean, level)) for level in levels]
        for kind, (damage, levels) in kinds.items()
    }


def _singles(frames: np.ndarray) -> np.ndarray:
    """Numbers of the frames that the perceptual distance is averaged over, evenly spread."""
    return np.linspace(0, len(frames) - 1, SINGLE_FRAMES).round().astype(int)


def _flat(features, frames: np.ndarray) -> np.ndarray:
    """Samples x inputs: cells of a frame are samples like frames."""
    found = features(cell_features(frames))
    return found.reshape(-1, found.shape[-1])
