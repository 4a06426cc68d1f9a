"""The deployable that explains: a Celery worker beside TensorFlow Serving."""
