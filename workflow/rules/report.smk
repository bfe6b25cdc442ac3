rule strip:
    input:
        **paths.prepared_files("{task}", "test"),
        frames=strip_frames,
        drawn=strip_drawn,
    output:
        strip=report(
            paths.strip("{task}"),
            caption="../report/strip.rst",
            category="Strips",
            labels={"task": "{task}"},
        ),
    log:
        paths.log("strip", "{task}"),
    benchmark:
        paths.benchmark("strip", "{task}")
    priority: task_by_task()
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        table=table_name,
        reads=strip_rows,
    message:
        "Drawing the strip of {wildcards.task} in {params.table}"
    shell:
        "cd {params.root:q} && slimvid strip {wildcards.task} --table {params.table:q}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


use rule strip as paper_strip with:
    output:
        strip=report(
            paths.strip("{task}", "{paper}/{table}"),
            caption="../report/strip.rst",
            category="Strips",
            labels={"task": "{task}", "table": "{paper}/{table}"},
        ),
    log:
        paths.log("paper_strip", "{paper}", "{table}", "{task}"),
    benchmark:
        paths.benchmark("paper_strip", "{paper}", "{table}", "{task}")
    wildcard_constraints:
        paper=any_of(SETTINGS.papers),
        table=any_of(PAPER_TABLES),


rule offsets:
    """Figure 4 of Shortcut-V2V."""
    input:
        **paths.prepared_files("{task}", "test"),
        artifact=offsets_artifact,
    output:
        picture=report(
            paths.offsets("{task}"),
            caption="../report/offsets.rst",
            category="Offsets",
            labels={"task": "{task}"},
        ),
    log:
        paths.log("offsets", "{task}"),
    benchmark:
        paths.benchmark("offsets", "{task}")
    wildcard_constraints:
        task=any_of(OFFSETS),
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=2000,
        gpu=GPU,
    params:
        config=config_file,
        root=root,
        method=lambda wildcards: OFFSETS[wildcards.task],
        seed=SETTINGS.seeds[0],
    message:
        "Drawing offsets and masks of {wildcards.task}"
    shell:
        "cd {params.root:q} && slimvid offsets {wildcards.task} {params.method} {params.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule track:
    """The one writer of MLflow's store."""
    input:
        measures=TABLE_MEASURES,
        strips=TABLE_STRIPS,
        frames=TABLE_FRAMES,
    output:
        record=paths.MLFLOW_RECORD,
    log:
        paths.log("track", "table1"),
    benchmark:
        paths.benchmark("track", "table1")
    retries: 1
    localrule: True
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        table=table_name,
        reads=TABLE_READS,
    message:
        "Logging the runs of {params.table} to MLflow"
    shell:
        "cd {params.root:q} && slimvid track --table {params.table:q}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


use rule track as track_paper with:
    input:
        **paths.table("{paper}/{table}"),
        measures=paper_measures,
        strips=paper_strips,
        frames=track_frames,
    output:
        record=paths.mlflow_record("{paper}/{table}"),
    log:
        paths.log("track_paper", "{paper}", "{table}"),
    benchmark:
        paths.benchmark("track_paper", "{paper}", "{table}")
    wildcard_constraints:
        paper=any_of(SETTINGS.papers),
        table=any_of(PAPER_TABLES),
    params:
        config=config_file,
        root=root,
        table=table_name,
        reads=paper_reads,


rule table:
    input:
        measures=TABLE_MEASURES,
        strips=TABLE_STRIPS,
        record=paths.MLFLOW_RECORD,
    output:
        csv=report(paths.TABLE1_CSV, caption="../report/table1.rst", category="Tables"),
        md=paths.TABLE1_MD,
    log:
        paths.log("table", "table1"),
    benchmark:
        paths.benchmark("table", "table1")
    retries: 0
    localrule: True
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        reads=TABLE_READS,
    message:
        "Writing table 1"
    shell:
        'cd {params.root:q} && slimvid table --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule paper_table:
    """A table of another paper; `paper_figure` also draws its plot."""
    input:
        measures=paper_measures,
        strips=paper_strips,
    output:
        csv=report(
            paths.table("{paper}/{table}")["csv"],
            caption="../report/paper_table.rst",
            category="Tables",
            labels={"table": "{paper}/{table}"},
        ),
        md=paths.table("{paper}/{table}")["md"],
    log:
        paths.log("paper_table", "{paper}", "{table}"),
    benchmark:
        paths.benchmark("paper_table", "{paper}", "{table}")
    wildcard_constraints:
        paper=any_of(SETTINGS.papers),
        table=any_of(PAPER_TABLES - FIGURES),
    retries: 0
    localrule: True
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        reads=paper_reads,
    message:
        "Writing {wildcards.table} of {wildcards.paper}"
    shell:
        "cd {params.root:q} && slimvid paper-table {wildcards.paper} {wildcards.table}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


use rule paper_table as paper_figure with:
    output:
        **{
            kind: report(
                path,
                caption="../report/paper_table.rst",
                category="Tables",
                labels={"table": "{paper}/{table}", "as": kind},
            )
            for kind, path in paths.figure("{paper}/{table}").items()
        },
    log:
        paths.log("paper_figure", "{paper}", "{table}"),
    benchmark:
        paths.benchmark("paper_figure", "{paper}", "{table}")
    wildcard_constraints:
        paper=any_of(SETTINGS.papers),
        table=any_of(FIGURES),


# What lies in results/shortcut_v2v/ beside its tables and strips; `snakemake shortcut_v2v` makes it all.
SHORTCUT_V2V = [
    *OFFSET_PICTURES,
    *(paths.search(SEARCH.task).values() if SEARCH else ()),
]


rule report:
    input:
        csv=paths.TABLE1_CSV,
        strips=TABLE_STRIPS,
        measures=TABLE_MEASURES,
    output:
        html=paths.REPORT,
    log:
        paths.log("report", "report"),
    benchmark:
        paths.benchmark("report", "report")
    retries: 0
    localrule: True
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        reads=TABLE_READS,
    message:
        "Writing the report"
    shell:
        'cd {params.root:q} && slimvid report --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule cost_published:
    output:
        table=report(
            paths.COST_PUBLISHED, caption="../report/published.rst", category="Cost"
        ),
    log:
        paths.log("cost_published", "published"),
    benchmark:
        paths.benchmark("cost_published", "published")
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=2000,
    params:
        root=root,
    message:
        "Recounting the published costs"
    shell:
        'cd {params.root:q} && slimvid cost published --log "$OLDPWD"/{log:q}'
