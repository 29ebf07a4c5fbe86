"""Eight dimensions by the matrix: verdicts by bound, identity by content, friction counted, not guessed."""

import json
import tomllib
from pathlib import Path

import pytest
from synthetic import DEFAULT_STRETCHES, Stretch, make_profile, synthetic_run

import mmload.scorecard
from mmload.model import InputError
from mmload.profile import Gates
from mmload.scorecard import matrix, read_matrix, scorecard
from mmload.scorecard.card import OWN
from mmload.summary import GATES, Ending, RunReader, figures

SHIPPED = Path(mmload.scorecard.__file__).with_name("matrix.toml")


def measured(tmp_path, stretches=DEFAULT_STRETCHES, **overrides):
    run = synthetic_run(tmp_path / "run", stretches, **overrides)
    reader = RunReader(run.dir, lambda _: run.items)
    reader.poll()
    return figures(reader.summary, reader.plan, Ending(reader.end)), run.profile


def by_name(card):
    return {d["name"]: d for d in card["dimensions"]}


def test_the_eight_dimensions_name_only_what_is_measured_and_their_weights_add_up():
    found = matrix()
    assert [d.name for d in found.dimension] == [
        *("accuracy", "robustness", "hallucination", "throughput"),
        *("cost", "friction", "latency", "safety"),
    ]
    assert {c.name for d in found.dimension for c in d.criterion} <= {*GATES, *OWN}
    assert sum(d.weight for d in found.dimension) == pytest.approx(1)
    assert sum(p.weight for p in found.friction) == pytest.approx(1)


def test_the_identity_is_of_the_content_and_not_of_its_comments(tmp_path):
    text = SHIPPED.read_text()
    (tmp_path / "a.toml").write_text("# another comment\n" + text)
    (tmp_path / "b.toml").write_text(text.replace("limit = 0.90", "limit = 0.91", 1))
    assert read_matrix(tmp_path / "a.toml").id == matrix().id
    assert read_matrix(tmp_path / "b.toml").id != matrix().id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1.2.0"', 'version = "latest"', "semantic version"),
        ("weight = 0.25", 'weight = "much"', "weight"),
        ("[ranking]", "[rankings]", "rankings"),
        ("target = 1.0", "target = 0.5", "must differ"),
    ],
)
def test_a_matrix_that_is_none_is_refused(tmp_path, old, new, message):
    path = tmp_path / "m.toml"
    path.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_matrix(path)


def test_a_limit_of_the_profile_holds_in_the_place_of_the_matrix(tmp_path):
    found, profile = measured(tmp_path)
    card = by_name(scorecard(found, profile))
    quality = card["accuracy"]["criteria"][0]
    assert (quality["limit"], quality["limit_from"]) == (0.85, "profile")
    bare = profile.model_copy(update={"gates": Gates()})
    quality = by_name(scorecard(found, bare))["accuracy"]["criteria"][0]
    assert (quality["limit"], quality["limit_from"]) == (0.9, "matrix")


def test_what_was_not_measured_is_open_and_never_passes(tmp_path):
    found, profile = measured(tmp_path)
    card = by_name(scorecard(found, profile))
    assert card["robustness"]["verdict"] == "inconclusive"
    headroom = card["throughput"]["criteria"][0]
    assert headroom["value"] is None and headroom["verdict"] == "inconclusive"


def test_safety_passes_from_299_clean_answers_on(tmp_path):
    for n, verdict in ((280, "inconclusive"), (320, "pass")):
        stretch = (Stretch("s", n, 60),)
        found, profile = measured(tmp_path / str(n), stretch)
        assert by_name(scorecard(found, profile))["safety"]["verdict"] == verdict


def test_one_failed_measure_fails_its_dimension_whatever_the_others_say(tmp_path):
    found, profile = measured(tmp_path, (Stretch("s", 600, 60, quality=0.5),))
    assert by_name(scorecard(found, profile))["accuracy"]["verdict"] == "fail"


def test_friction_counts_what_it_saw_and_leaves_out_what_it_could_not(tmp_path):
    found, profile = measured(tmp_path)
    rough = scorecard(found, profile)["friction"]
    assert rough["not_measured"] == ["retries", "prompt_sensitivity", "quirks"]
    parts = {p["name"]: p["value"] for p in rough["parts"]}
    strict = found["quality"]["schema_strict_ratio"]
    assert parts["schema_failure"] == pytest.approx(1 - strict)
    assert parts["quirks"] is None
    value = min(1, (1 - strict) / 0.10) * 0.25 + min(1, parts["repairs"] / 0.10) * 0.10
    assert rough["value"] == pytest.approx(100 * value / (0.25 + 0.10 + 0.15), abs=0.01)


def test_declared_quirks_and_allowed_retries_count(tmp_path):
    target = {"engine": "sim", "retries": 2, "quirks": ["no usage in streams"]}
    found, profile = measured(tmp_path, target=target)
    parts = {p["name"]: p["value"] for p in scorecard(found, profile)["friction"]["parts"]}
    assert parts["quirks"] == 1
    assert parts["retries"] == pytest.approx(
        found["counts"]["attempts"] / found["counts"]["sent"] - 1, abs=1e-6
    )


def test_a_recovery_is_asked_for_only_where_there_was_a_burst(tmp_path):
    found, profile = measured(tmp_path, (Stretch("s", 300, 20),))
    names = [c["name"] for c in by_name(scorecard(found, profile))["latency"]["criteria"]]
    assert "recovery_s_max" not in names


def test_a_scorecard_is_plain_json(tmp_path):
    found, profile = measured(tmp_path)
    assert json.loads(json.dumps(scorecard(found, profile), allow_nan=False))


def test_the_shipped_file_is_toml_that_the_default_profile_can_be_judged_by():
    assert tomllib.loads(SHIPPED.read_text())["name"] == matrix().name
    assert make_profile().gates.quality_min is not None
