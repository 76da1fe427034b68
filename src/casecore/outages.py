"""What keeps work that goes on by itself, told for whoever reads the log."""

from logging import Logger

from casecore.appender import UNKNOWN


def log(logger: Logger, error: Exception, what: str, *about: object) -> None:
    """A store that is away is a line, however many find out; anything else is told whole."""
    if isinstance(error, UNKNOWN):
        logger.warning(f"{what}: the store is away (%s)", *about, error)
    else:
        logger.error(what, *about, exc_info=error)
