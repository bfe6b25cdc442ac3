"""CycleGAN's history of generated pictures."""

import numpy as np
import torch

from slimvid.training.pool import ImagePool


def pictures(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()


def test_until_it_is_full_new_pictures_are_shown_and_kept():
    pool = ImagePool(2, 3, 2, 2)
    assert torch.equal(pool.show(pictures(1, 2), [(True, 0), (True, 1)]), pictures(1, 2))
    assert torch.equal(pool.pictures, pictures(1, 2)) and pool.count == 2


def test_then_an_earlier_one_may_be_shown_and_the_new_one_takes_its_place():
    pool = ImagePool(2, 3, 2, 2)
    pool.show(pictures(1, 2), [(False, 0)] * 2)
    assert torch.equal(pool.show(pictures(3), [(True, 1)]), pictures(2))
    assert torch.equal(pool.show(pictures(4), [(False, 0)]), pictures(4))  # shown, not kept
    assert torch.equal(pool.pictures, pictures(1, 3))


def test_draws_are_even_and_follow_from_the_generator():
    pool = ImagePool(5, 3, 2, 2)
    draws = pool.draws(np.random.default_rng(0), 1000)
    assert draws == pool.draws(np.random.default_rng(0), 1000)
    assert 450 < sum(earlier for earlier, _ in draws) < 550
    assert {place for _, place in draws} == set(range(5))


def test_its_pictures_are_saved_with_a_state_and_take_no_gradient():
    pool = ImagePool(2, 3, 2, 2)
    assert not pool.show(pictures(1).requires_grad_(), [(False, 0)]).requires_grad
    other = ImagePool(2, 3, 2, 2)
    other.load_state_dict(pool.state_dict())
    assert torch.equal(other.pictures, pool.pictures) and other.count == 1


def test_a_pool_of_nothing_shows_what_comes():
    pool = ImagePool(0, 3, 2, 2)
    assert torch.equal(pool.show(pictures(1), pool.draws(np.random.default_rng(1), 1)), pictures(1))
