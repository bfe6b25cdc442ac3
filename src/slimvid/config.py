"""The configuration: typed, validated before the DAG is built, one class per section.

A config file is YAML whose keys are the field names below. `config/demo.yaml` is the default profile; a
file given after another overrides its keys. The workflow hands every job the merged, validated result.
"""

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slimvid.errors import SlimvidError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskSettings(Section):
    """One task: where its clips come from and the size they are prepared at."""

    source: Literal["world", "video", "cityscapes", "face", "pose", "camvid", "viper"]
    teacher: Literal["vid2vid", "recyclegan"] = Field("vid2vid", description="which original translates it")
    world: Literal["face", "city", "body"] | None = Field(None, description="procedural world to render")
    translation: Literal["game2camera", "game2label", "label2game"] | None = Field(
        None, description="city world, viper: from which look of a scene into which; none: from label maps"
    )
    path: Path | None = Field(None, description="video file, folder of frames, or dataset root")
    path_target: Path | None = Field(None, description="viper, game2camera: the Cityscapes root")
    height: int = Field(ge=32, le=2048)
    width: int = Field(ge=32, le=4096)
    fps: float | None = Field(None, gt=0, description="frame rate; none: the file's own, worlds: 15")
    seed: int = Field(0, ge=0, description="worlds: everything rendered follows from it")
    clip_frames: int = Field(30, ge=4, description="longer footage is cut into clips of this length")
    train_clips: int = Field(8, ge=1, description="worlds: how many clips to render")
    test_clips: int = Field(4, ge=1, description="worlds: how many held-out clips (other identities)")
    train_frames: tuple[int, int] | None = Field(None, description="one video: frames [a, b) to train on")
    test_frames: tuple[int, int] | None = Field(None, description="one video: frames [a, b) to test on")
    stride: int = Field(1, ge=1, description="take every n-th frame of the footage")
    canny: tuple[int, int] = Field((100, 200), description="Canny thresholds for edges computed from frames")
    landmarks: Path | None = Field(None, description="video: folder of 68-landmark JSON files, one a frame")
    labels: Path | None = Field(None, description="video: folder of label maps (PNG ids), one a frame")
    poses: Path | None = Field(None, description="video: folder of OpenPose JSON files, one a frame")
    label_names: tuple[str, ...] = Field((), description="video with labels: the classes, in id order")
    foreground: tuple[str, ...] = Field((), description="classes drawn by the foreground branch")
    distance_maps: bool = Field(False, description="edges with landmarks: add vid2vid's 14 distance maps")
    instances: bool = Field(True, description="labels: add the instance-boundary channel where ids exist")

    @model_validator(mode="before")
    @classmethod
    def _worlds_have_a_rate(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("source") == "world" and values.get("fps") is None:
            return {**values, "fps": 15.0}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> "TaskSettings":
        if self.source == "world" and self.world is None:
            raise ValueError("source 'world' needs `world: face|city|body`")
        if self.source != "world" and self.path is None:
            raise ValueError(f"source {self.source!r} needs `path:`")
        if self.source == "viper" and self.translation is None:
            raise ValueError("source 'viper' needs `translation: game2camera|game2label|label2game`")
        if self.translation is not None and self.source != "viper" and self.world != "city":
            raise ValueError("`translation:` is for source 'viper' and for `world: city`")
        if self.source == "viper" and (self.translation == "game2camera") != (self.path_target is not None):
            raise ValueError("`path_target:` is the other domain of source 'viper' with game2camera, only")
        for name in ("train_frames", "test_frames"):
            span = getattr(self, name)
            if span is not None and not 0 <= span[0] < span[1]:
                raise ValueError(f"{name} must be [first, past-the-last] with first < past-the-last")
        return self


class TeacherSettings(Section):
    """Training of a vid2vid original. Defaults are the paper's (Wang et al. 2018), sizes the profile's."""

    teacher: ClassVar[str] = "vid2vid"  # its module in slimvid.teachers

    width: int = Field(128, ge=4, description="ngf: channels after the first convolution")
    downs: int = Field(3, ge=1, le=5, description="down-samplings (vid2vid: 3)")
    blocks: int = Field(9, ge=2, description="residual blocks; about half before the sum (vid2vid: 9)")
    past: int = Field(2, ge=1, description="previous frames the generator sees (vid2vid: tG-1 = 2)")
    norm: Literal["batch", "instance"] = "batch"
    foreground: bool = Field(False, description="separate foreground branch (vid2vid --fg; label tasks)")
    first: Literal["real", "zero", "generator"] = Field(
        "zero", description="first frames: true ones, none (zeros), or drawn by a first-frame generator"
    )
    iterations: int = Field(ge=1)
    batch: int = Field(1, ge=1)
    sequence: int = Field(4, ge=2, description="frames unrolled per iteration at the start")
    sequence_max: int = Field(16, ge=2, description="the length doubles up to this")
    sequence_doubles_every: int = Field(0, ge=0, description="iterations between doublings; 0: never")
    lr: float = Field(2e-4, gt=0)
    decay_from: float = Field(0.5, ge=0, le=1, description="share of the run after which lr falls to 0")
    disc_width: int = Field(64, ge=4, description="ndf")
    disc_scales: int = Field(2, ge=1, le=4, description="num_D: 3 for faces, 2 for streets")
    temporal_scales: int = Field(2, ge=0, le=4, description="temporal discriminators, strides 3^s")
    lambda_feat: float = Field(10.0, ge=0, description="feature matching and VGG")
    lambda_flow: float = Field(10.0, ge=0, description="flow, warped frame")
    lambda_l1: float = Field(
        0.0, ge=0, description="extra L1 to the truth (0 in vid2vid; short runs need it: stated in artifacts)"
    )
    vgg: Path | None = Field(None, description="VGG-19 weights file (torchvision); none: perceptual loss off")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    save_every: int = Field(100, ge=1, description="iterations between resume states")

    @property
    def given(self) -> int:
        """True first frames that a stream of this original needs."""
        return self.past if self.first == "real" else 0


Pair = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]


class RecycleGANSettings(Section):
    """Training of an Unsupervised RecycleGAN original (Wang et al. 2022); defaults are viper2city's.

    Pairs of weights belong to (source, target): "source" is the domain of the task's conditions.
    """

    teacher: ClassVar[str] = "recyclegan"  # its module in slimvid.teachers
    given: ClassVar[int] = 0  # true first frames that a stream of this original needs

    width: int = Field(64, ge=4, description="ngf: channels after the first convolution")
    blocks: int = Field(6, ge=1, description="residual blocks")
    iterations: int = Field(ge=1)
    batch: int = Field(1, ge=1)
    lr: float = Field(2e-4, gt=0)
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
    vgg: Path | None = Field(None, description="AdaIN's vgg_normalised weights; none: content loss off")
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    save_every: int = Field(100, ge=1, description="iterations between resume states")


AnyTeacher = TeacherSettings | RecycleGANSettings


class PlanSettings(Section):
    """How a clip is walked at inference."""

    kind: Literal["every_frame", "keyframes", "shortcut"] = "every_frame"
    strategy: Literal["motion", "fixed", "random"] = Field("motion", description="how key-frames are chosen")
    window: int = Field(3, ge=1, description="smoothing window of the motion curve (Fast-Vid2Vid: 3)")
    max_gap: int | None = Field(None, ge=1, description="never further apart than this; none: no cap")
    interpolation: Literal["mci", "linear", "dis"] = "mci"
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

    @model_validator(mode="after")
    def _shortcut(self) -> "PlanSettings":
        given = [
            n for n in ("max_interval", "budget_macs_g", "budget_interval") if getattr(self, n) is not None
        ]
        if given and self.kind != "shortcut":
            raise ValueError(f"{given[0]} belongs to the plan `kind: shortcut`")
        if not given and self.kind == "shortcut":
            raise ValueError("kind shortcut needs max_interval (constant), or a budget (adaptive)")
        if "budget_macs_g" in given and "budget_interval" in given:
            raise ValueError("give budget_macs_g or budget_interval, not both")
        return self


class MethodSettings(Section):
    """One row of the comparison: `method` names the module in slimvid.compress, which validates `options`."""

    method: Name
    plan: PlanSettings = PlanSettings()
    options: dict[str, Any] = Field(default_factory=dict, description="validated by the method's module")


class MeasureSettings(Section):
    """Protocols of the measures."""

    window: int = Field(16, ge=4, description="frames of an RFVD-4 sample")
    window_stride: int = Field(4, ge=1)
    segmenter_iterations: int = Field(200, ge=1)
    latency_frames: int = Field(60, ge=4)
    latency_warmup: int = Field(5, ge=0)
    bootstrap: int = Field(200, ge=0, description="paired bootstrap repeats over clips")
    inception: Path | None = Field(None, description="pt_inception-2015-12-05 weights: adds standard FID")
    i3d: Path | None = Field(None, description="i3d_torchscript.pt: adds standard FVD")
    fcn: Path | None = Field(None, description="FCN-8s of Viper's classes: FCN-scores of real label2viper")


class TableSettings(Section):
    tasks: tuple[Name, ...] = Field(min_length=1)
    methods: tuple[Name, ...] = Field(min_length=1, description="rows; 'original' is the teacher")


class Config(Section):
    """The whole configuration of one run."""

    profile: Name
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    threads: int = Field(1, ge=1, description="CPU threads of one training job")
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    tasks: dict[Name, TaskSettings] = Field(min_length=1)
    teacher: TeacherSettings = Field(description="vid2vid; overridden per task in `teacher_of`")
    recyclegan: RecycleGANSettings | None = Field(None, description="for tasks with `teacher: recyclegan`")
    teacher_of: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    methods: dict[Name, MethodSettings] = Field(default_factory=dict)
    measure: MeasureSettings = MeasureSettings()
    table1: TableSettings

    @model_validator(mode="after")
    def _names_exist(self) -> "Config":
        unknown = [t for t in (*self.table1.tasks, *self.teacher_of) if t not in self.tasks]
        if unknown:
            raise ValueError(f"table1/teacher_of name tasks that `tasks` lacks: {', '.join(unknown)}")
        missing = [m for m in self.table1.methods if m != "original" and m not in self.methods]
        if missing:
            raise ValueError(f"table1.methods names rows that `methods` lacks: {', '.join(missing)}")
        if "original" in self.methods:
            raise ValueError("methods.original: the name is taken by the teacher; choose another")
        for task in self.tasks:
            self.teacher_settings(task)
        return self

    def teacher_settings(self, task: str) -> AnyTeacher:
        """The settings of a task's teacher: the section of its kind under the task's own keys."""
        kind = self.tasks[task].teacher
        section = self.teacher if kind == "vid2vid" else getattr(self, kind)
        if section is None:
            raise ValueError(f"tasks.{task}.teacher is {kind!r}, but there is no section `{kind}:`")
        own = self.teacher_of.get(task, {})
        try:
            return type(section).model_validate({**section.model_dump(), **own})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"teacher_of.{task}.{field}: {first['msg']}") from None

    def plan_of(self, method: str) -> PlanSettings:
        """The plan of a row; the original walks every frame."""
        return PlanSettings() if method == "original" else self.methods[method].plan


def merge(base: dict, over: dict) -> dict:
    """``base`` with the keys of ``over`` laid on it, nested mappings merged."""
    out = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if nested else value
    return out


def validate(document: dict, *, origin: str) -> Config:
    """Type-check a merged document.

    Raises:
        SlimvidError: names the file and the first field that does not fit.
    """
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SlimvidError(f"{origin}: field {field}: {first['msg']}{more}") from None


def load(*paths: Path | str) -> Config:
    """Read one or more YAML (or JSON) files, later ones over earlier ones, and validate the result."""
    import yaml

    document: dict = {}
    for path in map(Path, paths):
        try:
            text = path.read_text()  # JSON on its own: YAML 1.1 reads 1e-05 as a string
            part = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        except FileNotFoundError:
            raise SlimvidError(f"{path}: no such config file; see config/ for the three profiles") from None
        except OSError as error:
            raise SlimvidError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from None
        except (yaml.YAMLError, ValueError) as error:
            raise SlimvidError(f"{path}: not valid YAML ({error})".replace("\n", " ")) from None
        if not isinstance(part, dict):
            raise SlimvidError(f"{path}: holds no mapping; see config/demo.yaml")
        document = merge(document, part)
    return validate(document, origin=" + ".join(map(str, paths)))
