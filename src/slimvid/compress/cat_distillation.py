"""CAT's distillation: features of student and teacher aligned, whatever their channel counts (CAT 3.3)."""

import math

import torch
from torch import Tensor, nn

from slimvid.compress.cat_options import Options
from slimvid.nets.inception import IncResBlock
from slimvid.training.distillation import Distillation
from slimvid.training.frozen import FrozenTeacher
from slimvid.training.objective import View

SPADE_LAYERS = ["blocks.0", "blocks.2", "blocks.4"]  # head_0, G_middle_1, up_1 (release)
SHARES = 3  # of a path's blocks, the last of each third is distilled (release: 3, 6, 9 of 9)
TINY = 1e-30


def alignment(x: Tensor, y: Tensor) -> Tensor:
    """KA of Eq. 1 in [0, 1], of n x p and n x q: ||Y^T X||^2 / (||X^T X|| ||Y^T Y||), Frobenius norms.

    The columns are not centred, as in Eq. 2 and the release. Of features that are all zero it is 0.
    """
    x, y = (z / torch.linalg.vector_norm(z).clamp(min=TINY) for z in (x, y))
    if len(x) < min(x.shape[1], y.shape[1]):  # the same numbers from n x n products
        kx, ky = x @ x.T, y @ y.T
        cross, own = (kx * ky).sum(), kx.square().sum() * ky.square().sum()
    else:
        cross = (y.T @ x).square().sum()
        own = (x.T @ x).square().sum() * (y.T @ y).square().sum()
    return cross / own.clamp(min=TINY).sqrt()


def aligned(student: Tensor, teacher: Tensor, kernel: str) -> Tensor:
    """GKA of Eq. 2 ("global"): one row of X and Y for each place of each picture, N H W x C.

    The release aligns the pictures of a batch instead ("batch": N x C H W): of a batch of one picture that is
    always 1, without gradient.
    """
    if kernel == "batch":
        return alignment(student.flatten(1), teacher.flatten(1))
    return alignment(*(z.transpose(0, 1).flatten(1).T for z in (student, teacher)))


def distilled_layers(net: nn.Module) -> list[str]:
    """S_KD: the last layer before the blocks of every encoder, and the blocks 3, 6 and 9 of 9, or so, of
    every path from an encoder to a picture (release: of the image generator's one path); of a SPADE, which
    encodes nothing, the first, third and fifth block (release).
    """
    if net.spec["kind"] == "inception_spade":
        return SPADE_LAYERS
    if net.spec["kind"] == "inception":
        return _path(net, "model")
    paths = [(a, b) for a in ("down_seg", "down_img") for b in ("res_img", "res_flow")]
    paths += [(name,) for name in ("foreground", "first_frame") if getattr(net, name) is not None]
    return list(dict.fromkeys(layer for path in paths for layer in _path(net, *path)))


def _path(net: nn.Module, *names: str) -> list[str]:
    """Layers of a path that runs through these sequences, of which the first begins with its encoder."""
    layers = [(f"{name}.{i}", layer) for name in names for i, layer in enumerate(getattr(net, name))]
    places = [i for i, (_, layer) in enumerate(layers) if isinstance(layer, IncResBlock)]
    if not places:
        return []
    chosen = [places[math.ceil(len(places) * k / SHARES) - 1] for k in range(1, SHARES + 1)]
    return [layers[i][0] for i in (places[0] - 1, *dict.fromkeys(chosen))]


class AlignmentDistillation(Distillation):
    """-weight * sum over layers of GKA (Eq. 3), and L1 to the teacher's picture where that has a weight."""

    def __init__(self, options: Options, teacher: FrozenTeacher, *, recon: float):
        super().__init__(teacher, layers=[(name, name) for name in distilled_layers(teacher.net)])
        self.options, self.recon = options, recon

    def losses(self, view: View, teacher: View) -> dict[str, Tensor]:
        seen = [name for name, _ in self.layers if name in view.features and name in teacher.features]
        pairs = [(view.features[name], teacher.features[name]) for name in seen]
        found = [aligned(ours, theirs, self.options.kernel) for ours, theirs in pairs]
        losses = {"align": -self.options.distill * torch.stack(found).sum()}
        if self.recon:
            losses["recon"] = self.recon * (view.out.image - teacher.out.image).abs().mean()
        return losses

    def provenance(self) -> dict[str, str]:
        """The teacher is the stage before; what that went on from stands there."""
        return {"teacher": "of this training's first stage"}
