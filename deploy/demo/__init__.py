"""The embedded stack of `make demo`, its real model and its stand-in model server."""
