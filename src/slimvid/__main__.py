"""``python -m slimvid`` (what torchrun starts) is the command ``slimvid``."""

from slimvid.cli import main

main()
