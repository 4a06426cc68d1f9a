"""The ``limelight`` command."""
