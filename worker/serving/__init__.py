"""Talking to TensorFlow Serving over gRPC, without TensorFlow."""
