"""What a training begins with of another: weights that fit, and the discriminators of the stage before."""

from torch import nn

from slimvid.training.objective import Objective


def begin_as(net: nn.Module, other: nn.Module) -> None:
    """Take from another network every tensor of the same name and shape; the rest stays as it is."""
    own, theirs = net.state_dict(), other.state_dict()
    same = {name: theirs[name] for name in own if name in theirs and theirs[name].shape == own[name].shape}
    net.load_state_dict(own | same)


def inherit_discriminators(objective: Objective, other: Objective) -> None:
    """Go on with another objective's discriminators; a student may have fewer of them than its teacher."""
    for name, net in objective.discriminators.items():
        net.load_state_dict(other.discriminators[name].state_dict())
