"""The head of ``cat`` (see ``slimvid.rows``): what a row of it may say."""

from typing import Literal

from pydantic import Field, model_validator

from slimvid.originals import training_keys
from slimvid.section import Section

TEACHERS = ("vid2vid", "recyclegan", "pix2pix", "cyclegan", "gaugan")
PLANS = ("every_frame", "keyframes")
SEARCHED = True
# The method's own teacher has the original's channels, its student the teacher's discriminators.
INHERITED = {
    *("width", "downs", "ups", "blocks", "past", "norm", "foreground", "first", "start", "going_on"),
    *("generator", "dropout", "disc_width", "disc_scales", "disc_layers", "disc_norm", "temporal_scales"),
}
TRAIN = training_keys() - INHERITED
BUDGETS = ("macs_share", "macs_g", "latency_share", "latency_ms")


class TeacherTraining(Section):
    """How the method's own teacher is trained; what is left out is as in its student's training."""

    iterations: int | None = Field(None, ge=1)
    batch: int | None = Field(None, ge=1)
    lr: float | None = Field(None, gt=0)
    decay_from: float | None = Field(None, ge=0, le=1)


class Options(Section):
    """The method's own keys. One budget of a generated frame; none given: a tenth of the original's MACs.

    That is about the paper's for Cityscapes (5.57 of 56.8 GMACs). MACs are true ones, transposed convolutions
    on their input grid. Latencies are measured on the machine that trains, in fp32.
    """

    macs_share: float | None = Field(None, gt=0, description="true MACs, as a share of the original's")
    macs_g: float | None = Field(None, gt=0, description="true MACs, 1e9")
    latency_share: float | None = Field(None, gt=0, description="measured time, as a share of the original's")
    latency_ms: float | None = Field(None, gt=0, description="measured time, milliseconds")
    least: int = Field(
        16,
        ge=1,
        description="c_lb: channels that layers outside the blocks keep, of a SPADE ngf (release: 16 of 64)",
    )
    start: Literal["scratch", "original"] = Field(
        "scratch",
        description="of the method's own teacher: from nothing (the paper), or from the original's weights "
        "outside the residual blocks and its discriminators",
    )
    kernel: Literal["global", "batch"] = Field(
        "global", description="alignment over places (Eq. 2), or the release's over pictures of a batch"
    )
    distill: float = Field(1.0, ge=0, description="weight of the alignment (release: 0.1 to 1.3)")
    recon: float | None = Field(
        None,
        ge=0,
        description="weight of L1 to the teacher's picture; none: 5 without pairs (release) or 0",
    )
    teacher: TeacherTraining = Field(TeacherTraining(), description="training of the method's own teacher")
    train: dict = Field(default_factory=dict, description="changes to the original's training settings")

    @model_validator(mode="after")
    def _one_budget(self) -> "Options":
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give {given[0]} or {given[1]}, not both: one budget")
        return self

    @property
    def budget(self) -> tuple[str, float]:
        """The budget's key and value."""
        found = [(name, getattr(self, name)) for name in BUDGETS if getattr(self, name) is not None]
        return found[0] if found else ("macs_share", 0.1)
