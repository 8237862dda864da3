"""What holds for the whole process: the chip, and where messages go."""
import logging
import warnings

from ._load import sgs

soc_version = None  # the generic one
log = logging.getLogger("calibrator_custom")


def set_soc_version(name):
    """Chooses the chip for all conversions of this process; once only: a second call raises RuntimeError.  Without it they are for the
    generic target, which runs everywhere."""
    global soc_version
    if not isinstance(name, str):
        raise TypeError("expected the name of a chip, found %s" % type(name).__name__)
    if soc_version is not None:
        raise RuntimeError("set_soc_version can be called once only: it is '%s' already" % soc_version)
    sgs.check_soc_version(name)
    soc_version = name


def say(lines):
    """A stage's messages: to the logger 'calibrator_custom', warnings as Python's."""
    for warning, text in lines:
        if warning:
            warnings.warn(text, stacklevel=3)
        else:
            log.info(text)
