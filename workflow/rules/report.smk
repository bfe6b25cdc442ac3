rule strip:
    input:
        **paths.prepared_files("{task}"),
        frames=strip_frames,
        keyframes=strip_keyframes,
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
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=1000,
    params:
        config=config_file,
        root=root,
        reads=list(TABLE.methods),
    message:
        "Drawing the strip of {wildcards.task}"
    shell:
        'cd {params.root:q} && slimvid strip {wildcards.task} --config {params.config:q} --log "$OLDPWD"/{log:q}'


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
        reads=TABLE_READS,
    message:
        "Logging the runs of table 1 to MLflow"
    shell:
        'cd {params.root:q} && slimvid track --config {params.config:q} --log "$OLDPWD"/{log:q}'


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
