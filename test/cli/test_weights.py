"""`etam weights` with a hub cache of its own, and no network."""

from __future__ import annotations

from pathlib import Path

import pytest

NAME = "efficienttam_ti_512x512"
REPOSITORY = "models--yunyangx--efficient-track-anything"
SAM2 = "sam2.1_hiera_base_plus"
SAM2_REPOSITORY = "models--facebook--sam2.1-hiera-base-plus"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path):
    """The environment of an empty hub cache that cannot reach the network."""
    return {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}


def put_into_cache(hub: dict[str, str], name: str, repository: str = REPOSITORY) -> Path:
    """Lay a file into the cache as the hub does: a blob, a snapshot that links to it, a ref."""
    folder = Path(hub["HF_HUB_CACHE"]) / repository
    blob = folder / "blobs" / "f00d"
    snapshot = folder / "snapshots" / COMMIT
    for parent in (blob.parent, snapshot, folder / "refs"):
        parent.mkdir(parents=True)
    blob.write_bytes(b"weights")
    (folder / "refs" / "main").write_text(COMMIT)
    (snapshot / f"{name}.pt").symlink_to(Path("../../blobs/f00d"))
    return snapshot / f"{name}.pt"


def test_list_names_all_models_and_says_which_are_here(etam, hub):
    put_into_cache(hub, NAME)
    done = etam("weights", "list", **hub)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = [line for line in lines if line[0].startswith("efficienttam_") and "px" in line]
    assert len(rows) == 8
    here = {row[0]: row[-1] for row in rows}
    assert here[NAME].endswith(f"{NAME}.pt")
    assert here["efficienttam_s"] == "no"
    assert ["1024", "px"] in [row[1:3] for row in rows]


def test_path_prints_the_path_alone(etam, hub):
    file = put_into_cache(hub, NAME)
    done = etam("weights", "path", NAME, **hub)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}\n", "")


def test_sam2_lies_in_repositories_of_its_own(etam, hub):
    """The smaller input has the same file."""
    file = put_into_cache(hub, SAM2, SAM2_REPOSITORY)
    for name in (SAM2, f"{SAM2}_512x512"):
        done = etam("weights", "get", name, **hub)
        assert (done.returncode, done.stdout) == (0, f"{file}\n"), done.stderr
    done = etam("weights", "list", **hub)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("sam2")]
    assert [row[0] for row in rows if row[-1] != "no"] == [SAM2]
    assert len(rows) == 8
    assert ["80.9", "M"] in [row[3:5] for row in rows]


def test_path_of_what_is_not_here_names_the_command_that_gets_it(etam, hub):
    done = etam("weights", "path", NAME, **hub)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`etam weights get {NAME}`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_get_without_a_network_is_one_line(etam, hub):
    done = etam("weights", "get", NAME, **hub)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_get_of_what_is_here_needs_no_network(etam, hub):
    file = put_into_cache(hub, NAME)
    done = etam("weights", "get", NAME, **hub)
    assert (done.returncode, done.stdout) == (0, f"{file}\n")


@pytest.mark.parametrize("verb", ["get", "path"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("efficienttam_t", "did you mean efficienttam_t"), ("yolo", "`etam weights list`")],
)
def test_unknown_names_get_a_hint(etam, hub, verb, name, hint):
    done = etam("weights", verb, name, **hub)
    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stderr.count("\n") == 1
