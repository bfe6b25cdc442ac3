"""The head of ``pix2pix``: the settings of its training, `teachers: {pix2pix: {...}}`."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from slimvid.settings import TeacherSettings


class Settings(TeacherSettings):
    """Training of a pix2pix original; defaults are the paper's (Isola et al. 2017).

    GAN Compression, CAT and OMGD: ``generator: resnet``, ``gan: hinge``, ``disc_width: 128``.
    """

    teacher: ClassVar[str] = "pix2pix"

    generator: Literal["unet", "resnet"] = "unet"
    width: int = Field(64, ge=4, description="ngf: channels after the first convolution")
    downs: int = Field(8, ge=2, le=10, description="unet: levels, of which each halves the size (256: 8)")
    blocks: int = Field(9, ge=1, description="resnet: residual blocks")
    norm: Literal["batch", "instance"] = Field("batch", description="the ResNets of the papers: instance")
    dropout: float = Field(0.5, ge=0, lt=1, description="unet: in the three inner levels; OMGD: 0")
    gan: Literal["vanilla", "lsgan", "hinge"] = "vanilla"
    lambda_l1: float = Field(100.0, ge=0, description="L1 to the truth (GAN Compression, map2sat: 10)")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_layers: int = Field(3, ge=1, le=5, description="strided layers of the PatchGAN (3: 70 pixels)")
    disc_norm: Literal["batch", "instance"] = "batch"
    enlarge: int = Field(30, ge=0, description="frames are enlarged by this, pixels at 256 rows, and cropped")
    flip: bool = Field(True, description="mirror half of the pairs")
    decay_from: float = Field(0.5, ge=0, le=1, description="share of the run after which lr falls to 0")

    @model_validator(mode="after")
    def _of_its_generator(self) -> "Settings":
        other = ("blocks",) if self.generator == "unet" else ("downs", "dropout")
        for name in other:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}:` is not read with `generator: {self.generator}`; leave it out")
        return self
