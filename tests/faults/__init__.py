"""The promises of docs/operations.md, tried by doing the harm: see README.md."""
