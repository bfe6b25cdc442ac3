rule compress:
    input:
        **paths.prepared_files("{task}", "train"),
        below=below_input,
        given=method_input,
        code=method_code,
    output:
        **paths.training_files("{task}", "{method}", "{seed}"),
    log:
        paths.log("compress", "{task}", "{method}", "{seed}"),
    benchmark:
        paths.benchmark("compress", "{task}", "{method}", "{seed}")
    wildcard_constraints:
        method=any_of(SETTINGS.methods),
    priority: task_by_task(10)
    retries: 1  # it resumes from checkpoints/.../state, which is nobody's output
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=4000,
        gpu=GPU,
    params:
        config=config_file,
        root=root,
        reads=method_reads,
    message:
        "Compressing {wildcards.task} by {wildcards.method}, seed {wildcards.seed}"
    shell:
        "cd {params.root:q} && slimvid compress {wildcards.task} {wildcards.method} {wildcards.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'
