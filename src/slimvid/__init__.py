"""slimvid: compresses video-to-video translation GANs and proves what the compression cost.

``slimvid.load("checkpoints/sketch2face/fast_vid2vid/0")`` gives a ready translator.
"""

__version__ = "0.1.0"


def load(path, *, device: str = "auto", back: bool = False):
    """Load an artifact directory as a ready :class:`slimvid.infer.translator.Translator`.

    ``back``: from frames to conditions, where the original kept that generator (CycleGAN).
    """
    from slimvid.infer.translator import load as load_translator  # torch only when it is needed

    return load_translator(path, device=device, back=back)
