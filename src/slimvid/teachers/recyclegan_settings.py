"""The head of ``recyclegan``: the settings of its training, `teachers: {recyclegan: {...}}`."""

from typing import Annotated, ClassVar

from pydantic import Field

from slimvid.section import UserPath
from slimvid.settings import TeacherSettings

Pair = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class Settings(TeacherSettings):
    """Training of an Unsupervised RecycleGAN original (Wang et al. 2022); defaults are viper2city's.

    Pairs of weights belong to (source, target): "source" is the domain of the task's conditions.
    """

    teacher: ClassVar[str] = "recyclegan"
    unpaired: ClassVar[bool] = True

    width: int = Field(64, ge=4, description="ngf: channels after the first convolution")
    blocks: int = Field(6, ge=1, description="residual blocks")
    decay_from: float = Field(1.0, ge=0, le=1, description="share of the run after which lr falls; 1: never")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_layers: int = Field(3, ge=1, le=5, description="strided layers of the PatchGAN (3: 70 pixels)")
    lambda_unsup_cycle: Pair = Field((10.0, 10.0), description="there, moved, and back = the moved frame")
    lambda_spatial: Pair = Field((10.0, 10.0), description="translation of the moved = moved translation")
    lambda_cycle: Pair = Field((0.0, 0.0), description="there and back, without motion")
    lambda_content: Pair = Field((1.0, 1.0), description="VGG features of frame and translation; needs `vgg`")
    motion: float = Field(8.0, ge=0, description="deviation of the synthetic flow, pixels at 256 rows")
    shift: int = Field(10, ge=0, description="largest common shift of the synthetic flow, pixels at 256 rows")
    noise: float = Field(0.001, ge=0, description="noise added to moved frames; images are in [-1, 1]")
    enlarge: int = Field(30, ge=0, description="frames are enlarged by this, pixels at 256 rows, and cropped")
    vgg: UserPath | None = Field(None, description="AdaIN's vgg_normalised weights; none: content loss off")
