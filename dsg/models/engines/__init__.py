"""How a network is run: as it is, compiled, or in fused blocks of half precision."""

from dsg.models.engines.base import Engine, engines_of
from dsg.models.engines.compiled import Compiled
from dsg.models.engines.fused import Fused
from dsg.models.engines.plain import Plain

__all__ = ["Compiled", "Engine", "Fused", "Plain", "engines_of"]
