"""What runs Limelight: the demo stack and the container images."""
