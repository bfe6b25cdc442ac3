"""OMGD (Ren et al. 2021): a student beside two teachers that are still learning.

A wide and a deep teacher learn the original's objective, judged by discriminators whose first stages they
share. The student sees neither a discriminator nor the truth: in every step it learns from what the teachers
have just drawn, in structure, features and style (Eq. 7, 8), and from the channels of the wide one (Eq. 10).
The teachers learn in every n-th step; each network runs once a step. At the end the student alone is kept.

    L = lambda_CD L_CD(wide) + sum over teachers of (SSIM + feature + style + TV)                     (Eq. 11)

The paper works on image GANs. On a video original each of the three networks draws a stream of its own, frame
by frame in step. Its deep ResNet has blocks after every change of size; here the trunk has more of them, so
that it is the original's kind of network. Its deep U-Net is the paper's. Its best wide teacher of CycleGAN is
chosen by evaluations in between (``best_every``); else the current one teaches, as in its pix2pix. Where the
release differs: it sums Eq. 10 over the layers (here the mean) and adds normalisation and ReLU to the
connector, which the paper has as a convolution; with CycleGAN it trains teacher and student in turns, here in
one loop as elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from slimvid import artifact
from slimvid.artifact import Artifact
from slimvid.compress import Job
from slimvid.compress.omgd_best import Best
from slimvid.compress.omgd_losses import channel_weights, output_losses, picture_features
from slimvid.compress.omgd_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.nets import build
from slimvid.nets.unet import UnetGenerator
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.teachers import teacher_module
from slimvid.training.finish import save
from slimvid.training.loop import train
from slimvid.training.objective import Objective, View
from slimvid.training.run import Run
from slimvid.training.taps import Taps, tap_channels

if TYPE_CHECKING:
    from slimvid.compress import Evaluate

LAYERS = 4  # feature maps whose channels are distilled (release)
EXPANSIONS = 2  # ExpansionBlocks after each change of size in the deep U-Net (release)


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The original's spec at the student's width (an even number of channels, at least 4).

    Raises:
        SlimvidError: it has no such layer to distil; a teacher shall begin as ``below``, no original.
    """
    make = teacher_module(settings).generator_spec
    goes_on = options.teacher_start == "original"
    if goes_on and sha256_json(dict(below)) != sha256_json(make(settings, condition)):
        raise SlimvidError(
            "teacher_start: 'original' goes on from an original, not from a compressed row; take `over` away"
        )
    spec = make(settings, condition, width=_width(settings, options))
    with torch.device("meta"):
        distilled_layers(build(spec), options)
    return spec


def teacher_specs(
    settings: TeacherSettings, condition: ConditionSpec, options: Options
) -> dict[str, dict[str, Any]]:
    """The teachers' specs by name: the student's, wider; and where it is wanted, deeper."""
    own, make = _width(settings, options), teacher_module(settings).generator_spec
    wide = 2 * round(own * options.expand / 2) if options.teacher_start == "scratch" else settings.width
    specs = {"wide": make(settings, condition, width=wide)}
    if options.deepen:
        unet = specs["wide"]["kind"] == "unet"
        more = {"expansions": EXPANSIONS} if unet else {"blocks": settings.blocks * options.deepen}
        specs["deep"] = make(settings, condition, width=own, **more)
    return specs


def compress(job: Job) -> None:
    """Train student and teachers in one loop; write the student's artifact."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    condition = run.data.meta.condition
    original = artifact.read(job.teacher) if options.teacher_start == "original" else None
    below = original.spec if original is not None else {}
    student = run.network(student_spec(settings, condition, options, below))
    objective = Online(run, settings, options=options, student=student, evaluate=job.evaluate)
    provenance = {
        "options": recorded(options, leave_out=("train",)),
        "teachers": teacher_specs(settings, condition, options),
        "features": objective.features.NAME,
    }
    if options.best_every:
        provenance["judge"] = job.evaluate.identity()
    if original is not None:
        objective.begin_as(original)
        provenance["original_sha256"] = original.digest()
    save(run, train(run, student, objective, settings, provenance=provenance))


@dataclass(kw_only=True)
class OnlineView(View):
    """The student's picture, the teachers' of the same sample, and what the distilled layers gave.

    Attributes:
        teachers: views of the teachers that were looked at, by name. shown: those that the student learns
            from. wide: of the wide teacher's layers, the best's where that teaches; ``features`` are the
            student's.
    """

    teachers: Mapping[str, View] = field(default_factory=dict)
    shown: Sequence[View] = ()
    wide: Mapping[str, Tensor] = field(default_factory=dict)


class Online(Objective):
    """The teachers' objectives and the student's distillation, all in one step.

    Args:
        student: the network to train, whose layers are looked at. evaluate: as ``job.evaluate``, for
            ``best_every``.
    """

    def __init__(
        self,
        run: Run,
        settings: TeacherSettings,
        *,
        options: Options,
        student: nn.Module,
        evaluate: "Evaluate | None" = None,
    ):
        super().__init__(run, settings)
        module, specs = teacher_module(settings), teacher_specs(settings, run.data.meta.condition, options)
        self.options, self.teaching = options, True
        self.nets = nn.ModuleDict({name: build(spec) for name, spec in specs.items()})
        self.objectives = nn.ModuleDict({name: module.Objective(run, settings) for name in specs})
        self.walk = self.objectives["wide"].walk
        if "deep" in specs:
            share(*(self.objectives[name].discriminators for name in specs), stages=options.shared)
        for name, objective in self.objectives.items():
            for part, judge in objective.discriminators.items():
                self.discriminators[f"{name}_{part}"] = judge
        self.features = picture_features(options.vgg)
        self.layers = distilled_layers(student, options) if options.channel else ()
        size = run.data.meta.height, run.data.meta.width
        widths = [tap_channels(net.spec, self.layers, size) for net in (student, self.nets["wide"])]
        pairs = zip(*widths, strict=True)
        self.connectors = nn.ModuleList(nn.Conv2d(own, theirs, 1, bias=False) for own, theirs in pairs)
        self.best = Best(build(specs["wide"]), evaluate) if options.best_every else None
        teaches = self.nets["wide"] if self.best is None else self.best.net
        looked_at = {"student": student, "wide teacher": teaches}
        self.taps = [Taps(net, self.layers, whose=whose) for whose, net in looked_at.items()]

    def begin_as(self, original: Artifact) -> None:
        """Let the wide teacher go on from the original, and all discriminators from the original's."""
        self.nets["wide"].load_state_dict(original.module().state_dict())
        for objective in self.objectives.values():
            original.load_discriminators(objective.discriminators)

    def networks(self, generator: nn.Module) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {"generator": generator}
        for name, objective in self.objectives.items():
            for part, net in objective.networks(self.nets[name]).items():
                found[name if part == "generator" else f"{name}_{part}"] = net
        return {**found, "connectors": self.connectors} if self.layers else found

    def sample(self, rng: np.random.Generator, index: int) -> Any:
        self.teaching = index % self.options.every == 0
        if self.best is not None and index % self.options.best_every == 0:
            self.best.challenge(self.nets["wide"])
        return self.objectives["wide"].sample(rng, index)

    def unroll(self, generator: nn.Module, batch: Any) -> Iterator[OnlineView]:
        """All streams in step, the student's and its teachers'; those that do not learn without gradient."""
        streams = {"student": self.objectives["wide"].stream(generator, batch), **self._streams(batch)}
        for views in zip(*streams.values(), strict=True):
            drawn = dict(zip(streams, views, strict=True))
            own, best = drawn.pop("student"), drawn.pop("best", None)
            features, wide = (taps.take() for taps in self.taps)
            teachers = {name: view for name, view in drawn.items() if name != "wide" or best is None}
            shown = [view for view in (best, *teachers.values()) if view is not None]
            yield OnlineView(
                **{"t": own.t, "batch": batch, "drawn": own.drawn, "out": own.out},
                **{"features": features, "teachers": drawn, "shown": shown, "wide": wide},
            )

    def _streams(self, batch: Any) -> dict[str, Iterator[View]]:
        """The streams of the teachers that are looked at in this step: to learn, or to be learned from."""
        streams = {}
        for (name, o), net in zip(self.objectives.items(), self.nets.values(), strict=True):
            if self.teaching:
                streams[name] = o.unroll(net, batch)
            elif name != "wide" or self.best is None:
                streams[name] = silent(o.stream(net, batch))
        if self.best is not None:
            streams["best"] = silent(self.objectives["wide"].stream(self.best.net, batch))
        return streams

    def losses(self, view: OnlineView) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        g: dict[str, Tensor] = {}
        d: dict[str, Tensor] = {}
        if self.teaching:
            for name, teacher in view.teachers.items():
                for total, found in zip((g, d), self.objectives[name].losses(teacher), strict=True):
                    total |= {f"{name}_{term}": value for term, value in found.items()}
        return g | self._distil(view), d

    def provenance(self) -> dict[str, Any]:
        return self.objectives["wide"].provenance()

    def _distil(self, view: OnlineView) -> dict[str, Tensor]:
        """Eq. 11, weighted."""
        o, pictures = self.options, [teacher.out.image.detach() for teacher in view.shown]
        with self.run.runtime.autocast():
            losses = output_losses(self.features, view.out.image, pictures)
        losses = {name: getattr(o, name) * value for name, value in losses.items()}
        if self.layers:
            losses["channel"] = o.channel * self._channels(view)
        return losses

    def _channels(self, view: OnlineView) -> Tensor:
        """Eq. 10: the distance of the channels' weights to the wide teacher's, mean over the layers."""
        errors = []
        for layer, connect in zip(self.layers, self.connectors, strict=True):
            if layer in view.features and layer in view.wide:  # a first frame may be another branch's
                wanted = channel_weights(view.wide[layer].detach())
                errors.append(((channel_weights(connect(view.features[layer])) - wanted) ** 2).mean())
        return torch.stack(errors).mean() if errors else view.out.image.new_zeros(())


def share(one: nn.ModuleDict, other: nn.ModuleDict, *, stages: int) -> None:
    """Let two sets of patch discriminators have their first stages in common (3.2, partially shared)."""
    for own, theirs in zip(_stages_of(one), _stages_of(other), strict=True):
        for i in range(min(stages, len(own))):
            theirs[i] = own[i]


def _stages_of(judges: nn.ModuleDict) -> list[nn.ModuleList]:
    lists = [m for m in judges.modules() if isinstance(m, nn.ModuleList)]
    return [m for m in lists if all(isinstance(layer, nn.Sequential) for layer in m)]


def silent(views: Iterator[View]) -> Iterator[View]:
    """The same views, drawn without gradient; the caller's mode is its own in between."""
    while True:
        with torch.no_grad():
            view = next(views, None)
        if view is None:
            return
        yield view


def distilled_layers(net: nn.Module, options: Options) -> tuple[str, ...]:
    """The layers whose channels are distilled: those named, else four residual blocks, evenly spread.

    Of a U-Net what the release takes at 8 levels, counted from the outside: the inputs of levels 2 and 4, and
    what goes up into levels 3 and 1; with fewer levels, those at the same part of the way in.

    Raises:
        SlimvidError: the network has no such layer.
    """
    if options.layers:
        Taps(net, options.layers, whose="student")
        return options.layers
    if isinstance(net, UnetGenerator):
        inward = [max(1, net.downs * eighths // 8) for eighths in (2, 4, 3, 1)]
        names = ["model" + ".inner" * level for level in inward]
        ends = ("activation", "activation", "up.0", "up.0")
        return tuple(dict.fromkeys(f"{name}.{end}" for name, end in zip(names, ends, strict=True)))
    blocks = [name for name, m in net.named_modules() if type(m).__name__.endswith("Block")]
    if not blocks:
        raise SlimvidError("layers: the network has no residual blocks; name layers, or set `channel: 0`")
    places = np.linspace(0, len(blocks) - 1, min(LAYERS, len(blocks))).round().astype(int)
    return tuple(blocks[i] for i in places)


def _width(settings: TeacherSettings, options: Options) -> int:
    return max(4, 2 * round(settings.width * options.width / 2))
