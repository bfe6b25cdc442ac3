"""What a student of GAN Compression learns from its teacher (3.1), as one network or as all in one (3.3).

    L = L_objective + recon L_recon + distill sum_t MSE(f_t(G_t), G'_t)                               (Eq. 4)

f_t is a learned 1x1 convolution from the student's features to the teacher's channels: so say the text and
the release, where Eq. 3 has it on the teacher. Eq. 3 has the norm, too; the paper's weights are those of the
release's mean squared error. L_recon (Eq. 1) is the L1 distance to the truth, or without pairs to the
teacher's frame.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.compress.gan_compression_options import Options
from slimvid.nets.channel_space import Config, distilled_layers
from slimvid.nets.elastic import Elastic, make_elastic
from slimvid.nets.slicing import first_channels
from slimvid.training.distillation import Distillation
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.objective import Objective, View
from slimvid.training.sequences import Batch
from slimvid.training.taps import tap_channels

SAMPLING = 1 << 28  # index of the random numbers of configurations, apart from those of any step


class FeatureDistillation(Distillation):
    """Features through adaptors, and the picture.

    Args:
        options: the row's. teacher: frozen. objective: the student's.
        original: spec of the original. spec: of the student.
    """

    def __init__(
        self,
        options: Options,
        teacher: FrozenTeacher,
        objective: Objective,
        *,
        original: Mapping[str, Any],
        spec: Mapping[str, Any],
    ):
        layers = distilled_layers(original)
        super().__init__(teacher, layers=[(layer, layer) for layer in layers])
        self.options, self.unpaired = options, objective.settings.unpaired
        size = teacher.data.meta.height, teacher.data.meta.width
        widths = [tap_channels(each, layers, size) for each in (spec, teacher.net.spec)]
        pairs = zip(*widths, strict=True)
        self.adaptors = nn.ModuleList(nn.Conv2d(own, theirs, 1) for own, theirs in pairs)

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        losses = {}
        if self.options.distill:
            losses["distill"] = self.options.distill * self._features(view, teacher)
        if self.options.recon:
            wanted = teacher.out.image if self.unpaired else view.batch.frames[:, view.t]
            losses["recon"] = self.options.recon * F.l1_loss(view.out.image, wanted)
        return losses

    def _features(self, view: View, teacher: View) -> Tensor:
        """Sum over the layers; those that did not run (a first frame is another branch's) are left out."""
        total = view.out.image.new_zeros(())
        for adapt, (layer, _) in zip(self.adaptors, self.layers, strict=True):
            if layer in view.features and layer in teacher.features:
                total = total + F.mse_loss(adapt(view.features[layer]), teacher.features[layer])
        return total

    def inherit(self, other: "FeatureDistillation") -> None:
        """Go on with the adaptors of a network that this one's student is the first channels of."""
        self.adaptors.load_state_dict(first_channels(other.adaptors.state_dict(), self.adaptors))


class SupernetDistillation(FeatureDistillation):
    """The same for a once-for-all network: each step is of one configuration, drawn uniformly (release).

    All of it learns on that configuration: the network, the discriminators and the adaptors, which read as
    many channels as there are. Its other arguments are those of `FeatureDistillation`.
    """

    def __init__(self, options: Options, teacher: FrozenTeacher, objective: Objective, *, elastic: Elastic):
        super().__init__(options, teacher, objective, original=elastic.space.original, spec=elastic.net.spec)
        make_elastic(self.adaptors)
        self.elastic, self.seed = elastic, objective.run.seed

    def begin(self, batch: Batch, *, index: int) -> None:
        super().begin(batch, index=index)
        self.elastic.choose(self.drawn_config(index))

    def drawn_config(self, index: int) -> Config:
        """The configuration of a step."""
        return self.elastic.space.sample(np.random.default_rng([self.seed, SAMPLING + index]))
