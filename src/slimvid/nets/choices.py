"""What configurations choose by name of the networks; free of torch."""

from typing import Literal

Level = Literal["low", "medium", "high"]  # where a translator is cut, see ``nets.cuts``
Form = Literal["full", "sharp", "without_reference", "without_current", "single_stage", "without_blending"]
