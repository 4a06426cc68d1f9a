"""The API described for programs: an OpenAPI 3.1 document made of the routes and their types."""
