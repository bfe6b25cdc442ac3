"""Motion over time: smooth random curves, speech, blinks; from times in seconds to one value each."""

import numpy as np


def wander(rng: np.random.Generator, t: np.ndarray, amplitude: float, hertz: float) -> np.ndarray:
    """A smooth random curve around 0 that mostly stays within ``amplitude``; ``hertz``: its main rhythm."""
    total = np.zeros(len(t))
    for share, pace in ((0.6, 0.6), (0.35, 1.3), (0.15, 2.4)):
        rate = hertz * pace * rng.uniform(0.75, 1.25)
        total += share * np.sin(2 * np.pi * (rate * t + rng.random()))
    return amplitude * total


def speech(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Opening of a talking mouth, 0..1: syllables at about 3 per second, in phrases with pauses."""
    syllable = np.abs(np.sin(np.pi * (rng.uniform(2.4, 3.2) * t + rng.random())))
    syllable *= 0.7 + 0.3 * np.sin(2 * np.pi * (0.9 * t + rng.random()))
    phrase = np.clip(0.5 + 1.6 * np.sin(2 * np.pi * (0.35 * t + rng.random())), 0, 1)
    return np.clip(syllable * phrase, 0, 1)


def blinks(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Closing of the eyelids, 0..1; a blink takes a quarter of a second."""
    shut = np.zeros(len(t))
    at = rng.uniform(0.2, 1.2)
    while len(t) and at < t[-1] + 0.3:
        shut = np.maximum(shut, np.clip(1.5 - np.abs(t - at) / 0.09, 0, 1))
        at += rng.uniform(1.0, 2.6)
    return shut
