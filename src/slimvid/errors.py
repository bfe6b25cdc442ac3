"""The one exception that users see."""


class SlimvidError(Exception):
    """Bad input: one line that names the file or field, what is wrong with it, and the mend.

    The command line prints it without a traceback and exits with status 1.
    """
