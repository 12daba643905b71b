"""Running scripts of the Python 2 years: translation in memory, an import hook for the modules that they import."""

from .run import run_script
from .translate import Translation, translate

__all__ = ["Translation", "run_script", "translate"]
