"""From a failure to a change that was tried: what moves, what stands between, and the patch."""
