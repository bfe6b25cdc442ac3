"""The head of ``shortcut`` (see ``slimvid.rows``): what a row of it may say."""

from typing import Literal

from pydantic import Field

from slimvid.nets.choices import Form, Level
from slimvid.section import Section, UserPath

TEACHERS = ("vid2vid", "recyclegan", "pix2pix", "cyclegan")  # and no U-Net, which has no middle
PLANS = ("shortcut",)
TRAIN = frozenset(
    ("iterations", "batch", "sequence", "lr", "decay_from", "disc_width", "precision", "save_every")
)


class Options(Section):
    """The method's own keys; the defaults are the paper's."""

    cut: Level | tuple[int, int] = Field("medium", description="teacher dependence, or layer indices (5, 17)")
    width: float = Field(1.0, gt=0, le=4, description="of the block: 1, 1/2, 1/4 (Figure 3)")
    hidden: int | None = Field(
        None, ge=4, multiple_of=4, description="h at width 1; none: half the decoder's channels"
    )
    start: Literal["released", "fitted"] = Field(
        "released", description="weights that training starts from: drawn at gain 0.02, or least squares"
    )
    form: Form = Field("full", description="ablations of Table 3")
    history: Literal["own", "teacher"] = Field("own", description="whose previous frames the encoder sees")
    decode: Literal["raw", "blended"] | None = Field(
        None, description="vid2vid: what shortcut frames show; none: blended where the original blends"
    )
    interval: int | None = Field(None, ge=1, description="alpha of training; none: the plan's max_interval")
    align: float = Field(5.0, ge=0, description="weight of L_align (Eq. 8)")
    feat: float = Field(5.0, ge=0, description="weight of L_feat")
    out: float = Field(10.0, ge=0, description="weight of L_out")
    perc: float = Field(10.0, ge=0, description="weight of L_perc; needs vgg")
    gan: float = Field(1.0, ge=0, description="weight of L_GAN")
    temporal_gan: float = Field(1.0, ge=0, description="weight of L_T-GAN")
    vgg: UserPath | None = Field(None, description="torchvision's VGG-19 weights; none: perceptual loss off")
    train: dict = Field(default_factory=dict, description="changes to the teacher's training settings")
