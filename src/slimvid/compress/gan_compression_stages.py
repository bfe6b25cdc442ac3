"""The trainings of GAN Compression, each stage from what the one before left."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from torch import nn

from slimvid.artifact import Artifact
from slimvid.compress import Job
from slimvid.compress.gan_compression_distillation import FeatureDistillation, SupernetDistillation
from slimvid.compress.gan_compression_options import TRAINS_NOTHING, Options
from slimvid.nets.channel_space import ChannelSpace
from slimvid.nets.elastic import Elastic
from slimvid.nets.magnitude import inherit_strongest
from slimvid.nets.slicing import sub_network
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.teachers import student_objective, teacher_module
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.inherit import begin_as, inherit_discriminators
from slimvid.training.loop import Trained, train
from slimvid.training.objective import Objective
from slimvid.training.run import Run


class Stage(NamedTuple):
    """What came of a stage, and what it learned by."""

    trained: Trained
    distillation: FeatureDistillation


class Chosen(NamedTuple):
    """What the search chose: a plain network with its weights, and what the artifact says of the search."""

    net: nn.Module
    provenance: dict[str, Any]


@dataclass(kw_only=True)
class Line:
    """The stages of one row.

    Attributes:
        settings: of all its trainings, but for their lengths. source: the original's artifact.
        frozen: the teacher of all stages after the decomposed teacher's own.
    """

    job: Job
    options: Options
    settings: TeacherSettings
    source: Artifact
    space: ChannelSpace
    frozen: FrozenTeacher | None = None

    def teacher(self) -> Trained:
        """The decomposed teacher (3.2), trained as the original was."""
        run, settings = self._stage("teacher")
        number = even(self.options.teacher_width * settings.width)
        net = run.network(self.space.spec([number] * len(self.space.positions)))
        objective = teacher_module(settings).Objective(run, settings)
        facts = self._facts()
        if self.options.teacher_start == "original":
            begin_as(net, self.source.module())
            self.source.load_discriminators(objective.discriminators)
            facts["begins_as_sha256"] = self.source.digest()
        return train(run, net, objective, settings, provenance=facts)

    def student(self, teacher: Trained) -> Stage:
        """The widest sub-network: the teacher's strongest channels, distilled."""
        run, settings = self._stage("distill", after=teacher)
        net = run.network(self.space.spec(self.space.largest))
        inherit_strongest(teacher.generator, net)
        objective = student_objective(run, settings)
        inherit_discriminators(objective, teacher.objective)
        return self._learn(net, objective, self._distillation(net, objective))

    def supernet(self, student: Stage | None) -> Stage:
        """The once-for-all network (3.3), from the student or from nothing."""
        run, settings = self._stage("supernet", after=student and student.trained)
        net = run.network(self.space.spec(self.space.largest))
        objective = student_objective(run, settings)
        elastic = Elastic(net, self.space)
        distillation = SupernetDistillation(self.options, self.frozen, objective, elastic=elastic)
        if student is not None:
            net.load_state_dict(student.trained.generator.state_dict())
            inherit_discriminators(objective, student.trained.objective)
            distillation.inherit(student.distillation)
        return self._learn(net, objective, distillation)

    def finished(self, supernet: Stage, chosen: Chosen) -> Trained:
        """The chosen network, fine-tuned where that is wanted."""
        run, settings = self._stage("finetune", after=supernet.trained)
        facts = {"search": chosen.provenance}
        if self.options.iterations.finetune == 0:
            facts = {**supernet.trained.provenance, **facts}
            return replace(supernet.trained, generator=chosen.net, provenance=facts)
        objective = student_objective(run, settings)
        inherit_discriminators(objective, supernet.trained.objective)
        distillation = self._distillation(chosen.net, objective)
        distillation.inherit(supernet.distillation)
        return self._learn(chosen.net, objective, distillation, **facts).trained

    def _stage(self, name: str, *, after: Trained | None = None) -> tuple[Run, TeacherSettings]:
        """What a stage is told, and the settings of its length."""
        usual = self.settings.iterations * (2 if name == "supernet" else 1)
        length = getattr(self.options.iterations, name)
        settings = self.settings.model_copy(update={"iterations": usual if length is None else length})
        return self.job.run.stage(name, after=after), settings

    def _distillation(self, net: nn.Module, objective: Objective) -> FeatureDistillation:
        own = {"original": self.source.spec, "spec": net.spec}
        return FeatureDistillation(self.options, self.frozen, objective, **own)

    def _learn(
        self, net: nn.Module, objective: Objective, distillation: FeatureDistillation, **facts: Any
    ) -> Stage:
        run, settings = objective.run, objective.settings
        facts = {**self._facts(), **facts}
        return Stage(
            train(run, net, objective, settings, distillation=distillation, provenance=facts), distillation
        )

    def _facts(self) -> dict[str, Any]:
        return {"options": recorded(self.options, leave_out=TRAINS_NOTHING)}


def copied(net: nn.Module) -> nn.Module:
    """A plain network of its own with the same weights."""
    return sub_network(net.state_dict(), net.spec)


def even(channels: float) -> int:
    """The nearest even number of channels, at least 2."""
    return max(2, 2 * int(channels / 2 + 0.5))
