"""The head of ``content_aware`` (see ``slimvid.rows``): what a row of it may say."""

from typing import Literal

from pydantic import Field

from slimvid.originals import training_keys
from slimvid.section import Section, UserPath

TEACHERS = ("vid2vid", "recyclegan")
PLANS = ("every_frame", "keyframes")
# The network is the original's with channels removed, its discriminators are the original's.
INHERITED = {
    *("width", "downs", "blocks", "past", "norm", "foreground", "first", "start", "going_on"),
    *("disc_width", "disc_scales", "disc_layers", "temporal_scales"),
}
TRAIN = training_keys() - INHERITED

Region = Literal["face", "drawn", "foreground", "labelled", "body", "frame"]


class Options(Section):
    """The method's own keys; Fast-Vid2Vid removes around 60 % of the channels (its section 4.2)."""

    removed: float = Field(0.6, ge=0, lt=1, description="share of channels removed from every layer")
    content: Region | None = Field(
        None, description="content of interest; none: what the condition shows (content_aware_region)"
    )
    samples: int = Field(8, ge=1, description="training sequences (single frames of recyclegan) that score")
    noise: float = Field(0.05, gt=0, le=1, description="share of the content's pixels that noise replaces")
    distill: float = Field(3.0, ge=0, description="weight of L1 to the original's frame in the content")
    perc: float = Field(3.0, ge=0, description="weight of the perceptual distance there")
    vgg: UserPath | None = Field(None, description="VGG-19 weights (torchvision); none: that distance is off")
    train: dict = Field(default_factory=dict, description="changes to the original's training settings")
