"""The head of ``replan`` (see ``slimvid.rows``): what a row of it may say."""

from slimvid.section import Section

PLANS = ("every_frame", "keyframes", "shortcut")
TRAIN = frozenset()


class Options(Section):
    """It has none."""
