"""Every command of the README, of docs/ and of the jobs for CI is run as it stands, page by page, each in a
folder and a network of its own: with profiles of the same names that take a second. What cannot be run here
stands in ``pages.NOT_HERE``, with the reason."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from docs.pages import EVERY, NOT_HERE, PAGES, ROOT, Shown, blocks, name_of
from docs.walk import shortened
from PIL import Image

from mmload.cli import program
from mmload.cli._ci import chosen
from mmload.cli._options import read_profile

WALK = Path(__file__).parent / "walk.py"
RECEIVER = ROOT / "tests" / "report" / "otlp_receiver.py"
APART = ("unshare", "--map-root-user", "--net", "--mount")
ASIDE = {"--metrics-linger", "--master", "worker"}
"""Commands that go on while the next ones run."""
SERVERS = ("mmload serve", "python -m mmload.serve", "prometheus")
CODES = {
    "gates.quality_min=0.99": {3},
    "traffic_profiles/capacity.toml": {0, 4},
    "mmload compare": {0, 4},
    "--strict": {0, 4},
    "mmload doctor": {0, 5},
}
"""Exit codes other than 0, by what a command has in it. A second of traffic may decide nothing, and
the machine of the tests may be one that spoils a measurement."""
BEFORE = {
    "docs/howto-choose-between-models.md: mmload compare reports/monday reports/tuesday": """
        made=$(ls -d reports/compare-* | head -1)
        cp -r $made/large reports/monday
        cp -r $made/small reports/tuesday
        cp -r $made/small reports/ocr""",
    "docs/howto-choose-between-models.md: mmload rescore": """
        printf 'seq,verdict\\n1,right\\n2,wrong\\n' > reviews.csv""",
    "docs/howto-capacity.md: mmload capacity traffic_profiles/capacity.toml --resume": """
        mv "$(ls -d reports/capacity-* | sed -n 2p)" reports/capacity-20261125T120000Z""",
    "docs/ci.md: mmload report": "cp -r $(ls -d reports/smoke-* | head -1) reports/main",
}
"""What a reader has by then, made of what the page made."""


def steps(shown: list[Shown], folder: Path) -> list[dict[str, Any]]:
    """What ``walk.py`` is told of a page's commands."""
    found = []
    for one in shown:
        drives, looks = one.verb in ("run", "capacity", "compare"), one.verb == "check"
        found.append(
            {
                "line": str(one),
                "script": f"{one.exports}{one.line}",
                # What is only looked at is the real thing; what is run is short.
                "cwd": str(folder / "whole" if looks and "traffic_profiles/" in one.line else folder),
                "shorten": [w for w in one.words if drives and w.endswith(".toml") and "/" not in w],
                "before": next((b for start, b in BEFORE.items() if str(one).startswith(start)), ""),
                "way": way(one, shown),
                # Locust has one port for its masters, and no option of the command says another.
                "alone": one.line.startswith("locust"),
                "ready": 9090 if one.line.startswith("prometheus") else None,
                "times": 3 if one.verb == "worker" else 1,
            }
        )
    # In another terminal, as the page says.
    return sorted(found, key=lambda step: step["way"] != "up")


def way(one: Shown, page: list[Shown]) -> str:
    """How ``walk.py`` runs it: a server that the rest of the page talks to is up from first to last."""
    if one.line.startswith(SERVERS):
        urls = [f"http://127.0.0.1:{port}" for port in re.findall(r"--port (\d+)", one.line)]
        return "up" if any(url in s.line for url in urls for s in page) else "serve"
    return "aside" if ASIDE & {one.verb, *one.words[2:]} else "run"


def beside(page: str) -> list[list[Any]]:
    """Programs that a page takes to be up: argv, host, port."""

    def serve(host: str, port: int) -> list[Any]:
        server = [sys.executable, "-m", "mmload", "serve", "traffic_profiles/burst.toml"]
        return [[*server, "--host", host, "--port", str(port)], host, port]

    wanted: list[list[Any]] = []
    text = "\n".join(shown.line + shown.exports for shown in EVERY if shown.page == page)
    if "http://127.0.0.1:8000" in text and "--port 8000" not in text:
        wanted.append(serve("127.0.0.1", 8000))
    if "http://staging.example.com" in text:
        wanted.append(serve("10.0.0.80", 80))
    if "http://127.0.0.1:9091" in text:
        gateway = ["prometheus-pushgateway", "--web.listen-address=127.0.0.1:9091", "--persistence.file="]
        wanted.append([gateway, "127.0.0.1", 9091])
    if "http://127.0.0.1:4318" in text:
        wanted.append([[sys.executable, str(RECEIVER), "4318"], "127.0.0.1", 4318])
    return wanted


def checkout(folder: Path) -> None:
    """A checkout in small: the profiles by their names, and the installed program in ``.venv``."""
    for name in ("traffic_profiles", "whole/traffic_profiles"):
        shutil.copytree(ROOT / "traffic_profiles", folder / name)
    for path in (folder / "traffic_profiles").glob("*.toml"):
        path.write_text(shortened(path.read_text()))
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    (folder / "mmload").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "hatch_build.py", "mmload/native.c"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".run").touch()


def made_by_hand(page: Path, folder: Path) -> None:
    """The files that a page shows: items and their pictures, a profile with its table, a shape."""
    shown = dict(blocks(page.read_text()))
    burst = (ROOT / "traffic_profiles" / "burst.toml").read_text()
    if page.name == "howto-own-images.md":
        (folder / "items.jsonl").write_text(shown["json"])
        (folder / "shots").mkdir()
        for name in re.findall(r"shots/(\w+)\.png", shown["json"]):
            Image.new("RGB", (320, 200), "white").save(folder / "shots" / f"{name}.png")
        head, _, rest = burst.partition("[mix]")
        (folder / "own.toml").write_text(head + shown["toml"] + "[slo" + rest.partition("[slo")[2])
    if page.name == "howto-add-a-shape.md":
        (folder / "saw.py").write_text(shown["python"])
        (phase, _) = (body for language, body in blocks(page.read_text()) if language == "toml")
        (folder / "mine.toml").write_text(burst.split("[[phase]]")[0] + phase + "[gates]\nerror_max = 0.5\n")
    if page.name == "howto-several-hosts.md":
        profile = shortened(burst).replace('engine = "sim"', 'engine = "sim"\nallow_remote = true', 1)
        (folder / "mine.toml").write_text(profile)


def walk(told: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    logs = folder / "logs"
    logs.mkdir()
    order, result = logs / "page.json", logs / "found.json"
    order.write_text(json.dumps({**told, "logs": str(logs)}))
    done = subprocess.run(
        [*APART, sys.executable, str(WALK), str(order), str(result)],
        cwd=folder,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "PYTEST_"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
            "STAGING_API_KEY": "k-123",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(result.read_text())
    return found


def judge(found: list[dict[str, Any]]) -> None:
    assert found
    for ended in found:
        allowed = next((codes for part, codes in CODES.items() if part in ended["line"]), {0})
        assert ended["code"] in allowed, f"{ended['line']}\n{ended['out']}\n{ended['err']}"
        assert "Traceback" not in ended["err"], f"{ended['line']}\n{ended['err']}"


@pytest.fixture(scope="session")
def networks() -> None:
    if subprocess.run([*APART, "ip", "link"], capture_output=True).returncode != 0:
        pytest.skip("a network of its own for each page needs Linux namespaces")


HERE = {page: [s for s in EVERY if s.page == name_of(page) and not s.why_not] for page in PAGES}
SEEN: set[str] = set()
for _page, _shown in HERE.items():
    # A run takes seconds: what an earlier page has run as well is run there.
    HERE[_page] = [s for s in _shown if not (s.verb == "run" and (s.bare in SEEN or SEEN.add(s.bare)))]
WALKED = [page for page, shown in HERE.items() if shown]


@pytest.mark.live
@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("page", WALKED, ids=name_of)
def test_the_commands_of_a_page_do_what_they_say(page: Path, tmp_path: Path) -> None:
    checkout(tmp_path)
    made_by_hand(page, tmp_path)
    found = walk({"beside": beside(name_of(page)), "steps": steps(HERE[page], tmp_path)}, tmp_path)
    assert {f["line"] for f in found} == {str(s) for s in HERE[page]}
    judge(found)


@pytest.mark.live
@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_steps_of_a_job_for_ci_do_what_they_say(name: str, tmp_path: Path) -> None:
    checkout(tmp_path)
    job = yaml.safe_load((ROOT / "deploy" / "ci" / name).read_text())
    if "jobs" in job:
        lines = [s["run"] for s in job["jobs"]["load-test"]["steps"] if "run" in s]
    else:
        lines = job["mmload"]["script"]
    shown = [Shown(name, line, "export PROFILE=traffic_profiles/smoke.toml\n") for line in lines]
    assert [s.words[1] for s in shown if s.words[0] == "mmload"] == ["check", "run"] and len(shown) == 3
    judge(walk({"beside": [], "steps": steps(shown, tmp_path)}, tmp_path))
    text = (ROOT / "deploy" / "ci" / name).read_text()
    kept = re.findall(r"^\s*-? *(?:junit: )?(mmload-run\S*)$", text, re.MULTILINE)
    assert kept and all((tmp_path / path).exists() for path in kept)


def test_the_pages_show_commands_at_all() -> None:
    assert len(EVERY) > 50 and len(WALKED) > 10
    assert all(any(s.line.startswith(start) for s in EVERY) for start in NOT_HERE)


@pytest.mark.parametrize("shown", [s for s in EVERY if s.verb], ids=str)
def test_every_command_of_ours_has_the_verbs_and_options_that_it_names(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = shown.words[1:]
    monkeypatch.chdir(tmp_path)
    for run in words:
        if run.startswith("reports/"):
            Path(run).mkdir(parents=True)
    context = click.Context(program)
    found = program.get_command(context, words[0])
    assert found is not None, f"no verb {words[0]}"
    if isinstance(found, click.Group):
        return
    made = found.make_context(words[0], words[1:], parent=context)
    chosen(made.params.get("fail_on") or ())


def test_targets_and_scripts_that_are_not_run_have_the_options_that_are_named(tmp_path: Path) -> None:
    for shown in EVERY:
        if shown.why_not and shown.words[0] == "make":
            subprocess.run(["make", "-n", *shown.words[1:]], cwd=ROOT, check=True, capture_output=True)
        elif shown.why_not and shown.words[0] == "python":
            script = (ROOT / shown.words[1]).read_text()
            assert all(re.search(rf"[\"']{word}[\"']", script) for word in shown.words if word[:2] == "--")
    small = [sys.executable, "benchmarks/report_size.py", "--requests", "300"]
    done = subprocess.run(small, cwd=ROOT, capture_output=True, text=True, timeout=120)
    # Its exit code is a matter of seconds, which are another's on a busy machine.
    assert "whole run folder in" in done.stdout and "report.html" in done.stdout, done.stderr


def test_the_image_is_made_of_what_the_repository_holds() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    (built,) = [s.line for s in EVERY if s.words[0] == "docker"]
    assert built == "docker build -f deploy/Dockerfile -t mmload ."
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)]
    assert copied and all((ROOT / name).exists() for names in copied for name in names)
    assert 'ENTRYPOINT ["mmload"]' in text and "--require-hashes" in text


def test_the_manifests_hold_a_profile_and_arguments_that_mmload_takes(tmp_path: Path) -> None:
    """Against mmload and against each other; a cluster is not to be had."""
    path = ROOT / "deploy" / "kubernetes" / "mmload.yaml"
    found = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(path.read_text())}
    applied = {s.line for s in EVERY if s.words[0] == "kubectl"}
    assert f"kubectl apply -f {path.relative_to(ROOT)}" in applied
    for name in re.findall(r"job/([\w-]+)", " ".join(applied)):
        assert ("Job", name) in found
    (tmp_path / "profile.toml").write_text(found["ConfigMap", "mmload-profile"]["data"]["profile.toml"])
    profile = read_profile(tmp_path / "profile.toml")
    ports = {port["port"] for port in found["Service", "mmload-master"]["spec"]["ports"]}
    for name, count in (("mmload-master", 1), ("mmload-worker", profile.workers)):
        job = found["Job", name]["spec"]
        assert job.get("parallelism", 1) == job.get("completions", 1) == count
        (container,) = job["template"]["spec"]["containers"]
        verb = program.get_command(click.Context(program), container["args"][0])
        assert verb is not None
        words = [re.sub(r"(^|=)/profile\b", rf"\g<1>{tmp_path}", word) for word in container["args"]]
        given = verb.make_context(words[0], words[1:]).params
        assert given.get("master_host") in ("0.0.0.0", "mmload-master")
        assert given.get("prometheus_port") in (None, *ports)
        assert container["image"] == "mmload"
        assert profile.target.api_key_env in [e["name"] for e in container["env"]]
        volumes = {v["name"] for v in job["template"]["spec"]["volumes"]}
        assert {m["name"] for m in container["volumeMounts"]} <= volumes
    policy = found["NetworkPolicy", "mmload-master"]["spec"]["ingress"]
    assert {p["port"] for rule in policy for p in rule["ports"]} == ports


@pytest.mark.live
def test_the_notebook_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(shortened((ROOT / "traffic_profiles" / "burst.toml").read_text()))
    first = [sys.executable, "-m", "mmload", "run", "mine.toml", "--out", "reports/first", "--quiet"]
    assert subprocess.run(first, cwd=tmp_path, capture_output=True, timeout=120).returncode == 0
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for language, body in blocks((ROOT / "docs" / "howto-notebook.md").read_text()):
        if language == "python":
            exec(body, scope)
    assert len(scope["rows"]) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", text):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor and path.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [p.name for p in PAGES[1:] if p.name != "README.md" and f"({p.name}" not in index] == []
