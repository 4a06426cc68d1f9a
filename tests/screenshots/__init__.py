"""Pictures of the page for the README and the documentation."""
