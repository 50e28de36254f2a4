"""Read overlay2 directories that only root may read: bind-mounted, read-only, into a container.

The container runs the image's own Python, with no network and a read-only root. Every capability is
dropped but the two that reading needs, and the system calls that these two would open are refused,
so that the container cannot be left.
"""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .index import OPAQUE, Kind, LayerIndex, Row, build_index
from .overlay import KINDS
from .sifting import distil, keeps

__all__ = ["READER_LABEL", "MountFailed", "list_mounted"]

READER_LABEL = "org.pytest-dockercache.reader"
"""Label of the containers that read layers."""

_PYTHONS = (
    "/opt/conda/bin/python",
    "python3",
    "python",
    "/usr/local/bin/python3",
    "/usr/bin/python3",
)

# CAP_SYS_ADMIN is for trusted.* attributes, CAP_DAC_READ_SEARCH for the directories. The other
# calls that the two capabilities would permit are refused.
_REFUSED = (
    "mount", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "pivot_root", "chroot", "setns", "unshare", "bpf",
    "perf_event_open", "open_by_handle_at", "name_to_handle_at", "init_module", "finit_module",
    "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "quotactl",
    "quotactl_fd", "sethostname", "setdomainname", "ptrace", "process_vm_readv",
    "process_vm_writev", "keyctl", "add_key", "request_key", "userfaultfd", "fanotify_init",
    "syslog", "acct", "iopl", "ioperm", "settimeofday", "clock_settime", "clone3", "setxattr",
    "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "io_uring_setup",
    "lookup_dcookie", "nfsservctl", "vhangup", "personality", "mknod", "mknodat", "ioctl",
)  # fmt: skip

# CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET: a new user namespace would give all
# capabilities back.
_NEW_NAMESPACES = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))

_SECCOMP = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": list(_REFUSED), "action": "SCMP_ACT_ERRNO"},
            *(
                {
                    "names": ["clone"],
                    "action": "SCMP_ACT_ERRNO",
                    "args": [
                        {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
                    ],
                }
                for flag in _NEW_NAMESPACES
            ),
        ],
    }
)


class MountFailed(Exception):
    """The directories could not be listed this way."""


def list_mounted(
    api: Any, image: str, directories: Mapping[str, Path], labels: Mapping[str, str]
) -> Iterator[LayerIndex]:
    """Index the layers whose ``diff`` directories are given by diff ID.

    Raises MountFailed where the image has no Python, or the daemon refuses the container.
    """
    program = Path(__file__).with_name("lister.py").read_text(encoding="utf-8")
    diff_ids = list(directories)
    rows: list[list[Row]] = [[] for _ in diff_ids]
    kept: list[dict[bytes, bytes]] = [{} for _ in diff_ids]
    for record in _records(api, image, program, list(directories.values()), labels):
        _take(record, rows, kept)
    for number, diff_id in enumerate(diff_ids):
        yield build_index(diff_id, rows[number], kept[number])


def _take(record: Sequence[Any], rows: list[list[Row]], kept: list[dict[bytes, bytes]]) -> None:
    number, name, mode, uid, gid, size, mtime, inode, flag, extra = record
    path = name.encode("latin-1")
    kind = KINDS.get(stat.S_IFMT(mode))
    if kind is None:
        return
    if flag == 2:
        rows[number].append((path, int(Kind.WHITEOUT), 0, 0, 0, 0, 0, 0, b""))
        return
    regular = kind == Kind.FILE
    if regular and keeps(path):
        kept[number][path] = distil(path, extra.encode("latin-1"))
    if kind == Kind.DIRECTORY and flag == 1:
        kind |= OPAQUE
    target = extra.encode("latin-1") if kind == Kind.SYMLINK else b""
    rows[number].append(
        (path, kind, mode, uid, gid, size if regular else 0, mtime, inode if regular else 0, target)
    )


def _records(
    api: Any, image: str, program: str, directories: Sequence[Path], labels: Mapping[str, str]
) -> Iterator[Sequence[Any]]:
    refusals: list[str] = []
    for python in _PYTHONS:
        ended = False
        try:
            for line in _lines(api, image, python, program, directories, labels):
                record = json.loads(line)
                if record == "end":
                    ended = True
                    break
                yield record
        except _NotThere as error:
            refusals.append(str(error))
            continue
        except ValueError:
            raise MountFailed("the listing is not what our program writes") from None
        if not ended:
            raise MountFailed("the listing broke off")
        return
    raise MountFailed(refusals[-1] if refusals else "no Python in the image")


class _NotThere(Exception):
    """The Python at this path does not run in the image."""


def _lines(
    api: Any,
    image: str,
    python: str,
    program: str,
    directories: Sequence[Path],
    labels: Mapping[str, str],
) -> Iterator[bytes]:
    import docker.errors
    import requests.exceptions

    places = [f"/layers/{number}" for number in range(len(directories))]
    binds = [f"{path}:{place}:ro" for path, place in zip(directories, places, strict=True)]
    container = None
    try:
        container = api.create_container(
            image,
            entrypoint=[python, "-I", "-S", "-B", "-c", program],
            command=places,
            user="0:0",
            working_dir="/",
            labels={READER_LABEL: "1", **labels},
            environment={"PYTHONUNBUFFERED": ""},
            host_config=api.create_host_config(
                binds=binds,
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                cap_add=["SYS_ADMIN", "DAC_READ_SEARCH"],
                security_opt=["no-new-privileges", f"seccomp={_SECCOMP}"],
                pids_limit=16,
                log_config={"Type": "none"},
            ),
        )["Id"]
        output = api.attach(container, stdout=True, stderr=True, stream=True, demux=True)
        api.start(container)
        pending = b""
        complaint = b""
        for out, err in output:
            complaint += err or b""
            if out:
                *lines, pending = (pending + out).split(b"\n")
                yield from lines
        code = api.wait(container)["StatusCode"]
        if code:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise MountFailed(" ".join(last) or f"the listing ended with exit code {code}")
    except docker.errors.APIError as error:
        if container is not None and error.status_code in (400, 404, 500):
            raise _NotThere(str(error.explanation)) from error
        raise MountFailed(str(error.explanation)) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise MountFailed(str(error)) from error
    finally:
        if container is not None:
            with contextlib.suppress(
                docker.errors.DockerException, requests.exceptions.RequestException
            ):
                api.remove_container(container, force=True, v=True)
