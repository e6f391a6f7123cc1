#!/usr/bin/env python3
"""Writes what a release is made of, as CycloneDX in JSON.

    eng/sbom.py VERSION PROGRAM ASSETS OUTPUT

PROGRAM is the released executable, whose checksum goes in; ASSETS the project.assets.json of its publish. The packages of the
projects are found by the CycloneDX tool that .config/dotnet-tools.json pins. It knows nothing of the parts of .NET that are linked
in ahead of time: these are added here, from ASSETS. Two runs on one commit write the same file.
"""
import base64
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"eng/sbom.py: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def commit_time():
    return datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def packages(version):
    with tempfile.TemporaryDirectory() as directory:
        run("dotnet", "tool", "restore")
        run("dotnet", "tool", "run", "dotnet-CycloneDX", "--", "Proxy.Daemon/Proxy.Daemon.csproj", "--recursive", "--no-serial-number",
            "--set-name", "torbalancer", "--set-version", version, "--output-format", "Json", "--output", directory, "--filename", "bom.json")
        with open(f"{directory}/bom.json", encoding="utf-8") as bom:
            return json.load(bom)


def framework_part(name, version, folders):
    """A package of .NET itself. What the compiler links in is a part of the program; the compiler is not."""
    folder = next((path for path in (f"{f}/{name.lower()}/{version}" for f in folders) if os.path.isdir(path)), None)
    if folder is None:
        sys.exit(f"eng/sbom.py: {name} {version} is in none of {', '.join(folders)}")
    with open(f"{folder}/{name.lower()}.{version}.nupkg.sha512", encoding="ascii") as checksum:
        sha512 = base64.b64decode(checksum.read()).hex().upper()
    about = xml.etree.ElementTree.parse(f"{folder}/{name.lower()}.nuspec").getroot()
    texts = {element.tag.rsplit("}", 1)[-1]: (element.text or "").strip() for element in about.iter()}
    purl = f"pkg:nuget/{name}@{version}"
    return {
        "type": "framework", "bom-ref": purl, "name": name, "version": version,
        "scope": "excluded" if "ILCompiler" in name else "required", "hashes": [{"alg": "SHA-512", "content": sha512}],
        "licenses": [{"license": {"id": texts["license"]}}], "copyright": texts["copyright"], "purl": purl,
    }


def main(version, program, assets, output):
    bom = packages(version)
    with open(assets, encoding="utf-8") as file:
        restored = json.load(file)
    folders = [folder.rstrip("/") for folder in restored["packageFolders"]]
    frameworks = restored["project"]["frameworks"].values()
    parts = [(part["name"], part["version"].strip("[]").split(",")[0]) for one in frameworks for part in one["downloadDependencies"]]
    # Those of the compiled program only: the runtime for just-in-time compilation is fetched too, and not linked in.
    parts = [part for part in parts if not part[0].startswith("Microsoft.NETCore.App.Runtime.linux")]
    known = {component["purl"] for component in bom["components"]}
    added = [part for part in (framework_part(name, number, folders) for name, number in sorted(set(parts))) if part["purl"] not in known]
    bom["components"] = sorted(bom["components"] + added, key=lambda component: component["purl"])
    with open(program, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest().upper()
    metadata = bom["metadata"]
    metadata["timestamp"] = commit_time()
    metadata["component"].update(hashes=[{"alg": "SHA-256", "content": sha256}], licenses=[{"license": {"id": "MIT"}}])
    root = metadata["component"]["bom-ref"]
    for entry in bom["dependencies"]:
        if entry["ref"] == root:
            entry["dependsOn"] = sorted(set(entry.get("dependsOn", [])) | {part["bom-ref"] for part in added})
    bom["dependencies"] = sorted(bom["dependencies"] + [{"ref": part["bom-ref"]} for part in added], key=lambda entry: entry["ref"])
    with open(output, "w", encoding="utf-8") as file:
        json.dump(bom, file, indent=2, ensure_ascii=False)
        file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: eng/sbom.py VERSION PROGRAM ASSETS OUTPUT")
    main(*sys.argv[1:])
