"""The head of ``vid2vid``: the settings of its training, `teachers: {vid2vid: {...}}`."""

from typing import ClassVar, Literal

from pydantic import Field

from slimvid.section import UserPath
from slimvid.settings import TeacherSettings


class Settings(TeacherSettings):
    """Training of a vid2vid original. Defaults are the paper's (Wang et al. 2018), sizes the profile's."""

    teacher: ClassVar[str] = "vid2vid"

    width: int = Field(128, ge=4, description="ngf: channels after the first convolution")
    downs: int = Field(3, ge=1, le=5, description="down-samplings (vid2vid: 3)")
    blocks: int = Field(9, ge=2, description="residual blocks; about half before the sum (vid2vid: 9)")
    past: int = Field(2, ge=1, description="previous frames the generator sees (vid2vid: tG-1 = 2)")
    norm: Literal["batch", "instance"] = "batch"
    foreground: bool = Field(False, description="separate foreground branch (vid2vid --fg; label tasks)")
    first: Literal["real", "zero", "generator"] = Field(
        "zero", description="first frames: true ones, none (zeros), or drawn by a first-frame generator"
    )
    sequence: int = Field(4, ge=2, description="frames unrolled per iteration at the start")
    sequence_max: int = Field(16, ge=2, description="the length doubles up to this")
    sequence_doubles_every: int = Field(0, ge=0, description="iterations between doublings; 0: never")
    decay_from: float = Field(0.5, ge=0, le=1, description="share of the run after which lr falls to 0")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_scales: int = Field(2, ge=1, le=4, description="num_D: 3 for faces, 2 for streets")
    temporal_scales: int = Field(2, ge=0, le=4, description="temporal discriminators, strides 3^s")
    temporal_rest: float = Field(
        0.0,
        ge=0,
        lt=0.25,
        description="a temporal discriminator rests while its loss is below this (no skill: .25)",
    )
    lambda_feat: float = Field(10.0, ge=0, description="feature matching and VGG")
    lambda_flow: float = Field(10.0, ge=0, description="flow, warped frame")
    lambda_l1: float = Field(
        0.0, ge=0, description="extra L1 to the truth (0 in vid2vid; short runs need it: stated in artifacts)"
    )
    vgg: UserPath | None = Field(None, description="VGG-19 weights (torchvision); none: perceptual loss off")

    @property
    def given(self) -> int:
        """True first frames that a stream of this original needs."""
        return self.past if self.first == "real" else 0
