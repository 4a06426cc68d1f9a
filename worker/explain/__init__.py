"""Explanations as pure computation on arrays: no I/O, no global random state."""
