"""Limelight, for the programs that use it. The HTTP client arrives with the full contract."""
