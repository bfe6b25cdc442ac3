rule train_teacher:
    input:
        **paths.prepared_files("{task}", "train"),
        code=teacher_code,
    output:
        **paths.training_files("{task}", "original", "{seed}"),
    log:
        paths.log("train_teacher", "{task}", "{seed}"),
    benchmark:
        paths.benchmark("train_teacher", "{task}", "{seed}")
    priority: task_by_task(20)
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
        reads=teacher_reads,
    message:
        "Training the original of {wildcards.task}, seed {wildcards.seed}"
    shell:
        "cd {params.root:q} && slimvid train-teacher {wildcards.task} {wildcards.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'
