"""Checks: of the library, for a reviewer; of a study's data, before any test."""
