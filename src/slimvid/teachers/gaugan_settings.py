"""The head of ``gaugan``: the settings of its training, `teachers: {gaugan: {...}}`."""

from typing import ClassVar, Literal

from pydantic import Field

from slimvid.section import UserPath
from slimvid.settings import TeacherSettings


class Settings(TeacherSettings):
    """Training of a GauGAN original (Park et al. 2019); defaults are those of Cityscapes at 256 x 512."""

    teacher: ClassVar[str] = "gaugan"

    batch: int = Field(16, ge=1)
    lr: float = Field(1e-4, gt=0, description="of the generator")
    disc_rate: float = Field(4.0, gt=0, description="the discriminator's rate, times `lr` (two time scales)")
    width: int = Field(64, ge=4, description="ngf: channels of the last block")
    ups: Literal[5, 6] = Field(6, description="up-samplings by two (COCO at 256 x 256: 5)")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_scales: int = Field(2, ge=1, le=4, description="sizes at which frames are judged")
    lambda_feat: float = Field(10.0, ge=0, description="the discriminator's features of frame and truth")
    lambda_vgg: float = Field(10.0, ge=0, description="VGG features of frame and truth; needs `vgg`")
    vgg: UserPath | None = Field(None, description="VGG-19 weights (torchvision); none: perceptual loss off")
    enlarge: int = Field(0, ge=0, description="frames are enlarged by this, pixels at 256 rows, and cropped")
    flip: bool = Field(True, description="mirror half of the pairs")
    decay_from: float = Field(0.5, ge=0, le=1, description="share of the run after which lr falls to 0")
