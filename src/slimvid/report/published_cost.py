"""Every MACs and parameter figure that the five papers print, regenerated or with the reason why not.

``RULES`` says for each printed row which network it is of, by which convention each figure was counted and
how it was rounded. Ratios are left out: they are quotients of these figures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slimvid.errors import SlimvidError
from slimvid.measure.conventions import Rounding, rounded

if TYPE_CHECKING:
    import pandas

QUANTITIES = ("macs", "params")
COLUMNS = (
    *("paper", "table", "row", "quantity", "published", "convention", "regenerated", "match", "reason"),
    *("true_macs_g", "per_frame_true_macs_g"),
)

THOP, PROFILE, CONV = "thop", "torchprofile-0.0.1", "conv-only"
INFERRED = "structure inferred: found by matching these figures, no code of it was released"
SEARCHED = "result of a search or a pruning that was not released"
TRAINED = "depends on trained weights: channels are kept by their learned scales"
BORROWED = "another paper's network, not one of the five"
BOUND = "a bound or another network, named in passing"
SHARE = "depends on the test videos: one key-frame (regenerated) times the mean share of key-frames"
COMPENSATION = "no network: an estimate of motion compensation, and not what its own formula gives"
UNET = "taken over from DMAD, who counted otherwise; the definition gives 18.14"
ZERO = "GAN Compression's figure with a zero added; the network has more digits"
TWO_WIDTHS = "of hidden width 128, while the MACs beside it are of 64: no configuration has both"
DOWN = "no separable form of the two down-samplings gives it"
CYCLE = "one shortcut frame"


@dataclass(frozen=True)
class Rule:
    """How the figures of some printed rows come about.

    Attributes:
        source, tables, rows: where they are printed; None: any. tasks: likewise.
        network: key of ``published_networks.NETWORKS``; None: it cannot be regenerated.
        macs, params: conventions. rounding: of both; params_rounding: where it differs.
        reason: why a figure does not match, or what to know of one that does.
        quantity: the rule is of this quantity only.
    """

    source: str
    tables: str
    rows: tuple[str, ...] | None
    network: str | None
    macs: str = THOP
    params: str = "true"
    rounding: Rounding = "half_up"
    params_rounding: Rounding | None = None
    reason: str = ""
    tasks: tuple[str, ...] | None = None
    quantity: str | None = None

    def covers(self, record: dict[str, str]) -> bool:
        """Whether the rule is of a printed figure (a row of ``report.published``)."""
        return (
            record["source"] == self.source
            and record["table"] in self.tables.split()
            and (self.rows is None or record["row"] in self.rows)
            and (self.tasks is None or record["task"] in self.tasks)
            and (self.quantity is None or record["column"] == self.quantity)
        )


def _fast_vid2vid() -> Iterator[Rule]:
    for task in ("sketch2face", "segmentation2city", "pose2body"):
        here = {"tasks": (task,)}
        name = f"vid2vid {task}"
        yield Rule("fast_vid2vid", "1 text", ("original",), name, rounding="truncate", **here)
        yield Rule("fast_vid2vid", "1 2", ("Ours", "Spatial KD"), f"fast_{name}", reason=SHARE, **here)
    yield Rule("fast_vid2vid", "text", ("motion compensation",), None, reason=COMPENSATION)
    yield Rule("fast_vid2vid", "1 2", ("NAS", "CA", "CAT"), None, reason=SEARCHED)


def _shortcut_v2v() -> Iterator[Rule]:
    here, double = "shortcut_v2v", {"rounding": "double", "params": THOP}
    for task in ("sketch2face", "segmentation2city"):
        at = {"tasks": (task,), **double}
        yield Rule(here, "1 text", ("Original",), f"vid2vid {task}", **at)
        yield Rule(here, "1", ("Fast-Vid2Vid",), f"fast_vid2vid {task}", reason="one key-frame", **at)
        yield Rule(here, "1", ("OMGD",), f"omgd {task}", reason=INFERRED, **at)
        yield Rule(here, "1", ("Ours",), f"shortcut {task}", reason=f"{CYCLE}; {INFERRED}", **at)
    for task in ("viper2city", "label2viper"):
        at = {"tasks": (task,), **double}
        tool = CONV if task == "viper2city" else THOP  # its own code prints this one cell by torchprofile
        yield Rule(here, "1", ("Original",), f"recyclegan {task}", macs=tool, **at)
        yield Rule(here, "1", ("OMGD",), f"omgd {task}", macs=PROFILE, reason=INFERRED, **at)
        yield Rule(here, "1", ("Ours",), f"shortcut {task}", reason=CYCLE, **at)
    at = {"tasks": ("viper2city",), **double}
    yield Rule(here, "4", ("Low",), "shortcut viper2city low", reason=f"{CYCLE}; {INFERRED}", **at)
    yield Rule(here, "4", ("Medium",), "shortcut viper2city", reason=CYCLE, **at)
    both = ("4", ("High",), "shortcut viper2city high")
    yield Rule(here, *both, quantity="macs", reason=f"{CYCLE}; {INFERRED}", **at)
    yield Rule(here, *both, quantity="params", reason=TWO_WIDTHS, **at)
    at = {"tasks": ("sketch2face",), "reason": f"{CYCLE}; {INFERRED}", **double}
    for row, suffix in (("Low", " low"), ("Medium", ""), ("High", " high")):
        yield Rule(here, "4", (row,), f"shortcut sketch2face{suffix}", **at)
    yield Rule(here, "1", ("CAT",), None, reason=TRAINED)
    yield Rule(here, "text", ("ResNet v2 50", "Inception v3"), None, reason=BOUND)


PHOTO_TASKS = ("horse2zebra", "edges2shoes", "city_label2photo", "map2aerial")
SMALL_FORMS = (
    ("Original, ngf=64", "", "half_up", ""),
    ("Only change resBlocks, ngf=64", " separable blocks", "truncate", ""),
    ("Only change upsample, ngf=64", " separable up", "half_up", ""),
    ("Only change downsample, ngf=64", " separable down", "half_up", DOWN),
    ("Only change resBlocks, ngf=16", " separable blocks at 16", "half_up", ""),
    ("Only change upsample, ngf=16", " separable up at 16", "half_up", ""),
)


def _gan_compression() -> Iterator[Rule]:
    here, at = "gan_compression", {"macs": PROFILE}
    gaugan = {"tasks": ("city_label2photo",), **at}
    yield Rule(here, "1 text", ("GauGAN Original",), "gaugan", **gaugan)
    ours = ("GauGAN Ours", "GauGAN Ours (w/o fine-tuning)")
    yield Rule(here, "1", ours, "gan_compression gaugan", **gaugan)
    for task in PHOTO_TASKS:
        name = f"gan_compression {task}"
        ours = ("Ours", "Ours (w/o fine-tuning)")
        yield Rule(here, "1", ("Original",), "resnet9", params_rounding="truncate", tasks=(task,), **at)
        yield Rule(here, "1", ours, name, tasks=(task,), **at)
    for row, suffix, rounding, reason in SMALL_FORMS:
        how = {"macs": CONV, "rounding": rounding, "reason": reason}
        yield Rule(here, "4", (row,), f"resnet9{suffix}", **how)
    last = ("4", ("Only change downsample, ngf=16",), "resnet9 separable down at 16", CONV)
    yield Rule(here, *last, rounding="truncate", params_rounding="half_up")
    yield Rule(here, "6", ("Original Model",), "resnet9", **at)
    yield Rule(here, "6", ("GAN Compression",), "gan_compression city_label2photo", **at)
    yield Rule(here, "6", None, "resnet9 at 20", **at)
    yield Rule(here, "7", ("U-net",), "unet at 64", **at)
    yield Rule(here, "7", ("ResNet",), "resnet9 at 32", **at)
    yield Rule(here, "1", ("Shu et al.",), None, reason=BORROWED)
    yield Rule(here, "text", None, None, reason=BOUND)


def _cat() -> Iterator[Rule]:
    at = {"macs": PROFILE}
    yield Rule("cat", "1 2", ("GauGAN Original",), "gaugan", **at)
    yield Rule("cat", "1 2", ("GauGAN Li et al.",), "gan_compression gaugan", **at)
    yield Rule("cat", "1 2", ("Original",), "resnet9", **at)
    for task in ("horse2zebra", "city_label2photo", "map2aerial"):
        yield Rule("cat", "1", ("Li et al.",), f"gan_compression {task}", tasks=(task,), **at)
    ours = ("CAT (Ours)", "GauGAN CAT-A (Ours)", "GauGAN CAT-B (Ours)")
    yield Rule("cat", "1 2", ours, None, reason=TRAINED)
    yield Rule("cat", "1", None, None, reason=BORROWED)


def _omgd() -> Iterator[Rule]:
    resnet = ("edges2shoes", "city_label2photo", "horse2zebra", "summer2winter")
    at = {"macs": CONV}
    for row, width in (("OMGD 0.5x", 8), ("OMGD 0.75x", 12), ("OMGD 1.0x", 16)):
        yield Rule("omgd", "1 text", (f"U-Net {row}",), f"unet at {width}", **at)
    yield Rule("omgd", "1", ("U-Net Original",), "unet at 64", quantity="macs", reason=UNET, **at)
    yield Rule("omgd", "1", ("U-Net Original",), "unet at 64", quantity="params", reason=ZERO, **at)
    narrow = "resnet9 separable blocks at "
    yield Rule("omgd", "1 2", ("OMGD 1.0x", "OMGD (Ours)"), f"{narrow}16", tasks=resnet, **at)
    yield Rule("omgd", "1", ("OMGD 1.5x",), f"{narrow}24", tasks=resnet, **at)
    yield Rule("omgd", "1 2", ("Original",), "resnet9", quantity="macs", **at)
    yield Rule("omgd", "1 2", ("Original",), "resnet9", quantity="params", reason=ZERO)
    for task in ("horse2zebra", "city_label2photo", "edges2shoes"):
        name = f"gan_compression {task}"
        yield Rule("omgd", "1 2", ("GAN-Compression",), name, macs=PROFILE, tasks=(task,))
    yield Rule("omgd", "1 2", ("CAT",), None, reason=TRAINED)
    yield Rule("omgd", "1 2", None, None, reason=BORROWED)
    yield Rule("omgd", "text", None, None, reason=BOUND)


RULES: tuple[Rule, ...] = (*_fast_vid2vid(), *_shortcut_v2v(), *_gan_compression(), *_cat(), *_omgd())
FAMILIES = {"gaugan": "GauGAN", "pix2pix/unet": "U-Net"}


def rule_of(record: dict[str, str]) -> Rule:
    """The first rule that covers a printed figure.

    Raises:
        SlimvidError: there is none.
    """
    family = FAMILIES.get(record["model"], "")
    named = {**record, "row": f"{family} {record['row']}".strip()}
    for rule in RULES:
        if rule.covers(named):
            return rule
    where = " / ".join(record[key] for key in ("source", "table", "model", "task", "row", "column"))
    raise SlimvidError(f"published figure {where}: no rule says how it came about; add one to RULES")


def regenerate(record: dict[str, str]) -> dict[str, str]:
    """One row of ``results/cost/published.csv`` for one printed figure."""
    from slimvid.measure.published_networks import figures

    rule, quantity = rule_of(record), record["column"]
    place = " / ".join(filter(None, (record["model"], record["task"], record["row"])))
    row = dict.fromkeys(COLUMNS, "")
    row |= {"paper": record["source"], "table": record["table"], "row": place, "quantity": quantity}
    row |= {"published": record["value"], "match": "no", "reason": rule.reason}
    if rule.network is None:
        return row
    found = figures(rule.network)
    convention = rule.macs if quantity == "macs" else rule.params
    exact = (found.macs if quantity == "macs" else found.params)[convention]
    rounding = rule.rounding if quantity == "macs" else (rule.params_rounding or rule.rounding)
    digits = len(record["value"].partition(".")[2])
    text = rounded(exact, digits, rounding)
    return {
        **row,
        "convention": convention if quantity == "macs" or convention == THOP else "all parameters",
        "regenerated": text,
        "match": "exact" if text == record["value"] else "no",
        "true_macs_g": f"{found.true:.3f}",
        "per_frame_true_macs_g": f"{found.per_frame:.3f}",
    }


def published_table(source: str | None = None) -> "pandas.DataFrame":
    """The table of all printed figures (or of one paper's), in the papers' order, cells as text."""
    import pandas

    from slimvid.report import published

    printed = published.load(source)
    chosen = printed[printed["column"].isin(QUANTITIES) & (printed["value"] != "")]
    rows = [regenerate(record) for record in chosen.to_dict("records")]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def write_published(out: Path) -> None:
    """Write ``results/cost/published.csv``: counts about forty networks at full size, some ten seconds."""
    from slimvid.files import atomic_path

    table = published_table()
    with atomic_path(out) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
