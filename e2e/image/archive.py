#!/usr/bin/env python3
"""Writes a container image as a docker-archive, without a Docker daemon.

One layer: the binaries, the libraries that `ldd` names for them, and the few
files that a C library and a shell expect. The same input gives the same bytes:
entries are sorted, belong to root and carry no time.

    archive.py OUT.tar --name portcullis:0.1.0 --dockerfile Dockerfile --binary target/release/portcullis=/portcullis

With --dockerfile, USER, ENTRYPOINT, EXPOSE and LABEL come from its last stage.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile

ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    "/etc/group": "root:x:0:\nnonroot:x:65532:\n",
    # Without it some C libraries ask the DNS before /etc/hosts.
    "/etc/nsswitch.conf": "hosts: files dns\n",
}
# Where Debian and the base image of the Dockerfile have the authorities that sign servers' certificates.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Fault(Exception):
    """What is wrong with the input, for the one who called."""


class Layer:
    """A file tree: path -> (tar entry, content)."""

    def __init__(self):
        self.entries = {}

    def directory(self, path, mode=0o755, owner=0):
        self._add(path, tarfile.DIRTYPE, mode, owner=owner)

    def file(self, path, content, mode=0o644):
        self._add(path, tarfile.REGTYPE, mode, content)

    def link(self, path, target):
        self._add(path, tarfile.SYMTYPE, 0o777, target=target)

    def binary(self, source, path):
        """Adds an executable and the libraries that it loads, under the names the loader uses."""
        self.file(path, read(source), 0o755)
        for library in libraries(source):
            self.file(library, read(library), 0o755)

    def _add(self, path, kind, mode, content=b"", target="", owner=0):
        name = os.path.normpath(path).lstrip("/")
        parent = os.path.dirname(name)
        if parent and parent not in self.entries:
            self.directory(parent)
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
        entry.uid = entry.gid = owner
        self.entries[name] = (entry, content)

    def tar(self):
        return tar([self.entries[name] for name in sorted(self.entries)])


def tar(entries):
    out = io.BytesIO()
    # GNU: its headers hold nothing that depends on who writes them.
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Fault(f"cannot read {path}: {error.strerror}") from error


def libraries(binary):
    """The paths of the shared libraries of a binary, its loader included; none if it is static."""
    # ldd exits with 1 for a static binary, and says so on one stream or the other.
    listing = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    if "not a dynamic executable" in listing.stdout + listing.stderr or "statically linked" in listing.stdout:
        return []
    if listing.returncode != 0:
        raise Fault(f"ldd {binary}: {listing.stderr.strip()}")
    if missing := re.findall(r"(\S+) => not found", listing.stdout):
        raise Fault(f"{binary} needs libraries that are not here: {' '.join(missing)}")
    return re.findall(r"(?:^|=>)\s*(/\S+) \(0x", listing.stdout, re.MULTILINE)


def settings_of(dockerfile):
    """The configuration that a Dockerfile's last stage gives its image."""
    text = re.sub(r"\\\n", " ", read(dockerfile).decode())
    arguments, config = {}, {"Labels": {}, "ExposedPorts": {}}
    for line in text.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        rest = re.sub(r"\$\{(\w+)\}", lambda match: arguments.get(match[1], match[0]), rest.strip())
        match keyword.upper():
            case "ARG":
                name, _, value = rest.partition("=")
                if value:
                    arguments[name] = value
            case "FROM":
                config = {"Labels": {}, "ExposedPorts": {}}
            case "USER":
                config["User"] = rest
            case "ENTRYPOINT":
                config["Entrypoint"] = json.loads(rest)
            case "EXPOSE":
                config["ExposedPorts"] |= {f"{port}/tcp": {} for port in rest.split()}
            case "LABEL":
                config["Labels"] |= dict(re.findall(r'([\w.]+)="([^"]*)"', rest))
    return config


def image(name, config, layer):
    """The docker-archive of an image with one layer."""
    content = layer.tar()
    digest = hashlib.sha256(content).hexdigest()
    machine = platform.machine()
    description = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "e2e/image/archive.py"}],
        },
        sort_keys=True,
    ).encode()
    config_name = hashlib.sha256(description).hexdigest() + ".json"
    layer_name = f"{digest}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]).encode()
    files = [("manifest.json", manifest), (config_name, description), (layer_name, content)]
    return tar([(plain(path, data), data) for path, data in files])


def plain(path, data):
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    return entry


def pair(text):
    left, separator, right = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text} is not a pair A=B")
    return left, right


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--name", required=True, help="repository:tag")
    parser.add_argument("--dockerfile")
    parser.add_argument("--binary", type=pair, action="append", default=[], metavar="SOURCE=PATH")
    parser.add_argument("--file", type=pair, action="append", default=[], metavar="SOURCE=PATH", help="a script: copied, executable")
    parser.add_argument("--authorities", action="store_true", help="with those of this machine, so that servers are reached over TLS")
    parser.add_argument("--link", type=pair, action="append", default=[], metavar="PATH=TARGET")
    parser.add_argument("--entrypoint", action="append", metavar="WORD")
    parser.add_argument("--command", action="append", metavar="WORD")
    parser.add_argument("--user")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    layer = Layer()
    layer.directory("/tmp", 0o1777)
    layer.directory("/home/nonroot", 0o700, owner=65532)
    for path, text in ACCOUNTS.items():
        layer.file(path, text.encode())
    for source, path in arguments.binary:
        layer.binary(source, path)
    for source, path in arguments.file:
        layer.file(path, read(source), 0o755)
    if arguments.authorities:
        layer.file(AUTHORITIES, read(AUTHORITIES))
    for path, target in arguments.link:
        layer.link(path, target)

    config = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "WorkingDir": "/"}
    if arguments.dockerfile:
        config |= settings_of(arguments.dockerfile)
    chosen = {"Entrypoint": arguments.entrypoint, "Cmd": arguments.command, "User": arguments.user}
    config |= {key: value for key, value in chosen.items() if value}

    # Written beside and renamed: an archive that exists is whole.
    unfinished = f"{arguments.out}.{os.getpid()}"
    with open(unfinished, "wb") as file:
        file.write(image(arguments.name, config, layer))
    os.replace(unfinished, arguments.out)


if __name__ == "__main__":
    try:
        main()
    except (Fault, OSError) as fault:
        sys.exit(f"image: error: {fault}")
