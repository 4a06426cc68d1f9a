"""The web page at ``/``: pages for people, over the same parts as the API."""
