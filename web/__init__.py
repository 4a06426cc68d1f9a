"""The deployable that listens: a Flask front end that accepts jobs and answers polls."""
