"""The head of ``gan_compression`` (see ``slimvid.rows``): what a row of it may say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, model_validator

from slimvid.originals import training_keys
from slimvid.section import Section, Unique

if TYPE_CHECKING:
    from slimvid.settings import TaskSettings

TEACHERS = ("vid2vid", "recyclegan", "pix2pix", "cyclegan", "gaugan")
PLANS = ("every_frame", "keyframes")
SEARCHED = True
# The space and the budget are of the original's network, the discriminators go on from one stage to the next.
INHERITED = {
    *("width", "downs", "ups", "blocks", "past", "norm", "foreground", "first", "start", "going_on"),
    *("generator", "dropout", "disc_width", "disc_scales", "disc_layers", "disc_norm", "temporal_scales"),
}
TRAIN = training_keys() - INHERITED

Share = Annotated[float, Field(gt=0, le=1)]
Shares = Annotated[Unique[Share], Field(min_length=1)]
Metric = Literal["video_distance_lite0", "frame_distance_lite0", "psnr", "ssim"]
METRICS = get_args(Metric)
OF_VIDEO, OF_PICTURES = "video_distance_lite0", "frame_distance_lite0"  # what is wanted where nothing is said
HIGHER_IS_BETTER = ("psnr", "ssim")
ROLES = ("stem", "trunk", "up")
TRAINS_NOTHING = (
    "budget",
    "metric",
    "search",
    "most",
    "evolution",
    "calibrate",
    "train",
)  # decide no weights

# The candidates of the release as shares of the original's 64: channels-48, and for fast channels-64-pix2pix.
FULL = {"stem": (0.75, 0.5), "trunk": (0.75, 0.625, 0.5), "up": (0.75, 0.5, 0.375, 0.25)}
FAST = dict.fromkeys(ROLES, (1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25))
RECON, DISTILL = 10.0, 1.0
RECON_OF = {"pix2pix": 0.0, "gaugan": 0.0}  # kinds whose own objective has such a loss: L1, or VGG features
DISTILL_OF = {"gaugan": 10.0}
# The same of a SPADE, which has no stem: channels-48 and channels-64.
FULL_SPADE = {"trunk": (0.75, 0.625, 0.5), "up": (0.75, 0.625, 0.5, 0.375)}
FAST_SPADE = {"trunk": (1.0, 0.75, 0.625, 0.5), "up": (1.0, 0.75, 0.625, 0.5, 0.375)}
NOT_FAST = ("teacher_width", "teacher_start")


class Lengths(Section):
    """Iterations of each stage; left out: the training's own, for the once-for-all network twice as many.

    The paper trains the teacher, the distillation and the fine-tuning equally long, and the once-for-all
    network about twice that (Table 5).
    """

    teacher: int | None = Field(None, ge=1, description="of the decomposed teacher")
    distill: int | None = Field(
        None, ge=1, description="of the student that the once-for-all network begins as"
    )
    supernet: int | None = Field(None, ge=1, description="of the once-for-all network")
    finetune: int | None = Field(None, ge=0, description="of the network that the search chose; 0: none")


class Evolution(Section):
    """The evolutionary search; its operators and sizes are the release's."""

    population: int = Field(100, ge=2, description="configurations of a generation")
    generations: int = Field(500, ge=1)
    parents: float = Field(0.25, gt=0, le=1, description="share of the population that is kept and bred from")
    mutations: float = Field(
        0.5, ge=0, le=1, description="share of the children that mutate; others cross over"
    )
    mutate: float = Field(0.2, gt=0, le=1, description="probability that a mutation draws a number anew")


class Options(Section):
    """The method's own keys; weights and candidates are the release's for pix2pix."""

    pipeline: Literal["full", "fast"] = Field(
        "full", description="fast: the original is the teacher, the once-for-all network starts from nothing"
    )
    budget: float = Field(0.25, gt=0, le=1, description="true MACs of the student, share of the original's")
    stem: Shares | None = Field(
        None, description="widths that the layers before the smallest maps may have, shares of the original's"
    )
    trunk: Shares | None = Field(
        None, description="the same of the smallest maps, and inside residual blocks"
    )
    up: Shares | None = Field(None, description="the same of the up-samplings")
    teacher_width: float = Field(
        1.0, gt=0, le=2, description="of the decomposed teacher, over the original's"
    )
    teacher_start: Literal["scratch", "original"] = Field(
        "scratch", description="original: the teacher begins with the original's weights outside its blocks"
    )
    recon: float | None = Field(
        None,
        ge=0,
        description="weight of L1 to the truth; without pairs to the teacher's frame; none: 10, or 0 of "
        "pix2pix and gaugan, whose own objective has L1 or VGG features",
    )
    distill: float | None = Field(
        None,
        ge=0,
        description="weight of the features' distance, sum over the layers; none: 1, or 10 of gaugan",
    )
    iterations: Lengths = Field(Lengths(), description="of the stages")
    metric: Metric | None = Field(
        None,
        description="what the search wants best on `val`; none: video_distance_lite0, or of single pictures "
        "frame_distance_lite0",
    )
    search: Literal["auto", "exhaustive", "evolution"] = Field(
        "auto", description="auto: exhaustive where at most `most` configurations are within the budget"
    )
    most: int = Field(200, ge=1, description="see `search`")
    evolution: Evolution = Evolution()
    calibrate: int = Field(
        128, ge=1, description="training frames that batch norm's statistics of a sub-network are taken from"
    )
    train: dict = Field(default_factory=dict, description="changes to the original's training settings")

    def shares(self, role: str, *, spade: bool = False) -> tuple[float, ...]:
        """The widths that positions of a role may have, shares of the original's."""
        full, fast = (FULL_SPADE, FAST_SPADE) if spade else (FULL, FAST)
        return getattr(self, role) or (full if self.pipeline == "full" else fast)[role]

    def filled(self, kind: str, measured: Mapping[str, float | None]) -> "Options":
        """The options with what they leave to the kind of original, and to what can be measured of it."""
        recon = RECON_OF.get(kind, RECON) if self.recon is None else self.recon
        distill = DISTILL_OF.get(kind, DISTILL) if self.distill is None else self.distill
        usual = OF_PICTURES if measured.get(OF_VIDEO) is None else OF_VIDEO
        return self.model_copy(update={"recon": recon, "distill": distill, "metric": self.metric or usual})

    @model_validator(mode="after")
    def _of_one_pipeline(self) -> "Options":
        if self.pipeline == "fast":
            strange = [key for key in NOT_FAST if key in self.model_fields_set]
            strange += [
                f"iterations.{key}" for key in ("teacher", "distill") if getattr(self.iterations, key)
            ]
            if strange:
                raise ValueError(f"{strange[0]} belongs to `pipeline: full`, this one has no stage for it")
        widest = max(max(self.shares(role)) for role in ROLES)
        if self.pipeline == "full" and widest > self.teacher_width:
            raise ValueError(
                f"teacher_width: {self.teacher_width:g} is less than {widest:g}, the widest share of stem, "
                "trunk and up; the student takes its first weights from the teacher"
            )
        return self


def unfit(options: Options, task: "TaskSettings") -> str | None:
    """What of these options a task cannot have: see ``slimvid.rows``."""
    if options.metric == OF_VIDEO and task.longest == 1:
        return f"metric: {OF_VIDEO} has no value for single pictures; give {OF_PICTURES}, or leave it out"
    return None


def needs(options: Options) -> tuple[str, ...]:
    """The search draws the validation clips."""
    return ("evaluate",)
