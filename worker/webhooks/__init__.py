"""Webhooks: what is said of a job to the address its client gave, and what became of saying it."""
