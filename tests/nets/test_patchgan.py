"""Discriminators: shapes, the papers' parameter counts, sharing."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.nets.patchgan import PatchGan, SharedDiscriminator, ShortcutDiscriminator, SpadeDiscriminator


def _parameters(make) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in make().parameters())


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: PatchGan(6, 128), 11_040_641),
        (lambda: PatchGan(6, 128, norm="batch"), 11_042_433),
        (lambda: PatchGan(3, 64), 2_764_737),
        (lambda: PatchGan(6, 96), 6_216_097),
        (lambda: SpadeDiscriminator(39), 5_601_410),
        (lambda: SharedDiscriminator(6, 128), 2 * 11_040_641),
    ],
)
def test_parameters_of_the_papers(make, count):
    assert _parameters(make) == count


def test_patch_scores_of_the_70_pixel_patchgan():
    features = PatchGan(3, 2)(torch.zeros(1, 3, 256, 256))
    assert [f.shape[1] for f in features] == [2, 4, 8, 16, 1]
    assert [f.shape[2] for f in features] == [128, 64, 32, 31, 30]


def test_receptive_field_is_70_pixels():
    net = PatchGan(1, 2, norm=None)
    x = torch.zeros(1, 1, 256, 256, requires_grad=True)
    for p in net.parameters():
        p.data.fill_(1.0)
    net(x)[-1][0, 0, 15, 15].backward()
    seen = x.grad[0, 0].abs().sum(0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == 70


@pytest.mark.parametrize("size", [(64, 96), (51, 77)])
def test_multi_scale_takes_odd_sizes_and_halves(size):
    torch.manual_seed(0)
    scales = SpadeDiscriminator(5, 2)(torch.rand(1, 5, *size))
    assert len(scales) == 2 and all(len(features) == 5 for features in scales)
    assert scales[0][0].shape[2] > scales[1][0].shape[2]
    assert all(torch.isfinite(f).all() for features in scales for f in features)


def test_shared_stages_are_one_and_own_stages_two():
    torch.manual_seed(0)
    net, x = SharedDiscriminator(3, 2, shared=3), torch.rand(1, 3, 64, 64)
    wide, deep = net(x, "wide"), net(x, "deep")
    same = [torch.equal(a, b) for a, b in zip(wide, deep, strict=True)]
    assert same == [True, True, True, False, False]
    fully = SharedDiscriminator(3, 2, shared=5)
    assert torch.equal(fully(x, "wide")[-1], fully(x, "deep")[-1])
    apart = SharedDiscriminator(3, 2, shared=0)
    assert not torch.equal(apart(x, "wide")[0], apart(x, "deep")[0])


def test_shortcut_discriminators_in_space_and_time():
    torch.manual_seed(0)
    assert ShortcutDiscriminator(3, 4)(torch.rand(1, 3, 32, 48))[-1].shape == (1, 8, 14, 22)
    assert ShortcutDiscriminator(3, 4, temporal=True)(torch.rand(1, 3, 2, 32, 48))[-1].shape[1:3] == (8, 2)
    assert _parameters(lambda: ShortcutDiscriminator()) == 3136 + 131072 + 128 * 128 * 16 + 128


def test_bad_arguments():
    with pytest.raises(SlimvidError, match="width is -4"):
        PatchGan(3, -4)
    with pytest.raises(SlimvidError, match="0 to 5"):
        SharedDiscriminator(3, 2, shared=6)
    with pytest.raises(SlimvidError, match="teacher"):
        SharedDiscriminator(3, 2)(torch.zeros(1, 3, 64, 64), "narrow")
