"""Prove how a Docker image's build cache behaves."""
