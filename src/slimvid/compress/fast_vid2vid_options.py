"""The head of ``fast_vid2vid`` (see ``slimvid.rows``): what a row of it may say."""

from pydantic import Field

from slimvid.originals import training_keys
from slimvid.section import Section, UserPath

TEACHERS = ("vid2vid",)
PLANS = ("keyframes", "every_frame")
TRAIN = training_keys() - {"sequence_max", "sequence_doubles_every"}  # its sequences keep their length


class Options(Section):
    """The method's own keys; the defaults are the paper's."""

    sigma: float = Field(1.0, ge=0, description="weight of Spatial KD (Eq. 7)")
    gamma: float = Field(2.0, ge=0, description="weight of Temporal KD (Eq. 7)")
    alpha: float = Field(2.0, ge=0, description="weight of local Temporal KD (Eq. 6)")
    beta: float = Field(15.0, ge=0, description="weight of global Temporal KD (Eq. 6)")
    spatial_share: float = Field(0.4, ge=0, le=1, description="share of the run at gap 1, before part-time")
    gap_max: int | None = Field(
        None,
        ge=2,
        description="gaps are drawn from 2..gap_max; none: from those between the plan's key-frames",
    )
    i3d: UserPath | None = Field(None, description="i3d_torchscript.pt; none: a fixed random video network")
    train: dict = Field(default_factory=dict, description="changes to the teacher's training settings")


def needs(options: Options) -> tuple[str, ...]:
    """Its gaps are those between the plan's key-frames."""
    return ("keyframes",)
