"""Versions of what computes a result."""

from __future__ import annotations

import platform
from functools import cache

from . import __version__


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return (name, version) of the library, Python and what it computes with."""
    import numpy as np
    import pandas as pd
    import scipy

    own = (("cytokine_cc", __version__), ("python", platform.python_version()))
    return (*own, ("numpy", np.__version__), ("scipy", scipy.__version__), ("pandas", pd.__version__))
