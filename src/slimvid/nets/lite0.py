"""EfficientNet-Lite0: the classifier whose inner channels measure distances between frames.

EfficientNet-B0 (Tan and Le 2019, table 1) in Google's Lite form of 2020: no squeeze-and-excitation, ReLU6
throughout, stem and head of fixed width, TensorFlow's "same" padding. Seven stages of inverted residual
blocks (Sandler et al. 2018); 4.65 million parameters.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

# repeats, channels in, channels out, kernel, stride of the first block, expansion
STAGES = (
    (1, 32, 16, 3, 1, 1),
    (2, 16, 24, 3, 2, 6),
    (2, 24, 40, 5, 2, 6),
    (3, 40, 80, 3, 2, 6),
    (3, 80, 112, 5, 1, 6),
    (4, 112, 192, 5, 2, 6),
    (1, 192, 320, 3, 1, 6),
)
WIDTHS = tuple(stage[2] for stage in STAGES)
HEAD, CLASSES = 1280, 1000
_EPSILON = 1e-3  # TensorFlow's, in every batch normalisation
_RELEASED = {  # names of the released state dict -> names here, in the order of replacing
    "_conv_stem": "stem.conv",
    "_conv_head": "head.conv",
    "_blocks.": "blocks.",
    "._expand_conv": ".expand.conv",
    "._depthwise_conv": ".depthwise.conv",
    "._project_conv": ".project.conv",
    "_fc": "classifier",
}
_NORMS = {"._bn0": ".expand.norm", "._bn1": ".depthwise.norm", "._bn2": ".project.norm"}
_OUTER_NORMS = {"_bn0": "stem.norm", "_bn1": "head.norm"}


class SameConv(nn.Module):
    """Convolution with TensorFlow's padding, and its normalisation; N x C x H x W -> ceil(H / stride) ..."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride=stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.conv.kernel_size, self.conv.stride
        (left, right), (top, bottom) = (_same(size, kernel, stride) for size in (x.shape[3], x.shape[2]))
        if (left, top) == (right, bottom) == (left, left):  # alike on all sides: the convolution pads itself
            x = F.conv2d(x, self.conv.weight, None, stride, left, groups=self.conv.groups)
        else:
            x = self.conv(F.pad(x, (left, right, top, bottom)))
        return self.norm(x)


class InvertedResidual(nn.Module):
    """1x1 to ``expansion`` times the channels, depthwise, 1x1 back without activation; the sum if it fits."""

    def __init__(self, channels: int, out: int, *, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = channels * expansion
        self.expand = SameConv(channels, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride=stride, groups=inner)
        self.project = SameConv(inner, out, 1)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """N x 3 x H x W RGB in [0, 1] -> N x 1000 logits of ImageNet's classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STAGES[0][1], 3, stride=2)
        blocks: list[nn.Module] = []
        self._ends = []  # of each stage: the number of blocks up to there
        for repeats, channels, out, kernel, stride, expansion in STAGES:
            for i in range(repeats):
                given, step = (out, 1) if i else (channels, stride)
                blocks.append(InvertedResidual(given, out, kernel=kernel, stride=step, expansion=expansion))
            self._ends.append(len(blocks))
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(WIDTHS[-1], HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def stages(self, x: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """Outputs of some stages, and no work beyond the last of them.

        Args:
            x: N x 3 x H x W RGB in [0, 1].
            wanted: stage numbers from 0, rising; their widths are in `WIDTHS`.

        Returns:
            for each, N x width x H' x W', at 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32 of the size (rounded up).
        """
        x = (x - 127 / 255) / (128 / 255)  # what the release was trained on
        x = F.relu6(self.stem(x))
        found = []
        for number, block in enumerate(self.blocks[: self._ends[wanted[-1]]], start=1):
            x = block(x)
            if number in self._ends and self._ends.index(number) in wanted:
                found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        (x,) = self.stages(x, [len(STAGES) - 1])
        return self.classifier(F.relu6(self.head(x)).mean(dim=(2, 3)))


def from_release(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The released state dict under the names of `Lite0`."""
    return {_renamed(name): value for name, value in state.items()}


def _renamed(name: str) -> str:
    norms = _NORMS if name.startswith("_blocks.") else _OUTER_NORMS
    for old, new in {**norms, **_RELEASED}.items():
        name = name.replace(old, new)
    return name


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after, so that the output has ceil(size / stride) places; the larger half after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
