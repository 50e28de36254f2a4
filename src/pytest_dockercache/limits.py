"""The limits on reading foreign text: each limit with its reason.

A larger text is refused in one line; nothing hangs, and nothing fills the
memory of a machine.
"""

from __future__ import annotations

__all__ = [
    "ALIKE_PATTERNS",
    "COMMANDS",
    "DOCKERFILE",
    "DOCKERFILE_LINE",
    "EXPANSION",
    "MATCH_SPEC",
    "NESTED_SUBSTITUTIONS",
    "PIPELINE",
    "REQUIREMENT",
    "SCRIPT",
    "STAGES",
    "TEXT_FILE",
    "WALKED",
]

ALIKE_PATTERNS = 5_000
"""Lines of an ignore file that have no text of their own (``*?``, ``*/*``).

Each such line is tried on every path, as builders do; 100,000 lines with a text of their own are
looked up by it, and are read.
"""

TEXT_FILE = 32_000_000
"""Bytes of a file that is read as text (a manifest, a lock, a Dockerfile, an ignore file).

The largest lock files of public repositories have a few megabytes.
"""

DOCKERFILE = 2_000_000
"""Bytes of a Dockerfile: the largest of 700 public ones has less than a twentieth as many."""

DOCKERFILE_LINE = 65_535
"""Bytes of one line of a Dockerfile: BuildKit refuses longer lines (bufio.Scanner's token)."""

NESTED_SUBSTITUTIONS = 100
"""How deep ``${A:-${B:-…}}`` may go: builders read any depth; real files have at most three.

Each costs three frames of Python's stack, which has 1,000.
"""

MATCH_SPEC = 4_096
"""Characters of one of conda's match specs: the longest are URLs of packages.

Looking for its brackets takes the square of its length.
"""

PIPELINE = 100
"""Commands that may feed a pipeline's last one: each is kept with all commands before it."""

REQUIREMENT = 8_192
"""Characters of one requirement without its options: the longest are URLs.

Some questions about a requirement take time in the square of its length.
"""

STAGES = 250
"""Stages of a Dockerfile: the largest of 700 public ones has a tenth as many.

Where each stage copies from the stage before, every two steps are compared: 250 stages take
seconds, and 500 four times as many.
"""

EXPANSION = 131_072
"""Characters of a value with its variables replaced: Linux starts no program with a longer
variable (MAX_ARG_STRLEN), and forty lines can double one to a terabyte.
"""

COMMANDS = 10_000
"""Commands of a RUN, each call of a function and each turn of a loop counted: sixty functions
that call the next one twice run a trillion.
"""

SCRIPT = 400_000
"""Characters of a shell script: Linux allows less than a third for one argument."""

WALKED = 200_000
"""Files below a directory without git among which Dockerfiles are looked for: some seconds."""
