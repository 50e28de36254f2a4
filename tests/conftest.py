"""Makes pytest's own harness for plugins available to all tests."""

import os

pytest_plugins = ["pytester"]

# In tox, pytest keeps its cache below TOX_ENV_DIR: the projects that tests run pytest in
# would all share one, and --lf would mean the failures of another.
os.environ.pop("TOX_ENV_DIR", None)
