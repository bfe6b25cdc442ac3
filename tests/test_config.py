"""The configuration: three profiles that load, errors that name the field."""

from pathlib import Path

import pytest
import yaml

from slimvid import config
from slimvid.errors import SlimvidError
from slimvid.rows import head

FOLDER = Path(__file__).resolve().parent.parent / "config"


@pytest.mark.parametrize("name", ["demo", "smoke", "paper"])
def test_the_profiles_load(name):
    found = config.load(FOLDER / f"{name}.yaml")
    assert found.profile == name
    assert set(found.table1.tasks) == {"sketch2face", "segmentation2city", "pose2body"}


@pytest.mark.parametrize("name", ["demo", "paper"])
def test_the_free_baselines_stand_in_the_tables_that_compare_methods_on_video(name):
    found = config.load(FOLDER / f"{name}.yaml")
    free = {"held": "hold", "interpolated": "dis"}
    for table in ("table1", "shortcut_v2v/table1", "shortcut_v2v/table2", "shortcut_v2v/figure3"):
        tasks = found.tables[table].tasks
        assert {(task, row) for task in tasks for row in free} <= set(found.rows_of(table)), table
    for task in found.tasks:
        for row, way in free.items():
            plan = found.plan_of(task, row)
            assert (plan.kind, plan.interval, plan.interpolation) == ("keyframes", 3, way)
            assert found.recipes(task, row) == [("replan", {})]


def test_a_later_file_overrides_and_a_task_overrides_the_teacher(tmp_path):
    over = {"teachers": {"vid2vid": {"iterations": 7}}, "teacher_of": {"pose2body": {"width": 12}}}
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(over))
    found = config.load(FOLDER / "smoke.yaml", tmp_path / "over.yaml")
    assert found.teachers["vid2vid"].iterations == 7 and found.teachers["vid2vid"].width == 8
    assert found.teacher_settings("pose2body").width == 12
    assert found.teacher_settings("sketch2face").width == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teachers": {"vid2vid": {"iterations": 0}}}, "field teachers.vid2vid.iterations"),
        ({"teachers": {"vid2vid": {"iteration": 5}}}, "field teachers.vid2vid.iteration: Extra inputs"),
        ({"teacher_of": {"pose2body": {"widht": 5}}}, "teacher_of.pose2body.widht: Extra inputs"),
        ({"tasks": {"x": {"source": "world", "height": 64, "width": 64}}}, "source 'world' needs"),
        ({"tasks": {"x": {"source": "video", "height": 64, "width": 64}}}, "needs `path:`"),
        ({"tasks": {"Bad Name": {}}}, "field tasks.Bad Name"),
        ({"table1": {"tasks": ["nothing"]}}, "table1.tasks names what `tasks` lacks: nothing"),
        ({"table1": {"methods": ["nothing"]}}, "rows that `methods` lacks: nothing"),
        ({"methods": {"original": {"method": "uniform"}}}, "the name is taken"),
        ({"seeds": []}, "field seeds"),
        ({"profile": "it's mine"}, "field profile"),
    ],
)
def test_mistakes_are_named(change, message, tmp_path):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(change))
    with pytest.raises(SlimvidError, match=message):
        config.load(FOLDER / "smoke.yaml", tmp_path / "over.yaml")


def test_files_that_are_no_config_are_named(tmp_path):
    with pytest.raises(SlimvidError, match="no such config file"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(SlimvidError, match="cannot be read"):
        config.load(tmp_path)
    (tmp_path / "bad.yaml").write_bytes(b"a: \xff")
    with pytest.raises(SlimvidError, match="not valid YAML"):
        config.load(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(SlimvidError, match="not valid YAML"):
        config.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(SlimvidError, match="holds no mapping"):
        config.load(tmp_path / "list.yaml")


def two_teachers(**over):
    document = yaml.safe_load((FOLDER / "smoke.yaml").read_text())
    game = {"source": "world", "world": "city", "height": 32, "width": 48, "teacher": "recyclegan"}
    document["tasks"]["viper2label"] = {**game, "translation": "game2label"}
    document["teachers"]["recyclegan"] = {"iterations": 3, "lambda_content": [0, 0]}
    return config.merge(document, over)


def test_sections_of_earlier_versions_are_read_as_those_of_teachers(caplog):
    document = two_teachers()
    old = {**document, "teacher": {"iterations": 9}, "recyclegan": {"iterations": 8}}
    found = config.validate(old, origin="test")
    assert (found.teachers["vid2vid"].iterations, found.teachers["vid2vid"].width) == (9, 8)
    assert found.teachers["recyclegan"].iterations == 8
    assert "`teacher:` is read as `teachers: {vid2vid: ...}`" in caplog.text


def test_a_kind_of_original_without_a_section_is_named():
    document = two_teachers()
    del document["teachers"]["recyclegan"]
    said = "tasks.viper2.*teacher is 'recyclegan', but `teachers` has no section of that name"
    with pytest.raises(SlimvidError, match=said):
        config.validate(document, origin="test")


def test_each_task_has_its_kind_of_teacher():
    own = {"teacher_of": {"viper2label": {"lambda_spatial": [10, 0], "iterations": 5}}}
    found = config.validate(two_teachers(**own), origin="test")
    settings = found.teacher_settings("viper2label")
    assert (settings.teacher, settings.given, settings.iterations) == ("recyclegan", 0, 5)
    assert settings.lambda_spatial == (10, 0) and settings.lambda_unsup_cycle == (10, 10)
    assert found.teacher_settings("sketch2face").teacher == "vid2vid"
    again = config.validate(found.model_dump(mode="json"), origin="dumped")
    assert again.teacher_settings("viper2label") == settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teachers": {"recyclegan": None}}, "field teachers.recyclegan: Input should be a valid dictionary"),
        (
            {"teachers": {"pix3pix": {}}},
            "field teachers.pix3pix: there is no kind of original 'pix3pix'; use",
        ),
        ({"tasks": {"viper2label": {"teacher": "vid3vid"}}}, "there is no kind of original 'vid3vid'; use"),
        ({"teacher_of": {"viper2label": {"past": 2}}}, "past"),
        ({"teachers": {"recyclegan": {"lambda_cycle": [1, -1]}}}, "field teachers.recyclegan.lambda_cycle"),
        (
            {"tasks": {"viper2label": {"world": "face"}}},
            "`translation:` would not be read here: it goes with `source: viper` or `world: city`",
        ),
        ({"tasks": {"viper2label": {"source": "viper"}}}, "needs `path:`"),
        (
            {"tasks": {"viper2label": {"source": "viper", "path": "a", "translation": "game2camera"}}},
            "`path_target:` is the other domain",
        ),
    ],
)
def test_errors_of_two_teachers_name_the_field(change, message):
    with pytest.raises(SlimvidError) as error:
        config.validate(two_teachers(**change), origin="test")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_dvc_reads_stands_in_the_default_profile():
    """DVC looks parameters up in the file itself: a section left to its defaults would stop `dvc commit`."""
    stages = yaml.safe_load((FOLDER.parent / "dvc.yaml").read_text())["stages"]
    read = {
        key.split(".")[0]
        for stage in stages.values()
        for entry in stage.get("params", [])
        for key in entry["config/demo.yaml"] or ()  # none: the whole file, whatever it has
    }
    assert read and read <= set(yaml.safe_load((FOLDER / "demo.yaml").read_text()))


ROWS = {
    "methods": {
        "narrow": {"method": "uniform", "options": {"width": 0.5, "train": {"iterations": 3}}},
        "short": {
            "method": "shortcut",
            "plan": {"kind": "shortcut", "max_interval": 3},
            "options": {"cut": "low", "train": {"iterations": 5}},
            "per": {
                "recyclegan": {"options": {"train": {"iterations": 9}}},
                "sketch2face": {"plan": {"max_interval": 6}},
            },
        },
    },
    "variants": {
        "short_thin": {"of": "short", "options": {"width": 0.5}},
        "short_twice": {"of": "short_thin", "over": "narrow", "teachers": ["vid2vid"]},
        "often": {"method": "replan", "over": "short", "plan": {"kind": "shortcut", "max_interval": 2}},
    },
    "papers": {
        "shortcut_v2v": {"table1": {"tasks": ["sketch2face", "viper2city"], "methods": ["short_twice"]}}
    },
}


def _with_rows(tmp_path, **changes):
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump(config.merge(ROWS, changes)))
    return config.load(FOLDER / "smoke.yaml", tmp_path / "rows.yaml")


def test_variants_are_rows_with_some_keys_changed(tmp_path):
    found = _with_rows(tmp_path)
    assert found.methods["short_thin"].options == {"cut": "low", "width": 0.5, "train": {"iterations": 5}}
    assert found.methods["short_twice"].options["width"] == 0.5  # of a variant above it
    assert found.methods["often"].plan.max_interval == 2
    again = config.validate(found.model_dump(mode="json"), origin="what jobs read")
    assert again == found and not again.variants


def test_a_row_changes_by_kind_of_original_and_by_task(tmp_path):
    found = _with_rows(tmp_path)
    assert found.row("viper2city", "short").options == {"cut": "low", "train": {"iterations": 9}}
    assert found.plan_of("viper2city", "short").max_interval == 3
    assert found.plan_of("sketch2face", "short_thin").max_interval == 6
    assert found.plan_of("sketch2face", "original").kind == "every_frame"


EVERY_THIRD = {"kind": "keyframes", "strategy": "fixed", "interval": 3}


def test_a_row_is_put_over_another_and_left_out_where_it_does_not_apply(tmp_path):
    found = _with_rows(tmp_path)
    assert found.teacher_row("short_twice") == "narrow" and found.teacher_row("narrow") == "original"
    recipes = found.recipes("pose2body", "short_twice")
    assert [name for name, _ in recipes] == ["uniform", "shortcut"]
    assert recipes[1][1]["width"] == 0.5
    assert found.rows_of("shortcut_v2v/table1") == [("sketch2face", "short_twice")]
    assert {"table1", "shortcut_v2v/table1"} <= set(found.tables)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {"x": {"of": "nothing"}}}, "variants.x.of: 'nothing' is no row"),
        ({"variants": {"short": {"of": "narrow"}}}, "variants.short: `methods` has a row"),
        ({"methods": {"narrow": {"over": "nothing"}}}, "methods.narrow.over: there is no row 'nothing'"),
        ({"methods": {"narrow": {"over": "short_twice"}}}, "over: comes back to itself"),
        ({"methods": {"short": {"per": {"face": {}}}}}, "methods.short.per.face: neither a task nor"),
        (
            {"methods": {"short": {"per": {"pose2body": {"plan": {"max_interval": 0}}}}}},
            "methods.short.per.pose2body.plan.max_interval: Input should be greater",
        ),
        (
            {"methods": {"short": {"per": {"pose2body": {"plan": {"kind": "every_frame"}}}}}},
            "plan.kind: must be the row's own",
        ),
        ({"papers": {"shortcut_v2v": {"table1": {"tasks": ["x"]}}}}, "shortcut_v2v/table1.tasks names what"),
        ({"methods": {"narrow": {"plan": {"interval": 3}}}}, "narrow.plan: .*interval belongs to the plan"),
        (
            {"methods": {"narrow": {"plan": {"kind": "keyframes", "interval": 3}}}},
            "interval belongs to the plan `kind: keyframes, strategy: fixed`",
        ),
        (
            {"methods": {"narrow": {"plan": {**EVERY_THIRD, "interval": 0}}}},
            "narrow.plan.interval: Input should be greater",
        ),
        ({"methods": {"narrow": {"plan": {**EVERY_THIRD, "max_gap": 2}}}}, "give interval or max_gap"),
        (
            {"methods": {"narrow": {"plan": {**EVERY_THIRD, "interpolation": "hold", "timing": "official"}}}},
            "timing official mis-times an interpolation",
        ),
    ],
)
def test_mistakes_in_rows_are_named(change, message, tmp_path):
    with pytest.raises(SlimvidError, match=message):
        _with_rows(tmp_path, **change)


SEARCH = {
    "task": "viper2city",
    "methods": ["short", "short_thin", "often"],
    "intervals": [2, 3],
    "budgets": [2.5],
}


def test_a_search_names_rows_and_plans(tmp_path):
    found = _with_rows(tmp_path, search=SEARCH).search
    assert found.methods == ("short", "short_thin", "often")
    assert (found.intervals, found.budgets) == ((2, 3), (2.5,))
    document = yaml.safe_load((FOLDER / "smoke.yaml").read_text())
    assert config.validate({**document, "search": None}, origin="test").search is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "nowhere"}, "search.task: there is no task 'nowhere' in `tasks`"),
        ({"methods": ["short", "long"]}, "search.methods: there is no row 'long'"),
        ({"methods": ["short_twice"]}, "search.methods: row 'short_twice' does not apply to viper2city"),
        ({"methods": ["narrow"]}, "search.methods: row 'narrow' has no plan `kind: shortcut`"),
        ({"methods": []}, "field search.methods"),
        ({"intervals": [0]}, "field search.intervals.0"),
        ({"budgets": [0.5]}, "field search.budgets.0"),
        ({"intervals": [], "budgets": []}, "field search: give `intervals` or `budgets`"),
    ],
)
def test_mistakes_of_a_search_are_named(change, message, tmp_path):
    with pytest.raises(SlimvidError, match=message):
        _with_rows(tmp_path, search={**SEARCH, **change})


INF, NAN = float("inf"), float("nan")
SMALL = {"source": "video", "path": "film.mp4", "height": 32, "width": 48}


def changed(tmp_path, change):
    (tmp_path / "over.yaml").write_text(yaml.safe_dump(change))
    return config.load(FOLDER / "smoke.yaml", tmp_path / "over.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            ({name: ["a"]}, f"field {name}: Input should be a valid dictionary")
            for name in ("tasks", "teacher_of")
        ),
        *(({name: ["a"]}, f"field {name}: Input should be") for name in ("methods", "variants", "papers")),
        *(
            ({name: [1]}, f"field {name}: Input should be")
            for name in ("teachers", "measure", "table1", "search")
        ),
        ({"variants": None}, "field variants: Input should be"),
        ({"methods": {"uniform": 5}, "variants": {"x": {"of": "uniform"}}}, "variants.x.of"),
        ({"teacher_of": {"pose2body": 3}}, "field teacher_of.pose2body"),
        ({"seeds": [-1]}, "field seeds.0: Input should be greater"),
        ({"seeds": [2**32]}, "field seeds.0: Input should be less"),
        ({"seeds": [True]}, "field seeds: is true or false"),
        ({"seeds": [0, 1, 0]}, "field seeds: 0 stands there twice"),
        ({"seeds": 0}, "field seeds: Input should be a valid tuple"),
        ({"table1": {"tasks": ["pose2body"] * 2}}, "field table1.tasks: 'pose2body' stands there twice"),
        ({"table1": {"methods": ["uniform"] * 2}}, "field table1.methods: 'uniform' stands there twice"),
        (
            {"papers": {"p": {"t": {"tasks": ["pose2body"] * 2, "methods": ["uniform"]}}}},
            "papers.p.t.tasks: ",
        ),
        ({"search": {"intervals": [2, 2]}}, "field search.intervals: 2 stands there twice"),
        (
            {"methods": {"uniform": {"teachers": ["vid2vid"] * 2}}},
            "methods.uniform.teachers: 'vid2vid'",
        ),
        ({"threads": True}, "field threads: is true or false"),
        ({"threads": 1.5}, "field threads: Input should be a valid integer"),
        ({"device": "gpu"}, "field device: String should match"),
        (
            {"teachers": {"vid2vid": {"foreground": "yes"}}},
            "field teachers.vid2vid.foreground: give true or false",
        ),
        *(
            ({"teachers": {"vid2vid": {"lr": value}}}, "field teachers.vid2vid.lr: ")
            for value in (INF, NAN, -1, "fast")
        ),
        *(({"measure": {"bootstrap": value}}, "field measure.bootstrap: ") for value in (-1, NAN)),
        (
            {"teachers": {"recyclegan": {"iterations": 1, "lambda_cycle": [1, INF]}}},
            "field teachers.recyclegan.lambda_cycle.1: ",
        ),
        ({"teachers": {"vid2vid": {"vgg": ""}}}, "field teachers.vid2vid.vgg: is empty"),
        (
            {"papers": {"measures": {"t": {"tasks": ["pose2body"], "methods": ["uniform"]}}}},
            "papers.meas",
        ),
        ({"tasks": {"vid2vid": {**SMALL}}}, "tasks.vid2vid: is the name of a kind of original"),
        *(({"tasks": {"x": {**SMALL, "fps": value}}}, "tasks.x.fps: ") for value in (INF, 0, -3)),
        ({"tasks": {"x": {**SMALL, "canny": [300, -5]}}}, "field tasks.x.canny.1: Input should be greater"),
        ({"tasks": {"x": {**SMALL, "canny": [300, 100]}}}, "field tasks.x: canny must be"),
        ({"tasks": {"x": {**SMALL, "path": " "}}}, "field tasks.x.path: is empty"),
        (
            {"tasks": {"x": {**SMALL, "labels": "d", "label_names": ["a", "a"]}}},
            "label_names: 'a' stands",
        ),
    ],
)
def test_wrong_shapes_and_numbers_are_named(change, message, tmp_path):
    with pytest.raises(SlimvidError, match=message) as error:
        changed(tmp_path, change)
    assert "\n" not in str(error.value)


WORLD = {"source": "world", "height": 32, "width": 32}
VIPER = {"translation": "game2label"}


@pytest.mark.parametrize(
    ("task", "key", "value"),
    [
        *(({"source": "cityscapes"}, k, "/nowhere") for k in ("labels", "poses", "landmarks", "path_target")),
        *(({"source": s}, "world", "face") for s in ("cityscapes", "camvid", "face", "pose", "video")),
        *(({"source": s}, "seed", 3) for s in ("cityscapes", "camvid", "face", "pose", "video")),
        *(({"source": s}, "canny", [1, 2]) for s in ("cityscapes", "camvid", "pose")),
        *(({"source": s}, "label_names", ["a"]) for s in ("cityscapes", "video", "face")),
        *(({"source": s}, "foreground", ["a"]) for s in ("video", "face", "pose")),
        *(({"source": s}, "instances", False) for s in ("video", "face", "camvid")),
        *(({"source": s}, "train_clips", 2) for s in ("video", "cityscapes")),
        *(({"source": s}, "translation", "game2label") for s in ("video", "cityscapes")),
        ({"source": "video"}, "distance_maps", True),
        ({"source": "viper", **VIPER}, "path_target", "/nowhere"),
        ({**WORLD, "world": "body"}, "canny", [1, 2]),
        ({**WORLD, "world": "aerial", "stills": True}, "canny", [1, 2]),
        ({**WORLD, "world": "face"}, "translation", "game2label"),
        *(({**WORLD, "world": "city"}, k, v) for k, v in (("path", "a"), ("stride", 2))),
    ],
)
def test_a_key_that_a_task_does_not_read_is_refused(task, key, value, tmp_path):
    rest = {} if task["source"] == "world" else {"path": "somewhere"}
    whole = {"height": 32, "width": 48, **rest, **task}
    assert changed(tmp_path, {"tasks": {"x": whole}}).tasks["x"].source == task["source"]
    with pytest.raises(SlimvidError, match=f"field tasks.x: `{key}:`"):
        changed(tmp_path, {"tasks": {"x": {**whole, key: value}}})


def test_every_key_of_a_task_is_in_the_table_or_read_by_all():
    from slimvid.settings import PLAN_READS, TASK_READS, PlanSettings, TaskSettings

    always = {"source", "teacher", "height", "width", "fps", "clip_frames", "path_target"}
    listed = {name for _, _, names in TASK_READS for name in names}
    assert listed | always == set(TaskSettings.model_fields) and not listed & always
    plans = {name for names in PLAN_READS.values() for name in names}
    assert plans | {"kind"} == set(PlanSettings.model_fields)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"kind": "every_frame", "window": 5}, "window belongs to the plan `kind: keyframes`"),
        ({"kind": "keyframes", "max_interval": 3}, "max_interval belongs to the plan `kind: shortcut`"),
        (
            {"kind": "shortcut", "max_interval": 3, "timing": "official"},
            "timing belongs to",
        ),
    ],
)
def test_a_key_of_another_plan_is_refused(plan, message, tmp_path):
    with pytest.raises(SlimvidError, match=f"field methods.x.plan: {message}"):
        changed(tmp_path, {"methods": {"x": {"method": "uniform", "plan": plan}}})


def test_the_trainings_that_made_a_row_are_its_own_and_those_below_but_the_originals() -> None:
    demo = config.load(FOLDER / "demo.yaml")
    assert demo.trained("shortcut_adaptive") == ["shortcut_adaptive", "shortcut"]
    assert demo.trained("shortcut_on_uniform") == ["shortcut_on_uniform", "uniform"]
    assert demo.trained("held") == ["held"] and demo.trained("original") == ["original"]


def test_tables_at_the_papers_sizes_say_why_their_schedules_differ() -> None:
    paper = config.load(FOLDER / "paper.yaml")
    for name, table in paper.tables.items():
        for task in table.tasks:
            found = {
                _schedule(paper, task, m) for m in table.methods if m != "original" and paper.applies(task, m)
            }
            assert len(found - {None}) < 2 or table.unequal, (name, task)


def _schedule(paper, task: str, method: str):
    row = paper.row(task, method)
    if not head(row.method).TRAIN:
        return None
    merged = {**paper.teacher_settings(task).model_dump(), **row.options.get("train", {})}
    return merged["iterations"], merged["batch"]
