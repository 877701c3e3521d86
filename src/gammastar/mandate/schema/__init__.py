"""The schema of `mandate.toml`: unknown keys are refused with a hint, numbers out of range with the unit they should be in."""

from gammastar.mandate.schema.file import MandateFile, changed, read_mandate
from gammastar.mandate.schema.strategy import GeneratedEntry

__all__ = ["GeneratedEntry", "MandateFile", "changed", "read_mandate"]
