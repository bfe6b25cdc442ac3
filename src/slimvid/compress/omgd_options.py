"""The head of ``omgd`` (see ``slimvid.rows``): what a row of it may say."""

from typing import Literal

from pydantic import Field, model_validator

from slimvid.originals import training_keys
from slimvid.section import Section, Unique, UserPath

TEACHERS = ("vid2vid", "recyclegan", "pix2pix", "cyclegan")
PLANS = ("every_frame", "keyframes")
TRAIN = training_keys() - {"width", "blocks", "start", "going_on"}


class Options(Section):
    """The method's own keys; the weights are the release's for pix2pix, the rest the paper's."""

    width: float = Field(0.25, gt=0, le=1, description="of the student, as a share of the original's")
    expand: float = Field(4.0, gt=1, description="eta: the wide teacher's width over the student's (4.1)")
    deepen: int = Field(
        4,
        ge=0,
        description="the deep teacher's residual blocks over the student's (a U-Net's has the paper's "
        "ExpansionBlocks instead, whatever the number); 0: no deep teacher",
    )
    teacher_start: Literal["scratch", "original"] = Field(
        "scratch",
        description="of the wide teacher: from nothing (the paper), or from the original and its "
        "discriminators; then it is as wide as the original: `width` times `expand` is 1",
    )
    every: int = Field(3, ge=1, description="n: the teachers learn in every n-th step, the student in each")
    best_every: int | None = Field(
        None,
        ge=1,
        description="m: the best wide teacher so far teaches, by the frame distance on `val` in every m-th "
        "iteration (4.1, for CycleGAN: 10 and 6 epochs); none: the current one",
    )
    shared: int = Field(3, ge=0, description="stages of a discriminator that both teachers share")
    ssim: float = Field(10.0, ge=0, description="weight of 1 - SSIM (Eq. 4)")
    feature: float = Field(10.0, ge=0, description="weight of the feature loss (Eq. 5)")
    style: float = Field(1e4, ge=0, description="weight of the style loss (Eq. 6)")
    tv: float = Field(1e-5, ge=0, description="weight of the total variation, a sum over the picture")
    channel: float = Field(100.0, ge=0, description="weight of the channel distillation (Eq. 10)")
    layers: Unique[str] = Field(
        (),
        description="layers whose channels are distilled, the same names in student and wide teacher; "
        "none: four, evenly spread over the residual blocks, or a U-Net's as in the release",
    )
    vgg: UserPath | None = Field(
        None, description="VGG-16 weights (torchvision); none: EfficientNet-Lite0 stands in for it"
    )
    train: dict = Field(default_factory=dict, description="changes to the original's training settings")

    @model_validator(mode="after")
    def _as_wide_as_the_original(self) -> "Options":
        if self.teacher_start == "original" and round(self.width * self.expand, 6) != 1:
            raise ValueError(
                f"teacher_start: 'original' needs a wide teacher of the original's width: `expand: "
                f"{1 / self.width:g}` with `width: {self.width:g}`"
            )
        return self


def needs(options: Options) -> tuple[str, ...]:
    """Where the best teacher so far teaches, teachers are judged on `val`."""
    return ("evaluate",) if options.best_every else ()
