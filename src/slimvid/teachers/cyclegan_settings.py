"""The head of ``cyclegan``: the settings of its training, `teachers: {cyclegan: {...}}`."""

from typing import Annotated, ClassVar

from pydantic import Field

from slimvid.settings import TeacherSettings

Pair = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class Settings(TeacherSettings):
    """Training of a CycleGAN original (Zhu et al. 2017); defaults are the paper's and GAN Compression's.

    Pairs of weights belong to (source, target): "source" is the domain of the task's conditions.
    """

    teacher: ClassVar[str] = "cyclegan"
    unpaired: ClassVar[bool] = True

    width: int = Field(64, ge=4, description="ngf: channels after the first convolution")
    blocks: int = Field(9, ge=1, description="residual blocks (the paper: 9 at 256 pixels, 6 at 128)")
    decay_from: float = Field(0.5, ge=0, le=1, description="share of the run after which lr falls to 0")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_layers: int = Field(3, ge=1, le=5, description="strided layers of the PatchGAN (3: 70 pixels)")
    lambda_cycle: Pair = Field((10.0, 10.0), description="there and back is the frame again")
    lambda_identity: float = Field(
        0.5, ge=0, description="times lambda_cycle: a frame of a generator's own target stays (3 channels)"
    )
    pool: int = Field(50, ge=0, description="earlier translations that a discriminator may be shown again")
    enlarge: int = Field(30, ge=0, description="frames are enlarged by this, pixels at 256 rows, and cropped")
    flip: bool = Field(True, description="mirror half of the frames")
