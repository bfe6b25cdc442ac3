"""What a training begins with of another."""

import torch
from torch import nn

from slimvid.training.inherit import begin_as, inherit_discriminators


def test_what_fits_by_name_and_shape_is_taken_and_nothing_else():
    net, other = (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, width)) for width in (2, 5))
    before = {name: t.clone() for name, t in net.state_dict().items()}
    begin_as(net, other)
    now, theirs = net.state_dict(), other.state_dict()
    assert all(torch.equal(now[name], theirs[name]) for name in ("0.weight", "0.bias"))
    assert all(torch.equal(now[name], before[name]) for name in ("1.weight", "1.bias"))


def test_a_student_with_fewer_discriminators_takes_its_own(looks_task, cyclegan_settings, told):
    from slimvid.teachers.cyclegan import Objective, StudentObjective

    student, teacher = (made(told(looks_task), cyclegan_settings) for made in (StudentObjective, Objective))
    inherit_discriminators(student, teacher)
    assert set(student.discriminators) < set(teacher.discriminators)
    own, theirs = (o.discriminators["target_disc"].state_dict() for o in (student, teacher))
    assert all(torch.equal(t, theirs[name]) for name, t in own.items())
