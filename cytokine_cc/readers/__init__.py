"""Read a panel from a file or a DataFrame."""

from .reading import read_panel

__all__ = ["read_panel"]
