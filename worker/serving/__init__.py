"""Talking to TensorFlow Serving over gRPC, without TensorFlow.

``profiles`` says which models there are, ``model`` resolves one of them to a pinned version and
makes predictors, ``predictor`` scores batches. ``errors`` is what they raise.
"""
