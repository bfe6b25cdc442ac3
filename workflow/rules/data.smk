rule prepare:
    output:
        **paths.prepared_files("{task}"),
    log:
        paths.log("prepare", "{task}"),
    benchmark:
        paths.benchmark("prepare", "{task}")
    priority: task_by_task()
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=2000,
    params:
        config=config_file,
        root=root,
        reads=task_reads,
    message:
        "Preparing {wildcards.task}"
    shell:
        'cd {params.root:q} && slimvid prepare {wildcards.task} --config {params.config:q} --log "$OLDPWD"/{log:q}'
