"""What stands in each table of the papers: our columns, the printed ones beside them, and which row is which.

A table is one entry of :data:`DECLARED`; its rows are the config's (``papers``). A table that the config
names and that is not here has all measured columns and nothing printed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from slimvid.report.columns import BY_NAME, MEASURED, Column


@dataclass(frozen=True, kw_only=True)
class PublishedColumn:
    """A printed quantity.

    Attributes:
        name: of our column, ``published_*``.
        column: of the transcription (``published``).
        heading: what it is, for people.
        table: of the transcription, where it is another than the table's own: ``text``. Figures given there
            for a kind of original, and not for one task, hold for each task of that kind.
        rows: whether printed rows that have nothing but this belong to the table.
    """

    name: str
    column: str
    heading: str
    table: str = ""
    rows: bool = True


@dataclass(frozen=True, kw_only=True)
class Source:
    """A printed table whose rows stand beside ours.

    Attributes:
        paper, number: of ``published``. Its tasks are those in print.
        methods: the methods whose rows are taken; none: all rows, measured here or not.
        models: kind of original -> the paper's word for it, where that is another.
    """

    paper: str
    number: str
    methods: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """A table or figure of a paper, or of several.

    Attributes:
        title: for people.
        measured: our columns.
        sources: where its printed rows stand; none where nothing is printed. Of several, a row's label begins
            with its paper.
        published: the printed columns.
        beside: our task -> the printed one of the same kind, for tasks that are in nobody's table.
        method, label: a printed row stands beside our row of its method's name. Where one method has several
            printed rows, ``label`` tells them apart: called with a task and the checked options of our row of
            ``slimvid.compress.<method>``, it gives the row as printed, or "" for one that is not in print.
        order: (measured, published) column by which the readable table says whether the printed order held.
        about: lines of explanation above the readable table.
    """

    title: str
    measured: tuple[Column, ...] = MEASURED
    sources: tuple[Source, ...] = ()
    published: tuple[PublishedColumn, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    label: Callable[[str, Any], str] | None = None
    order: tuple[str, str] | None = None
    about: tuple[str, ...] = ()


PAPERS = {
    "fast_vid2vid": "Fast-Vid2Vid",
    "shortcut_v2v": "Shortcut-V2V",
    "gan_compression": "GAN Compression",
    "cat": "CAT",
    "omgd": "OMGD",
}
FORMS = {
    "without_reference": "(a) w/o reference features",
    "without_current": "(b) w/o current features",
    "single_stage": "(c) Single-stage alignment",
    "without_blending": "(d) w/o adaptive blending",
    "full": "(e) Ours",
}
CUTS = {"low": "Low", "medium": "Medium", "high": "High"}
WIDTHS = {1: "Ours", 0.5: "Ours-1/2", 0.25: "Ours-1/4"}
BLOCK = {"segmentation2city": 0.5}  # the paper's block is a quarter of the channels there, else half


def form(task: str, options: Any) -> str:
    """Row of Table 3: what was left out of the block at its usual cut."""
    return FORMS.get(options.form, "") if options.cut == "medium" else ""


def cut(task: str, options: Any) -> str:
    """Row of Table 4: how much of the original a complete block leaves in use."""
    return CUTS.get(options.cut, "") if options.form == "full" else ""


def width(task: str, options: Any) -> str:
    """Point of Figure 3: a complete block at its usual cut, by its width against the paper's own."""
    if form(task, options) != FORMS["full"]:
        return ""
    return WIDTHS.get(options.width / BLOCK.get(task, 1), "")


def _measured(*names: str) -> tuple[Column, ...]:
    return tuple(BY_NAME[name] for name in names)


MACS = PublishedColumn(
    name="published_macs_g", column="macs", heading="MACs (G) as printed: one frame, of ours a shortcut frame"
)
PARAMS = PublishedColumn(
    name="published_params_m", column="params", heading="Params (M) as printed: those of that frame"
)
FVD = PublishedColumn(name="published_fvd", column="fvd", heading="FVD, as printed")
FPS = PublishedColumn(
    name="published_fps",
    column="fps",
    heading="FPS as printed (RTX 3090), for this kind of original",
    table="text",
)
LABEL_SCORES = tuple(
    PublishedColumn(name=f"published_{short}", column=column, heading=f"{short_name} %, as printed")
    for short, short_name, column in (
        ("miou", "mIoU", "miou"),
        ("ac", "AC", "class_accuracy"),
        ("mp", "MP", "pixel_accuracy"),
    )
)
COST = ("macs_g", "macs_g_shortcut_frame", "full_frame_share", "params_m", "fps", "fps_network")
QUALITY = (
    "video_distance_lite0",
    "frame_distance_lite0",
    "perceptual_st_lpips",
    "psnr",
    "ssim",
    "warp_error",
    "sharpness_ratio",
)
ONE_FRAME = (
    "The paper's MACs and parameters are those of one shortcut frame as pytorch-OpCounter sees them: the",
    "full frame that opens a cycle and the deformable convolutions are not in them. `GMACs per frame` and",
    "the true GMACs at full size are means over the cycle, with both.",
)
SHORTCUT_V2V = {
    "table1": PaperTable(
        title="Table 1: comparison with other compression methods",
        measured=_measured(*COST, *QUALITY),
        sources=(Source(paper="shortcut_v2v", number="1"),),
        published=(MACS, PARAMS, FVD, replace(FPS, rows=False)),  # other widths are in Figure 3
        about=ONE_FRAME,
    ),
    "table2": PaperTable(
        title="Table 2: segmentation score of viper2label, FCN-score of label2viper",
        measured=_measured(
            *(f"{score}_{how}" for how in ("unsup_eval", "fixed") for score in ("miou", "ac", "mp")),
            "macs_g",
            "video_distance_lite0",
        ),
        sources=(Source(paper="shortcut_v2v", number="2"),),
        published=LABEL_SCORES,
        about=(
            "`unsup-eval` counts as the evaluation that Unsupervised RecycleGAN released later, whose author",
            "is not certain that it gave the printed figures; `fixed` is the mean over classes that occur.",
        ),
    ),
    "table3": PaperTable(
        title="Table 3: ablation of the block",
        measured=_measured("macs_g", "macs_g_shortcut_frame", "params_m", *QUALITY),
        sources=(Source(paper="shortcut_v2v", number="3"),),
        published=(FVD,),
        method="shortcut",
        label=form,
        order=("video_distance_lite0", FVD.name),
    ),
    "table4": PaperTable(
        title="Table 4: dependence on the original",
        measured=_measured(*COST, *QUALITY),
        sources=(Source(paper="shortcut_v2v", number="4"),),
        published=(MACS, PARAMS, FVD),
        method="shortcut",
        label=cut,
        order=("video_distance_lite0", FVD.name),
        about=ONE_FRAME,
    ),
    "figure3": PaperTable(
        title="Figure 3: quality against cost, by the width of the block",
        measured=_measured(*COST, *QUALITY),
        sources=(Source(paper="shortcut_v2v", number="1"),),
        published=(MACS, FVD, FPS),
        method="shortcut",
        label=width,
        about=ONE_FRAME,
    ),
    "beyond": PaperTable(
        title="beyond the paper",
        measured=_measured(*COST, "latency_ms_p50", "latency_ms_p99", *QUALITY, "temporal_difference_ratio"),
        about=(
            "What the paper leaves open: an interval that follows the content at the cost of a constant one,",
            "a block on a compressed original; and a sharper block.",
        ),
    ),
}
# The same original networks in three papers; each method's rows are from the paper that proposes it.
PRINTED_OF_IMAGES = (
    replace(MACS, heading="MACs (G) as printed: transposed convolutions on their output grid"),
    replace(PARAMS, heading="Params (M) as printed"),
    PublishedColumn(name="published_fid", column="fid", heading="FID, as printed"),
    PublishedColumn(name="published_miou", column="miou", heading="mIoU %, as printed"),
)
OF_IMAGES = (
    Source(paper="gan_compression", number="1", methods=("original", "gan_compression")),
    Source(paper="cat", number="1", methods=("cat",)),
)
IMAGE_ORIGINALS = {
    "table1": PaperTable(
        title="Image originals: compression methods beside their papers",
        sources=(
            *OF_IMAGES,
            Source(paper="omgd", number="1", methods=("omgd",), models={"pix2pix": "pix2pix/resnet"}),
            Source(paper="omgd", number="2", methods=("omgd",)),
        ),
        published=PRINTED_OF_IMAGES,
        beside={
            "labels2scene": "city_label2photo",
            "edges2objects": "edges2shoes",
            "game2camera_pictures": "horse2zebra",
        },
    ),
    "table2": PaperTable(
        title="GauGAN: compression methods beside their papers",
        sources=OF_IMAGES,
        published=PRINTED_OF_IMAGES,
        beside=dict.fromkeys(("labels2scene_gaugan", "city_label2photo_gaugan"), "city_label2photo"),
    ),
}
DECLARED = {"shortcut_v2v": SHORTCUT_V2V, "image_originals": IMAGE_ORIGINALS}


def declared(name: str) -> PaperTable:
    """The declaration of a table of ``Config.tables``, such as ``shortcut_v2v/table3``."""
    paper, table = name.split("/")
    return DECLARED.get(paper, {}).get(table, PaperTable(title=table))
