"""GAN Compression (Li et al. 2020): one network of all widths, and a search in it.

    full  decomposed teacher -> student (its strongest channels, distilled) -> once-for-all network
          -> search on `val` within a budget of MACs -> fine-tuning -> plain network
    fast  the original is the teacher and the once-for-all network starts from nothing; the rest as above

The decomposed teacher (3.2) has separable residual blocks, of GauGAN separable SPADEs, and learns the
original's objective. Student and once-for-all network learn that objective too, from their teacher's features
besides, with the discriminators of the stage before (3.1); without pairs, the teacher's frames are the pairs
and the way back is not learned. Each step of the once-for-all network is of one configuration (3.3). The
search draws and judges the validation clips by one sub-network after another, without any training. The
chosen one is kept, as a plain network.

The paper compresses generators of images, and searches by FID; here that is the frame distance. A video
original's sub-networks draw streams, each frame after its own. Fast-Vid2Vid, which compares with this method,
searches by video distance (its 4.1), and so does this there.
"""

from collections.abc import Mapping
from typing import Any

from slimvid import artifact
from slimvid.compress import Job
from slimvid.compress.gan_compression_judge import Judge, check_metric
from slimvid.compress.gan_compression_options import Options
from slimvid.compress.gan_compression_search import some_within
from slimvid.compress.gan_compression_stages import Line, copied, even
from slimvid.data.condition import ConditionSpec
from slimvid.errors import SlimvidError
from slimvid.files import sha256_json
from slimvid.nets.channel_space import ChannelSpace, positions
from slimvid.settings import TeacherSettings
from slimvid.teachers import teacher_module
from slimvid.training.finish import save
from slimvid.training.frozen import FrozenTeacher


def student_spec(
    settings: TeacherSettings, condition: ConditionSpec, options: Options, below: Mapping[str, Any]
) -> dict[str, Any]:
    """The most expensive sub-network within the budget; what the search chooses costs at most as much.

    Raises:
        SlimvidError: no sub-network is within the budget, or ``below`` is no original.
    """
    module = teacher_module(settings)
    if sha256_json(dict(below)) != sha256_json(module.generator_spec(settings, condition)):
        raise SlimvidError(
            "method gan_compression compresses an original, whose form its search space has; take `over` away"
        )
    space = channel_space(below, settings.width, options)
    configs = some_within(space, options.budget)
    return space.spec(configs[int(space.macs(configs).argmax())])


def channel_space(original: Mapping[str, Any], width: int, options: Options) -> ChannelSpace:
    """The search space: the shares of the original's width as even numbers of channels, at least 2.

    Args:
        original: its spec, of that ``width``.

    Raises:
        SlimvidError: it has no residual blocks.
    """
    if original["kind"] == "unet":
        raise SlimvidError(
            "gan_compression makes residual blocks separable, and a unet has none; say `generator: resnet` "
            "in the original's settings"
        )
    spade = original["kind"] == "spade"
    shares = [options.shares(position.role, spade=spade) for position in positions(original)]
    return ChannelSpace(original, [[even(share * width) for share in own] for own in shares])


def compress(job: Job) -> None:
    """Train the stages and search; write the chosen network's artifact, the search's history and plot."""
    options = job.parse(Options)
    settings = job.student_settings(options.train)
    source = artifact.read(job.teacher)
    space = channel_space(source.spec, settings.width, options)
    some_within(space, options.budget)  # refused before anything is trained, and so is what cannot be judged
    original = job.evaluate(source.module())
    options = options.filled(settings.teacher, original)
    check_metric(job, options, original)
    line = Line(job=job, options=options, settings=settings, source=source, space=space)
    if options.pipeline == "full":
        decomposed = line.teacher()
        line.frozen = FrozenTeacher(job.teacher, job.run, net=copied(decomposed.generator))
        student = line.student(decomposed)
    else:
        line.frozen, student = FrozenTeacher(job.teacher, job.run), None
    supernet = line.supernet(student)
    what = {"job": job, "options": options, "space": space, "original": original}
    chosen = Judge(supernet=supernet.trained, **what).search()
    save(job.run, line.finished(supernet, chosen))
