"""vid2vid's first-scale generator (Wang et al. 2018, section 3.1) and Fast-Vid2Vid's form of it.

One graph serves both. The teacher has residual blocks and works at full size. Fast-Vid2Vid's student
(Fast-Vid2Vid 3.2, 3.3) has decomposed blocks (``decomposed``), takes all its inputs at half size and keeps
that size in the first down-sampling layer (``low_demand``: d = 1), so three up-samplings give full size.

    conditions t-2..t -> down_seg --+--> res_img  -> up_img  -> final_img            raw image
    frames  t-2..t-1  -> down_img --+--> res_flow -> up_flow -> final_flow, final_w  flow, weight
    image = w * raw + (1 - w) * warp(frame t-1, flow); the foreground branch is laid over both.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimvid.errors import SlimvidError
from slimvid.nets.blocks import DecomposedBlock, Norm, ResBlock, down, head, initialise, stem, up
from slimvid.nets.cuts import run
from slimvid.nets.framewise import Drawn
from slimvid.nets.warp import warp

FLOW_SCALE = 20.0  # pixels: the flow head's output is multiplied by it (vid2vid release)


class Output(NamedTuple):
    """What the generator draws for one frame, N x . x H x W; images in [-1, 1], flow in pixels."""

    image: Tensor
    raw: Tensor
    flow: Tensor
    weight: Tensor
    warped: Tensor


def _residuals(channels: int, count: int, norm: Norm, decomposed: bool) -> list[nn.Module]:
    return [DecomposedBlock(channels, norm) if decomposed else ResBlock(channels, norm) for _ in range(count)]


def _encoder(in_channels: int, width: int, downs: int, norm: Norm, low_demand: bool) -> list[nn.Module]:
    layers = stem(in_channels, width, norm)
    for i in range(downs):
        stride = 1 if low_demand and i == 0 else 2
        layers += down(width * 2**i, width * 2 ** (i + 1), norm, stride=stride)
    return layers


def _decoder(width: int, downs: int, norm: Norm) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for i in reversed(range(downs)):
        layers += up(width * 2 ** (i + 1), width * 2**i, norm)
    return layers


class ImageBranch(nn.Sequential):
    """Encoder, residual blocks, decoder and image head in one: the foreground and first-frame branches."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        downs: int,
        blocks: int,
        norm: Norm,
        *,
        decomposed: bool,
        low: bool,
    ):
        super().__init__(
            *_encoder(in_channels, width, downs, norm, low),
            *_residuals(width * 2**downs, blocks, norm, decomposed),
            *_decoder(width, downs, norm),
            *head(width, 3, nn.Tanh()),
        )


class Composite(nn.Module):
    """The composite wiring: raw image, flow, blending weight, and the optional foreground branch.

    A subclass makes the parts: encoders ``down_seg`` and ``down_img``, whose sum both branches ``res_img``,
    ``up_img``, ``final_img`` and ``res_flow``, ``up_flow``, ``final_flow``, ``final_w`` go on from; and
    ``foreground`` and ``first_frame``, each a branch of its own or None.
    """

    blends = True  # shows more than its image branch draws: see `cut`
    LEAST = 2  # pixels a side that residual blocks need, for their reflection padding

    def __init__(
        self,
        condition_channels: int,
        *,
        past: int,
        downs: int,
        norm: Norm,
        low_demand: bool = False,
        foreground: Sequence[int] = (),
    ):
        super().__init__()
        for name, value in {"condition_channels": condition_channels, "past": past}.items():
            if value < 1:
                raise SlimvidError(f"vid2vid generator: {name} is {value}; it must be at least 1")
        self.condition_channels, self.past = condition_channels, past
        self.downs, self.norm, self.low_demand = downs, norm, low_demand
        self.foreground_channels = tuple(foreground)

    def check_size(self, height: int, width: int) -> None:
        """Raise SlimvidError unless the strides divide the size and reflection padding fits."""
        step = 2**self.downs
        least = self.LEAST * step
        if height % step or width % step or min(height, width) < least:
            raise SlimvidError(
                f"frame size {height}x{width}: this generator needs multiples of {step}, at least {least}"
            )

    def _reduce(self, x: Tensor) -> Tensor:
        """f_R^d of Fast-Vid2Vid Eq. 3: bilinear to half size, which at 1/2 is the mean of 2 x 2 pixels."""
        return F.avg_pool2d(x, 2) if self.low_demand else x

    def _memory(self, previous: Tensor) -> Tensor:
        """Features of the previous frames.

        Without any (all zeros) every instance norm meets constant maps and divides their gradients by
        sqrt(eps): what is 0 would come out as rounding errors times 300 a layer, up to 10^6. So it is set
        to 0, for each clip of a batch; instance norms with parameters begin as ones without. Batch norm's
        biases and the zeros beyond the border do not make constant maps, and their gradient is real.
        """
        features = self.down_img(previous)
        if self.norm == "batch" or not torch.is_grad_enabled():
            return features
        seen = (previous != 0).flatten(1).any(1)[:, None, None, None]
        return torch.where(seen, features, features.detach())

    def forward(self, conditions: Tensor, previous: Tensor) -> Output:
        """Draw frame t.

        Args:
            conditions: N x (past+1)*C x H x W, oldest first, in [0, 1].
            previous: N x past*3 x H x W, oldest first, in [-1, 1]; zeros where there is none.
        """
        trunk = self.down_seg(self._reduce(conditions)) + self._memory(self._reduce(previous))
        raw = self.final_img(self.up_img(self.res_img(trunk)))
        return self._blend(raw, self.up_flow(self.res_flow(trunk)), conditions, previous)

    def _blend(self, raw: Tensor, moving: Tensor, conditions: Tensor, previous: Tensor) -> Output:
        """Flow and weight from their branch's features; raw and warped frame by the weight; foreground."""
        flow, weight = self.final_flow(moving) * FLOW_SCALE, self.final_w(moving)
        warped = warp(previous[:, -3:], flow)
        image = weight * raw + (1 - weight) * warped
        image, raw = self._lay_foreground(conditions, image, raw)
        return Output(image, raw, flow, weight, warped)

    def _lay_foreground(self, conditions: Tensor, *images: Tensor) -> tuple[Tensor, ...]:
        """The foreground branch's picture over each image, where its classes are."""
        if self.foreground is None:
            return images
        current = conditions[:, -self.condition_channels :]
        mask = current[:, self.foreground_channels].sum(1, keepdim=True).clamp(0, 1)
        drawn = self.foreground(self._reduce(conditions)) * mask
        return tuple(drawn + image * (1 - mask) for image in images)

    def cut(self, encoder: int, decoder: int, *, blended: bool = False) -> "CompositeCut":
        """Cut before layer ``encoder`` of both encoders and layer ``decoder`` of the decoder(s)."""
        return (BlendedCut if blended else CompositeCut)(self, encoder, decoder)

    def cut_indices(self, level: str) -> tuple[int, int]:
        """Indices of a level of dependence: before the normalisation, at the smallest scale after it.

        No code of this wiring was released; it is the one whose counts are Shortcut-V2V's Table 4.
        """
        if level == "high":
            return len(stem(1, 1, "batch")) + 3 * self.downs, 0
        above = {"medium": 1, "low": 2}[level]
        if above > self.downs:
            raise SlimvidError(
                f"cut {level!r}: a generator with {self.downs} down-samplings has no such level"
            )
        return 3 * (self.downs - above) + 2, 3 * above - 2

    def draw_first(self, condition: Tensor) -> Tensor:
        """The first frame from its condition alone, N x C x H x W -> N x 3 x H x W in [-1, 1]."""
        return self.first_frame(self._reduce(condition))

    def example_inputs(self, height: int, width: int, device: str = "meta") -> tuple[Tensor, ...]:
        """Inputs of one frame at batch 1, for counting and timing."""
        self.check_size(height, width)
        sizes = [self.condition_channels * (self.past + 1), 3 * self.past]
        return tuple(torch.zeros(1, c, height, width, device=device) for c in sizes)

    def rollout(self, *, first: str = "zero") -> "Rollout":
        """Start of a clip: the state that ``step`` carries from frame to frame."""
        return Rollout(self, first=first)


class CompositeGenerator(Composite):
    """vid2vid's generator: the composite wiring of parts with one width.

    Args:
        condition_channels: channels of one frame's condition map.
        past: previous frames seen; conditions of ``past + 1`` frames are stacked (vid2vid: 2).
        width: channels after the first convolution (ngf).
        downs: down-samplings. blocks: residual blocks, the larger half before the branches part.
        norm: "batch" (the papers) or "instance". decomposed, low_demand: the student's two changes.
        foreground: channels of the condition whose classes a branch of their own draws (streets: car).
        first_frame: adds a branch that draws the first frame from its condition alone.
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        past: int = 2,
        width: int = 128,
        downs: int = 3,
        blocks: int = 9,
        norm: Norm = "batch",
        decomposed: bool = False,
        low_demand: bool = False,
        foreground: Sequence[int] = (),
        first_frame: bool = False,
    ):
        if width < 1:
            raise SlimvidError(f"vid2vid generator: width is {width}; it must be at least 1")
        own = {"past": past, "downs": downs, "norm": norm, "low_demand": low_demand}
        super().__init__(condition_channels, foreground=foreground, **own)
        stacked, deepest = condition_channels * (past + 1), width * 2**downs
        before, after = blocks - blocks // 2, blocks // 2

        def encoder(channels: int) -> nn.Sequential:
            layers = _encoder(channels, width, downs, norm, low_demand)
            return nn.Sequential(*layers, *_residuals(deepest, before, norm, decomposed))

        self.down_seg, self.down_img = encoder(stacked), encoder(3 * past)
        self.res_img = nn.Sequential(*_residuals(deepest, after, norm, decomposed))
        self.up_img = nn.Sequential(*_decoder(width, downs, norm))
        self.final_img = head(width, 3, nn.Tanh())
        self.res_flow = nn.Sequential(*_residuals(deepest, after, norm, decomposed))
        self.up_flow = nn.Sequential(*_decoder(width, downs, norm))
        self.final_flow, self.final_w = head(width, 2), head(width, 1, nn.Sigmoid())
        branch = {"decomposed": decomposed, "low": low_demand}
        # The release halves the width of the foreground branch where there are more than two down-samplings.
        narrow = width // 2 if downs > 2 else width
        self.foreground = ImageBranch(stacked, narrow, downs, blocks, norm, **branch) if foreground else None
        self.first_frame = (
            ImageBranch(condition_channels, width, downs, before, norm, **branch) if first_frame else None
        )
        initialise(self)


class CompositeCut:
    """The composite generator in two (see ``nets.cuts``): its image decoder alone, no flow.

    a is both encoders' features, stacked. What is drawn from predicted features is the raw image under the
    foreground branch, which runs on every frame; flow, weight and warping belong to full frames.
    """

    def __init__(self, net: Composite, encoder: int, decoder: int):
        self.net, self.encoder, self.decoder = net, encoder, decoder

    def encode(self, conditions: Tensor, previous: Tensor) -> Tensor:
        net, end = self.net, self.encoder
        seg, img = net._reduce(conditions), net._reduce(previous)
        return torch.cat((net.down_seg[:end](seg), net.down_img[:end](img)), dim=1)

    def complete(self, a: Tensor, conditions: Tensor, previous: Tensor) -> tuple[Output, Tensor]:
        net, trunk = self.net, self._trunk(a)
        f = net.up_img[: self.decoder](net.res_img(trunk))
        moving = net.up_flow(net.res_flow(trunk))
        return net._blend(self._raw(f), moving, conditions, previous), f

    def decode(self, f: Tensor, conditions: Tensor, previous: Tensor | None = None) -> Drawn:
        return Drawn(*self.net._lay_foreground(conditions, self._raw(f)))

    def aim(self, out: Output) -> Tensor:
        return out.raw

    def _trunk(self, a: Tensor) -> Tensor:
        net = self.net
        later = net.down_seg[self.encoder :], net.down_img[self.encoder :]
        seg, img = (part.clone() for part in apart(a, *later))  # a stays: the next layer may write in place
        return later[0](seg) + later[1](img)

    def _raw(self, f: Tensor) -> Tensor:
        return self.net.final_img(run(self.net.up_img[self.decoder :], f))


class BlendedCut(CompositeCut):
    """The same cut through both decoders: f is the features of image and flow branch, stacked.

    Not in the paper: what is drawn from predicted features is blended with the last frame, moved by the
    flow, as in a full frame.
    """

    def complete(self, a: Tensor, conditions: Tensor, previous: Tensor) -> tuple[Output, Tensor]:
        net, trunk = self.net, self._trunk(a)
        image, moving = net.up_img[: self.decoder](net.res_img(trunk)), net.res_flow(trunk)
        f = torch.cat((image, net.up_flow[: self.decoder](moving)), dim=1)
        return self.decode(f, conditions, previous), f

    def decode(self, f: Tensor, conditions: Tensor, previous: Tensor) -> Output:
        flow = self.net.up_flow[self.decoder :]
        image, moving = apart(f, self.net.up_img[self.decoder :], flow)
        moving = run(flow, moving)
        return self.net._blend(self._raw(image), moving, conditions, previous)

    def aim(self, out: Output) -> Tensor:
        return out.image


def apart(stacked: Tensor, first: nn.Module, second: nn.Module) -> list[Tensor]:
    """Stacked features of two branches, split as their next layers take them.

    Branches of a network that was pruned or searched have widths of their own; others halves.
    """
    sizes = [_takes(first), _takes(second)]
    if None in sizes:
        return list(stacked.chunk(2, dim=1))
    return list(stacked.split(sizes, dim=1))


def _takes(layers: nn.Module) -> int | None:
    """Channels that layers take; None where no layer of theirs says it."""
    for layer in layers.modules():
        for name in ("num_features", "in_channels"):
            if isinstance(found := getattr(layer, name, None), int):
                return found
    return None


class Rollout:
    """What a composite generator has seen and drawn so far in a clip (or a batch of clips in step).

    Before the first frame the conditions are the first one repeated; the previous frames are zeros, unless
    ``prime`` supplies true ones or (``first="generator"``) the first-frame branch draws them.
    """

    def __init__(self, net: Composite, *, first: str):
        self.net, self.first = net, first
        self.draw: Callable[[Tensor, Tensor], Any] = net  # a plan may draw some frames in another way
        self.conditions: list[Tensor] = []
        self.frames: list[Tensor] = []

    def prime(self, condition: Tensor, frame: Tensor) -> None:
        """Take a true frame (N x 3 x H x W in [-1, 1]) in place of drawing it."""
        self._see(condition)
        self.push(frame)

    def step(self, condition: Tensor) -> Output:
        """Draw the next frame from its condition, N x C x H x W; ``push`` then says what later ones see."""
        self._see(condition)
        if not self.frames and self.first == "generator":
            drawn = self.net.draw_first(condition)
            flow = drawn.new_zeros(len(drawn), 2, *drawn.shape[2:])
            return Output(drawn, drawn, flow, torch.ones_like(flow[:, :1]), drawn)
        past = self.net.past
        blank = condition.new_zeros(len(condition), 3, *condition.shape[2:])
        previous = [blank] * (past - len(self.frames)) + self.frames
        with self._precision(condition.device.type):
            out = self.draw(torch.cat(self.conditions, dim=1), torch.cat(previous, dim=1))
        # Where there is no frame to warp, the raw image stands alone (the release: use_raw_only).
        return out if self.frames else out._replace(image=out.raw)

    def _precision(self, device: str):
        """Without a past, norms with biases enlarge small differences of almost constant maps: lost in bf16.

        Gradients of that encoder then point elsewhere (cosine .2 to fp32), so such a frame is drawn in fp32.
        """
        blind = not self.frames and self.net.norm != "instance" and torch.amp.is_autocast_available(device)
        return torch.autocast(device, enabled=False) if blind else nullcontext()

    def push(self, frame: Tensor) -> None:
        """Remember a frame as the previous one."""
        self.frames = [*self.frames, frame][-self.net.past :]

    def _see(self, condition: Tensor) -> None:
        seen = self.conditions or [condition] * self.net.past
        self.conditions = [*seen, condition][-(self.net.past + 1) :]
