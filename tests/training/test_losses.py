"""Losses against values worked out by hand."""

import pytest
import torch

from slimvid.errors import SlimvidError
from slimvid.training.losses import Perceptual, adversarial, discriminating, feature_matching, gan, masked_l1


def test_gan_is_least_squares_summed_over_scales():
    features = [[torch.zeros(1), torch.full((1, 1, 2, 2), 3.0)], [torch.zeros(1), torch.full((1, 1), 0.5)]]
    assert float(gan(features, real=True)) == pytest.approx(4 + 0.25)
    assert float(gan(features, real=False)) == pytest.approx(9 + 0.25)


def test_feature_matching_skips_the_scores_and_weighs_stages():
    fake = [[torch.full((1, 2), 2.0), torch.full((1, 2), 5.0), torch.full((1,), 100.0)]] * 2
    real = [[torch.zeros(1, 2), torch.ones(1, 2), torch.zeros(1)]] * 2
    # two inner stages, two scales: weight 4/2/2 = 1 each
    assert float(feature_matching(fake, real)) == pytest.approx(2 * (2 + 4))


def test_adversarial_losses_are_the_papers():
    scores = torch.tensor([[-2.0, 0.5], [1.5, 3.0]])
    chance = torch.sigmoid(scores)
    assert adversarial(scores, "vanilla").item() == pytest.approx(-chance.log().mean().item())
    assert adversarial(scores, "lsgan").item() == pytest.approx(((scores - 1) ** 2).mean().item())
    assert adversarial(scores, "hinge").item() == -scores.mean().item()
    fake, real = scores, scores + 1
    log = -(1 - torch.sigmoid(fake)).log().mean() - torch.sigmoid(real).log().mean()
    hinge = (1 + fake).clamp(min=0).mean() + (1 - real).clamp(min=0).mean()
    for kind, wanted in (("vanilla", log), ("hinge", hinge), ("lsgan", (fake**2 + (real - 1) ** 2).mean())):
        assert discriminating(fake, real, kind).item() == pytest.approx(0.5 * wanted.item())


def test_masked_l1_is_a_mean_over_all_pixels():
    a, mask = torch.ones(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)
    mask[..., 0, 0] = 1
    assert float(masked_l1(a, -a, mask)) == pytest.approx(2 / 4)


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    features = torchvision.models.vgg19(weights=None).features
    torch.save({f"features.{k}": v for k, v in features.state_dict().items()}, path)
    return path


def test_perceptual_loss_is_zero_for_equal_pictures_and_has_gradient(vgg_file):
    loss = Perceptual(vgg_file)
    a = torch.rand(1, 3, 32, 32, requires_grad=True)
    assert loss(a, a.detach()).item() == 0
    loss(a, torch.rand(1, 3, 32, 32)).backward()
    assert a.grad.abs().sum() > 0
    assert all(not p.requires_grad for p in loss.parameters())


def test_perceptual_loss_names_a_wrong_file(tmp_path):
    with pytest.raises(SlimvidError, match="no such file"):
        Perceptual(tmp_path / "none.pth")
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(SlimvidError, match=r"bad\.pth: not VGG-19 weights"):
        Perceptual(tmp_path / "bad.pth")
