"""Simulated studies from scenario files, and the error rates of a plan on them."""
