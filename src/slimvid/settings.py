"""The sections of the configuration: every key with its type, limits, default and meaning."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from slimvid.originals import known_kind, settings_class, teachers_of_two_domains
from slimvid.section import Name, Section, Seed, Unique, UserPath

Teacher = Annotated[Name, AfterValidator(known_kind)]
TASK_FILES = ("path", "path_target", "landmarks", "labels", "poses")  # keys of a task that name footage
IMAGES = ("pairs", "domains")  # sources of single pictures
STILL_WORLDS = ("aerial", "object")  # procedural worlds in which nothing moves
RANGES = ("train_frames", "val_frames", "test_frames")

# Which keys of a task are read where a key has a value (None: any): others are refused. Keys of no row are
# read by every task.
TASK_READS: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("source", "world", ("world", "seed", "train_clips", "val_clips", "test_clips", "stills")),
    ("source", "video", ("path", *RANGES, "stride", "canny", "landmarks", "labels", "poses")),
    ("source", "cityscapes", ("path", *RANGES, "stride", "foreground", "instances", "stills")),
    ("source", "face", ("path", *RANGES, "stride", "canny", "distance_maps")),
    ("source", "pose", ("path", *RANGES, "stride")),
    ("source", "camvid", ("path", *RANGES, "stride", "foreground", "stills")),
    ("stills", True, ("val_images",)),
    ("source", "viper", ("path", *RANGES, "stride", "translation")),
    ("source", "pairs", ("path", "direction", "val_images")),
    ("source", "domains", ("path", "direction", "val_images")),
    ("world", "face", ("canny",)),
    ("world", "city", ("translation",)),
    ("world", "object", ("canny",)),
    ("landmarks", None, ("distance_maps",)),
    ("labels", None, ("label_names", "foreground")),
)

Threshold = Annotated[int, Field(ge=0)]


def _holds(value: Any, wanted: str | None) -> bool:
    return value is not None if wanted is None else value == wanted


class TaskSettings(Section):
    """One task: where its clips come from and the size they are prepared at."""

    source: Literal["world", "video", "cityscapes", "face", "pose", "camvid", "viper", "pairs", "domains"]
    teacher: Teacher = Field("vid2vid", description="the kind of original that translates it")
    world: Literal["face", "city", "body", "aerial", "object"] | None = Field(
        None, description="procedural world to render; aerial, object: single pictures only"
    )
    translation: Literal["game2camera", "game2label", "label2game"] | None = Field(
        None, description="city world, viper: from which look into which; none: from label maps"
    )
    path: UserPath | None = Field(None, description="video file, folder of frames, or dataset root")
    path_target: UserPath | None = Field(None, description="viper, game2camera: the Cityscapes root")
    direction: Literal["AtoB", "BtoA"] = Field("AtoB", description="pairs, domains: from side A or side B")
    val_images: int | None = Field(
        None, ge=1, description="single pictures: how many of them to choose by; none: a tenth, at most 300"
    )
    stills: bool = Field(
        False,
        description="world, cityscapes, camvid: single pictures instead of videos, each a clip of one frame",
    )
    height: int = Field(ge=32, le=2048)
    width: int = Field(ge=32, le=4096)
    fps: float | None = Field(None, gt=0, description="frame rate; none: the file's own, worlds: 30")
    seed: Seed = Field(0, description="worlds: everything rendered follows from it")
    clip_frames: int = Field(30, ge=4, description="longer footage is cut into clips of this length")
    train_clips: int = Field(8, ge=1, description="worlds: how many clips to render")
    val_clips: int = Field(3, ge=1, description="worlds: how many clips to choose by (other identities)")
    test_clips: int = Field(4, ge=1, description="worlds: how many held-out clips (other identities)")
    train_frames: tuple[int, int] | None = Field(None, description="one video: frames [a, b) to train on")
    val_frames: tuple[int, int] | None = Field(
        None, description="one video: frames [a, b) to choose by; none: the end of the training range"
    )
    test_frames: tuple[int, int] | None = Field(None, description="one video: frames [a, b) to test on")
    stride: int = Field(1, ge=1, description="take every n-th frame of the footage")
    canny: tuple[Threshold, Threshold] = Field(
        (100, 200), description="Canny thresholds [low, high] for edges computed from frames"
    )
    landmarks: UserPath | None = Field(None, description="video: folder of 68-point JSON files, one a frame")
    labels: UserPath | None = Field(None, description="video: folder of label maps (PNG ids), one a frame")
    poses: UserPath | None = Field(None, description="video: folder of OpenPose JSON files, one a frame")
    label_names: Unique[str] = Field((), description="video with labels: the classes, in id order")
    foreground: Unique[str] = Field((), description="classes drawn by the foreground branch")
    distance_maps: bool = Field(False, description="edges with landmarks: add vid2vid's 14 distance maps")
    instances: bool = Field(True, description="labels: add the instance-boundary channel where ids exist")

    @property
    def unpaired(self) -> bool:
        """Whether its original learns from two domains and never from a pair."""
        apart = self.translation is not None or self.source == "domains"
        return apart and settings_class(self.teacher).unpaired

    @property
    def longest(self) -> int:
        """The most frames that a training clip may have; pictures are clips of one."""
        return 1 if self.source in IMAGES or self.stills else self.clip_frames

    @model_validator(mode="before")
    @classmethod
    def _worlds_have_a_rate(cls, values: Any) -> Any:
        world = isinstance(values, dict) and values.get("source") == "world" and not values.get("stills")
        if world and values.get("fps") is None:
            return {**values, "fps": 30.0}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "TaskSettings":
        if self.source == "world" and self.world is None:
            raise ValueError("source 'world' needs `world: face|city|body|aerial|object`")
        if self.world in STILL_WORLDS and not self.stills:
            raise ValueError(f"world {self.world!r} has no motion, only single pictures; add `stills: true`")
        if self.source != "world" and self.path is None:
            raise ValueError(f"source {self.source!r} needs `path:`")
        if self.source == "viper" and self.translation is None:
            raise ValueError("source 'viper' needs `translation: game2camera|game2label|label2game`")
        unpaired = self.source == "viper" and self.translation == "game2camera"
        if unpaired != (self.path_target is not None):
            raise ValueError("`path_target:` is the other domain of source 'viper' with game2camera, only")
        if self.canny[0] > self.canny[1]:
            raise ValueError("canny must be [low, high] with low <= high")
        if (unpaired or self.source == "domains") and not self.unpaired:
            what = "'viper' with game2camera" if unpaired else "'domains'"
            raise ValueError(f"source {what} has no pairs: give it {teachers_of_two_domains()}")
        for name in RANGES:
            span = getattr(self, name)
            if span is not None and self.stills:
                raise ValueError(f"`{name}:` divides a video; with `stills: true` leave it out")
            if span is not None and not 0 <= span[0] < span[1]:
                raise ValueError(f"{name} must be [first, past-the-last] with first < past-the-last")
        self._nothing_of_time()
        self._nothing_unread()
        return self

    def _nothing_of_time(self) -> None:
        """Single pictures have neither length nor rate."""
        for name in ("clip_frames", "fps", "stride") if self.longest == 1 else ():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}:` is of videos, and this task has single pictures; leave it out")
        if self.source == "world" and self.val_images is not None:
            raise ValueError(
                "`val_images:` holds back files; of a world's pictures `val_clips:` are chosen by"
            )

    def _nothing_unread(self) -> None:
        """Every key that was changed is read by a task like this one."""
        rows = {name: [row for row in TASK_READS if name in row[2]] for name in type(self).model_fields}
        for name, found in rows.items():
            read = any(_holds(getattr(self, key), value) for key, value, _ in found)
            if found and not read and getattr(self, name) != type(self).model_fields[name].default:
                where = " or ".join(f"`{key}: {value or '...'}`" for key, value, _ in found)
                raise ValueError(f"`{name}:` would not be read here: it goes with {where}; leave it out")


class GoingOn(Section):
    """How a training goes on from weights that are good already; its rate falls like any other's."""

    iterations: int = Field(24, ge=1)
    lr: float = Field(2e-4, gt=0)


Start = Literal["scratch", "shipped"] | UserPath
START = "what it goes on from: scratch, shipped (data/originals/<task>), or a path of such a file"


class TeacherSettings(Section):
    """What every kind of original's training has; each adds its own (``teachers/NAME_settings.py``)."""

    teacher: ClassVar[str]  # the kind's name, which is its module in slimvid.teachers
    unpaired: ClassVar[bool] = False  # whether it learns from two domains and never from a pair

    iterations: int = Field(ge=1)
    batch: int = Field(1, ge=1)
    lr: float = Field(2e-4, gt=0)
    start: Start = Field("scratch", description=START)
    going_on: GoingOn = Field(GoingOn(), description="its length and rate where it goes on from weights")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    save_every: int = Field(100, ge=1, description="iterations between resume states")

    @property
    def given(self) -> int:
        """True first frames that a stream of this original needs."""
        return 0


# The keys of a plan that its kind reads; others are refused.
PLAN_READS = {
    "every_frame": (),
    "keyframes": ("strategy", "window", "max_gap", "interval", "interpolation", "timing"),
    "shortcut": ("max_interval", "budget_macs_g", "budget_interval"),
}


class PlanSettings(Section):
    """How a clip is walked at inference."""

    kind: Literal["every_frame", "keyframes", "shortcut"] = "every_frame"
    strategy: Literal["motion", "fixed", "random"] = Field("motion", description="how key-frames are chosen")
    window: int = Field(3, ge=1, description="smoothing window of the motion curve (Fast-Vid2Vid: 3)")
    max_gap: int | None = Field(None, ge=1, description="never further apart than this; none: no cap")
    interval: int | None = Field(
        None, ge=1, description="strategy fixed: every n-th frame; none: as many as `motion` would choose"
    )
    interpolation: Literal["mci", "linear", "dis", "hold"] = Field(
        "mci", description="what lies between key-frames; hold: each is shown until the next"
    )
    timing: Literal["exact", "official"] = Field(
        "exact", description="true time stamps, or the release's mis-timing for the record"
    )
    max_interval: int | None = Field(
        None, ge=1, description="shortcut: frames from one reference to the next, at most (the paper: 3 or 6)"
    )
    budget_macs_g: float | None = Field(
        None, gt=0, description="shortcut, adaptive: mean true MACs per frame that may be spent, 1e9"
    )
    budget_interval: float | None = Field(
        None, ge=1, description="shortcut, adaptive: may spend what a constant interval of this length would"
    )

    @property
    def is_adaptive(self) -> bool:
        """Whether a budget, not the interval, says when a reference is renewed."""
        return self.budget_macs_g is not None or self.budget_interval is not None

    @model_validator(mode="after")
    def _of_one_kind(self) -> "PlanSettings":
        given = [n for n, field in type(self).model_fields.items() if getattr(self, n) != field.default]
        for kind, names in PLAN_READS.items():
            if kind != self.kind and (strange := [n for n in given if n in names]):
                raise ValueError(f"{strange[0]} belongs to the plan `kind: {kind}`, this one is {self.kind}")
        if self.interval is not None and self.strategy != "fixed":
            raise ValueError("interval belongs to the plan `kind: keyframes, strategy: fixed`")
        if self.interval is not None and self.max_gap is not None:
            raise ValueError("give interval or max_gap, not both")
        if self.interpolation == "hold" and self.timing == "official":
            raise ValueError(
                "timing official mis-times an interpolation; with `interpolation: hold` give exact"
            )
        if self.kind == "shortcut" and not set(given) & set(PLAN_READS["shortcut"]):
            raise ValueError("kind shortcut needs max_interval (constant), or a budget (adaptive)")
        if "budget_macs_g" in given and "budget_interval" in given:
            raise ValueError("give budget_macs_g or budget_interval, not both")
        return self


class RowChanges(Section):
    """What a row does differently on some tasks."""

    plan: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)


class MethodSettings(Section):
    """One row of the comparison: `method` names the module in slimvid.compress, which validates `options`."""

    method: Name
    over: Name | None = Field(None, description="row that it compresses; none: the original")
    plan: PlanSettings = PlanSettings()
    options: dict[str, Any] = Field(default_factory=dict, description="validated by the method's module")
    per: dict[Name, RowChanges] = Field(
        default_factory=dict, description="changes by kind of original, or by task (which wins)"
    )
    teachers: Unique[Teacher] = Field((), description="kinds of original that it applies to; none: all")


class MeasureSettings(Section):
    """Protocols of the measures."""

    dimensions: int = Field(32, ge=12, description="of the features of frame and video distance")
    window_stride: int = Field(4, ge=1, description="frames between the starts of FVD's windows")
    segmenter_iterations: int = Field(200, ge=1)
    latency_frames: int = Field(60, ge=4)
    latency_warmup: int = Field(5, ge=0)
    bootstrap: int = Field(200, ge=0, description="paired bootstrap repeats over clips")
    inception: UserPath | None = Field(None, description="pt_inception-2015-12-05 weights: adds standard FID")
    i3d: UserPath | None = Field(None, description="i3d_torchscript.pt: adds standard FVD")
    fcn: UserPath | None = Field(None, description="FCN-8s of Viper's classes: FCN-scores of label2viper")


Interval = Annotated[int, Field(ge=1)]
Budget = Annotated[float, Field(ge=1)]


class SearchSettings(Section):
    """The search over width, dependence and interval: trained Shortcut blocks under a list of plans."""

    task: Name
    methods: Unique[Name] = Field(min_length=1, description="rows with a Shortcut block, whatever plan")
    intervals: Unique[Interval] = Field((), description="each row at these constant intervals")
    budgets: Unique[Budget] = Field((), description="... and adaptively, by these `budget_interval`s")

    @model_validator(mode="after")
    def _some_plan(self) -> "SearchSettings":
        if not (self.intervals or self.budgets):
            raise ValueError("give `intervals` or `budgets`: without a plan there is nothing to compare")
        return self


class TableSettings(Section):
    """Rows of a table: every method on every task that it applies to."""

    tasks: Unique[Name] = Field(min_length=1)
    methods: Unique[Name] = Field(min_length=1, description="rows; 'original' is the teacher")
    unequal: str | None = Field(None, description="why its students have unequal training budgets")
