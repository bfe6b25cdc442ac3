"""The head of ``uniform`` (see ``slimvid.rows``): what a row of it may say."""

from pydantic import Field

from slimvid.originals import training_keys
from slimvid.section import Section

PLANS = ("every_frame", "keyframes")
TRAIN = training_keys()


class Options(Section):
    """The method's own keys."""

    width: float = Field(0.5, gt=0, le=1, description="share of the original's channels in every layer")
    distill: float = Field(10.0, ge=0, description="weight of L1 to the original's frame")
    train: dict = Field(default_factory=dict, description="changes to the original's training settings")
