"""Explanations over gRPC beside their peers: lime, and a bare client that only streams images.

One run, one machine, one model server, one photograph; kinds are measured in turn, round by round.
"""
