"""Networks: pure torch, no I/O, no configuration objects, no training.

``build`` makes a module from an artifact's architecture spec: its ``kind`` names a row of ``KINDS``, every
other key is a constructor argument.
"""

from importlib import import_module
from typing import Any

from slimvid.errors import SlimvidError

KINDS = {  # kind -> module : class; imported when asked for
    "vid2vid": "slimvid.nets.vid2vid:CompositeGenerator",
    "resnet": "slimvid.nets.resnet:ResnetGenerator",
    "deep_resnet": "slimvid.nets.expansion:DeepResnetGenerator",
    "unet": "slimvid.nets.unet:UnetGenerator",
    "spade": "slimvid.nets.spade:SpadeGenerator",
    "inception": "slimvid.nets.inception:InceptionGenerator",
    "separable_vid2vid": "slimvid.nets.separable_vid2vid:SeparableComposite",
    "inception_vid2vid": "slimvid.nets.inception_vid2vid:InceptionComposite",
    "inception_spade": "slimvid.nets.inception_spade:InceptionSpadeGenerator",
    "shortcut": "slimvid.nets.shortcut_net:ShortcutGenerator",
    "shortcut_block": "slimvid.nets.shortcut:ShortcutBlock",
}


def build(spec: dict[str, Any]):
    """The module that a spec describes, freshly initialised; it remembers the spec as ``spec``.

    Raises:
        SlimvidError: the kind is unknown, or an argument does not fit.
    """
    arguments = dict(spec)
    kind = arguments.pop("kind", None)
    if kind not in KINDS:
        raise SlimvidError(f"architecture kind {kind!r}: unknown; known are {', '.join(KINDS)}")
    module, name = KINDS[kind].split(":")
    try:
        net = getattr(import_module(module), name)(**arguments)
    except TypeError as error:
        raise SlimvidError(f"architecture spec of kind {kind!r}: {error}") from None
    net.spec = dict(spec)
    return net
