"""CAT (Jin et al. 2021): a teacher that is the search space, pruned in one step, and taught by it again.

The method trains a teacher of its own in the original's place: the original's network with inception blocks
for its residual blocks and affine normalisations (CAT 3.1), by the original's objective. One threshold on the
scales of its normalisations says which channels stay, so that a generated frame fits the budget (3.2). The
student of those widths is drawn anew and learns the original's objective beside the teacher, whose
discriminators it goes on with, and whose features it aligns its own with (3.3):

    L = L_original [+ lambda_recon |S - T|] - lambda_dist sum over layers of GKA                    (Eq. 5, 3)

The paper works on image GANs. On a video original both its paths are pruned by the one threshold. Without
pairs the teacher's pictures are the pairs and the student learns no way back, as in the paper. The release
keeps the kept channels' scales and biases of instance norms, which its initialisation misses; the paper
trains from scratch, and so does this.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from slimvid import artifact
from slimvid.compress import Job
from slimvid.compress.cat_budget import budget_of, choose, is_chosen, macs_budget
from slimvid.compress.cat_distillation import AlignmentDistillation
from slimvid.compress.cat_options import Options
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.nets.inception import inception_spec, merge_branches
from slimvid.nets.inception_spade import inception_spade_spec
from slimvid.nets.inception_vid2vid import inception_vid2vid_spec
from slimvid.nets.spade import BlockWidths
from slimvid.section import recorded
from slimvid.settings import TeacherSettings
from slimvid.teachers import student_objective, teacher_module
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.inherit import begin_as, inherit_discriminators
from slimvid.training.loop import Trained, train

RECON = 5.0  # lambda_recon of the release's unpaired students


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The teacher's spec: what pruning leaves of it is in the artifact alone.

    Raises:
        SlimvidError: ``below`` is no original, or one without residual blocks; the loss has no gradient in
            batches of one.
    """
    original = teacher_module(settings).generator_spec(settings, condition)
    if sha256_json(dict(below)) != sha256_json(original):
        raise SlimvidError(
            "method cat trains a teacher of its own in the original's place, not in a compressed row's; take "
            "`over` away"
        )
    if options.kernel == "batch" and settings.batch == 1:
        raise SlimvidError(
            "kernel: 'batch' compares the pictures of a batch, and of one picture its loss is constant; "
            "raise `train.batch`, or use 'global'"
        )
    return teacher_spec(original)


def teacher_spec(original: Mapping[str, Any]) -> dict[str, Any]:
    """The original's spec with inception blocks and affine normalisations; of a SPADE also inception SPADEs.

    Raises:
        SlimvidError: it has no residual blocks.
    """
    if original["kind"] == "vid2vid":
        return inception_vid2vid_spec(original)
    if original["kind"] == "spade":
        own = {key: original[key] for key in ("condition_channels", "more")}
        return inception_spade_spec(BlockWidths(*original["blocks"][-1]).fout, **own)
    if original["kind"] != "resnet":
        raise SlimvidError(
            f"cat replaces residual blocks, and a {original['kind']} has none; say `generator: resnet` "
            "in the original's settings"
        )
    norm = {"instance": "instance_affine"}.get(original.get("norm", "instance"), "batch")
    own = {key: original[key] for key in ("in_channels", "out_channels") if key in original}
    return inception_spec(original["stem"][0], blocks=len(original["inner"]), norm=norm, **own)


def check_budget(
    options: Options, spec: Mapping[str, Any], below: Mapping[str, Any], cost: Callable[..., Any]
) -> None:
    """Refuse a budget in MACs that no pruning meets; one in time is for the machine that trains.

    Args:
        spec: of the teacher. below: of the original. cost: as ``job.cost``.

    Raises:
        SlimvidError: names the option and what can be reached.
    """
    if options.budget[0].startswith("macs"):
        macs_budget(options, below, cost).check(spec, least=options.least)


def compress(job: Job) -> None:
    """Train the teacher, prune it, train its student beside it and write the student's artifact."""
    options = job.parse(Options)
    run, settings = job.run, job.student_settings(options.train)
    original = artifact.read(job.teacher)
    try:
        spec = student_spec(settings, run.data.meta.condition, options, original.spec)
        budget = budget_of(job, options, original.spec)
        if not is_chosen(job):  # else a measurement might now say otherwise
            budget.check(spec, least=options.least)  # before the teacher trains
    except SlimvidError as error:
        raise SlimvidError(f"methods.{run.row}.options: on {run.task}: {error}") from None
    teacher = train_teacher(job, options, spec, original)
    choice, found = choose(job, teacher.generator, budget, least=options.least, identity=teacher.identity)
    student = run.network(choice.left)
    merge_branches(student)
    objective = student_objective(run, settings)
    inherit_discriminators(objective, teacher.objective)
    frozen = FrozenTeacher(job.teacher, run, net=teacher.generator)
    recon = (RECON if settings.unpaired else 0.0) if options.recon is None else options.recon
    trained = train(
        run.stage("student", after=teacher),
        student,
        objective,
        settings,
        distillation=AlignmentDistillation(options, frozen, recon=recon),
        provenance={"options": recorded(options, leave_out=("train", "teacher")), **found},
    )
    save(run, trained)


def train_teacher(
    job: Job, options: Options, spec: Mapping[str, Any], original: artifact.Artifact
) -> Trained:
    """The method's own teacher, trained by the original's objective: a stage of the run."""
    run = job.run
    changes = options.teacher.model_dump(exclude_none=True)
    settings = job.student_settings({**options.train, **changes})
    net = run.network(spec)
    merge_branches(net)
    objective = teacher_module(settings).Objective(run, settings)
    said = {"start": options.start}
    if options.start == "original":
        inherit(net, original)
        original.load_discriminators(objective.discriminators)
        said["original_sha256"] = original.digest()
    return train(run.stage("teacher"), net, objective, settings, provenance=said)


def inherit(net: nn.Module, original: artifact.Artifact) -> None:
    """Give the teacher the original's weights wherever it has a layer of the same name: not in the blocks.

    Scales stay 1 and biases 0 where the original's normalisations have none: at first that is the same. A
    bias before a batch normalisation, which the teacher has not (release), goes into its running mean.
    """
    source = original.module()
    begin_as(net, source)
    if net.spec["kind"] == "inception_spade":
        net.fc[0].load_state_dict(source.fc.state_dict())  # a normalisation follows that the original has not
        return
    theirs, state = source.state_dict(), net.state_dict()
    for name in theirs.keys() - state.keys():
        layer, key = name.rsplit(".", 1)
        place, number = layer.rsplit(".", 1)
        mean = f"{place}.{int(number) + 1}.running_mean"
        if key == "bias" and mean in state and ".body." not in name:
            state[mean] -= theirs[name]
