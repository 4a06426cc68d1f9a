"""``limelight-worker match``: what does production do to a photograph before the model sees it."""
