"""The pytest11 entry: options, ini keys, the marker and thin fixtures; everything else is lazy."""
