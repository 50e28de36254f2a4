"""Every option: name, kind, metavar and help; imported in every run of pytest."""

from __future__ import annotations

__all__ = ["OPTIONS"]

OPTIONS: tuple[tuple[str, str, str | None, str], ...] = (
    ("", "flag", None, "collect the Dockerfile as tests of its build cache and its image"),
    ("strict", "flag", None, "a check that cannot be verified fails instead of being skipped"),
    ("skip", "list", "ID", "leave out the check with this id (repeatable)"),
    ("keep", "flag", None, "keep the images that were built, and say their names"),
    (
        "timeout",
        "text",
        "SECONDS",
        "cancel a build that takes longer; wait no longer for any answer of the daemon",
    ),
    (
        "report",
        "list",
        "TYPE:PATH",
        "write a report: json, md, html, sarif, codequality or annotations; none turns off what "
        "GitHub Actions shows by default (repeatable; the path - is the standard output)",
    ),
    (
        "engine",
        "text",
        "NAME",
        "what builds: auto (default), buildx, buildkit, classic, or model, which predicts",
    ),
    (
        "builder",
        "text",
        "NAME",
        "a buildx builder (default: the one that your own docker build would use)",
    ),
    (
        "dockerfile",
        "list",
        "PATH[,context=DIR][,target=STAGE]",
        "a Dockerfile to check (repeatable; default: Dockerfile, then Containerfile, in the "
        "invocation directory, then at the root)",
    ),
    (
        "context",
        "text",
        "DIR",
        "the build context (default: what compose, bake or devcontainer.json give to the "
        "Dockerfile; else, of its directory and those above it, the one that holds most of what "
        "it copies)",
    ),
    ("target", "text", "STAGE", "the stage to build (default: the last one)"),
    ("build-arg", "list", "K=V", "a build argument (repeatable)"),
    (
        "build-context",
        "list",
        "NAME=PATH",
        "a named build context, as buildx takes it (repeatable)",
    ),
    (
        "compose",
        "optional",
        "FILE[,target=NAME]",
        "judge what the services of a compose file build (repeatable; without FILE: compose.yaml, "
        "or an old name of it)",
    ),
    (
        "bake",
        "optional",
        "FILE[,target=NAME]",
        "judge what the targets of a bake file build (repeatable; without FILE: docker-bake.hcl or "
        "docker-bake.json)",
    ),
    (
        "fix",
        "text",
        "PATCHFILE",
        "prove the fixes of failing checks by building, and write the proven ones as a patch",
    ),
    (
        "platform",
        "list",
        "P[,P…]",
        "the platform to build for, for example linux/arm64; of several, each is judged for itself "
        "(repeatable)",
    ),
    ("secret", "list", "SPEC", "a secret for the build, as buildx takes it (repeatable)"),
    (
        "ssh",
        "list",
        "SPEC",
        "an ssh agent or key for the build, as buildx takes it (repeatable)",
    ),
    (
        "cache-from",
        "list",
        "SPEC",
        "a cache that builds import, as buildx takes it; the check cache-from says whether an "
        "empty builder gets the environment from it (repeatable)",
    ),
    (
        "cache-to",
        "list",
        "SPEC",
        "where the check cache-from exports the cache to before an empty builder imports it, as "
        "buildx takes it (repeatable)",
    ),
    (
        "buildkit-image",
        "text",
        "REF",
        "the image of the empty builder of the check cache-from (default: buildx's own)",
    ),
    (
        "build-log",
        "text",
        "FILE",
        "judge the build that this log tells of, and build nothing",
    ),
    (
        "since",
        "text",
        "REF",
        "the commit that was built before that build: a changed environment may be installed",
    ),
    (
        "edit",
        "text",
        "PATH",
        "the one source file to judge (default: every one that the image takes)",
    ),
    ("env-step", "text", "REGEX", "RUN instructions that match are environment steps as well"),
    ("environment", "list", "PATH", "an environment file of the build context (repeatable)"),
    ("python", "text", "VERSION", "the Python version that the image must report"),
    ("max-hidden", "text", "SIZE", "bytes that later layers may hide (default: 10MB)"),
    ("max-size", "text", "SIZE", "the largest size that the image may have"),
    ("max-reship", "text", "SIZE", "bytes of layers that a source edit may make anew"),
    ("min-saving", "text", "SHARE", "the share of the build time that a rebuild must avoid"),
    (
        "base-layers",
        "text",
        "ignore|check",
        "whether the base image's layers are judged as well (default: ignore)",
    ),
    (
        "image",
        "list",
        "REF|TAR|OCIDIR",
        "judge this image and build none (repeatable)",
    ),
    (
        "base-image",
        "text",
        "REF|TAR|OCIDIR",
        "what the image named with --dockercache-image was built on",
    ),
    ("baseline", "text", "FILE", "the JSON report of an earlier run, to say what became worse"),
    (
        "max-growth",
        "text",
        "SIZE",
        "bytes by which an image may have grown since that run",
    ),
    (
        "compare",
        "text",
        "REF|TAR|OCIDIR",
        "the image whose environment the judged one must have",
    ),
)
"""The name after ``--dockercache-`` ("" is ``--dockercache`` itself). A ``flag`` takes no value,
a ``list`` may be given several times, a ``text`` once; the value of an ``optional`` may be left
out, and it may be given several times."""
