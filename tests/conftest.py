"""Makes pytest's own harness for plugins available to all tests."""

pytest_plugins = ["pytester"]
