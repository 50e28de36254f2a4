"""The program that lists overlay2 directories from inside a container, for a user who is not root.

The program is sent as text and run by the image's own Python (3.6 or later), so it imports
nothing of this package. Output: one JSON line an entry,
``[layer, path, mode, uid, gid, size, mtime, inode, flag, extra]`` with bytes as Latin-1 text;
``flag`` is 1 for an opaque directory, 2 for a whiteout; ``extra`` is a link's text or a kept
file's content. The last line is ``"end"``.
"""

import json
import os
import stat
import sys


def list_layers(
    roots: "list[str]",
    keep_suffixes: "tuple[bytes, ...]",
    keep_parents: "tuple[bytes, ...]",
    largest: int,
) -> None:
    """Print every entry below each of ``roots``."""
    write = sys.stdout.write
    for number, name in enumerate(roots):
        root = os.fsencode(name)
        if flag_of(root):
            write(json.dumps([number, "", 0o40755, 0, 0, 0, 0, 0, 1, ""]) + "\n")
        pending = [(root, b"")]
        while pending:
            directory, prefix = pending.pop()
            for entry in os.scandir(directory):
                found = entry.stat(follow_symlinks=False)
                mode = found.st_mode
                path = prefix + entry.name
                flag, extra = 0, b""
                if stat.S_ISDIR(mode):
                    flag = flag_of(entry.path)
                    pending.append((entry.path, path + b"/"))
                elif stat.S_ISLNK(mode):
                    extra = os.readlink(entry.path)
                elif stat.S_ISCHR(mode) and found.st_rdev == 0:
                    flag = 2
                elif stat.S_ISREG(mode):
                    parent = prefix[:-1]
                    if (
                        path.endswith(keep_suffixes)
                        and found.st_size <= largest
                        and (
                            parent.endswith(keep_parents)
                            or path.endswith((b".egg-info", b"pyvenv.cfg"))
                        )
                    ):
                        with open(entry.path, "rb") as content:
                            extra = content.read()
                inode = found.st_ino if found.st_nlink > 1 else 0
                row = [number, path.decode("latin-1"), mode, found.st_uid, found.st_gid,
                       found.st_size, found.st_mtime_ns // 1000000000, inode, flag,
                       extra.decode("latin-1")]  # fmt: skip
                write(json.dumps(row) + "\n")
    write('"end"\n')


def flag_of(directory: bytes) -> int:
    """1 for an opaque directory, 0 for any other; fails where the content is elsewhere."""
    flag = 0
    for name in os.listxattr(directory, follow_symlinks=False):
        short = name.rpartition(".")[2]
        if name in ("trusted.overlay." + short, "user.overlay." + short):
            if short in ("redirect", "metacopy"):
                raise SystemExit("content is elsewhere: " + short)
            if short == "opaque" and os.getxattr(directory, name, follow_symlinks=False) == b"y":
                flag = 1
    return flag


if __name__ == "__main__":
    # Without the capability the kernel hides trusted attributes instead of refusing them, and
    # opaque directories would be missed: better to fail.
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:") and not int(line.split()[1], 16) >> 21 & 1:
                raise SystemExit("the container may not read trusted attributes")
    list_layers(
        sys.argv[1:],
        (b".json", b"METADATA", b"PKG-INFO", b".egg-info", b"pyvenv.cfg"),
        (b"conda-meta", b".dist-info", b".egg-info", b".egg/EGG-INFO"),
        16 << 20,
    )
