"""The version of the tools."""
from ._load import sgs

VERSION = sgs.VERSION
