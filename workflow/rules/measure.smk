rule train_evaluator:
    input:
        **paths.prepared_files("{task}", "train"),
    output:
        **paths.evaluator_files("{task}"),
    log:
        paths.log("train_evaluator", "{task}"),
    benchmark:
        paths.benchmark("train_evaluator", "{task}")
    priority: task_by_task()
    retries: 1
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=3000,
        gpu=GPU,
    params:
        config=config_file,
        root=root,
        reads=EVALUATOR_READS,
    message:
        "Training the evaluator of {wildcards.task}"
    shell:
        'cd {params.root:q} && slimvid train-evaluator {wildcards.task} --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule measure_real:
    """What the true test frames measure: the evaluator itself has never seen them."""
    input:
        **paths.prepared_files("{task}", "test"),
        **paths.evaluator_files("{task}"),
    output:
        **paths.real_files("{task}"),
    log:
        paths.log("measure_real", "{task}"),
    benchmark:
        paths.benchmark("measure_real", "{task}")
    priority: task_by_task()
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=3000,
    params:
        config=config_file,
        root=root,
        reads=EVALUATOR_READS,
    message:
        "Measuring the true test frames of {wildcards.task}"
    shell:
        'cd {params.root:q} && slimvid measure-real {wildcards.task} --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule measure_latency:
    input:
        **paths.prepared_files("{task}", "test"),
        **paths.artifact_files("{task}", "{method}", "{seed}"),
        original=list(paths.artifact_files("{task}", "original", "{seed}").values()),
        clocks=trained_files("clock"),
    output:
        measures=paths.measure("{task}", "{method}", "{seed}", "latency"),
    log:
        paths.log("measure_latency", "{task}", "{method}", "{seed}"),
    benchmark:
        paths.benchmark("measure_latency", "{task}", "{method}", "{seed}")
    priority: task_by_task()
    retries: 0
    conda:
        "../../environment.yml"
    threads: CORES  # all of them, so that nothing runs beside it
    resources:
        mem_mb=2000,
        gpu=GPU,
        bench=1,
    params:
        config=config_file,
        root=root,
        reads=latency_reads,
    message:
        "Timing {wildcards.method} on {wildcards.task}, seed {wildcards.seed}"
    shell:
        "cd {params.root:q} && slimvid measure-latency {wildcards.task} {wildcards.method} {wildcards.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule measure:
    """Cost and quality of a row, in one process: either alone would mostly import."""
    input:
        **paths.prepared_files("{task}", "test"),
        **paths.evaluator_files("{task}"),
        **paths.real_files("{task}"),
        **paths.artifact_files("{task}", "{method}", "{seed}"),
        budgets=trained_files("budget"),
        drawn=drawn_input,
        frames=paths.frames("{task}", "{method}", "{seed}"),
    output:
        cost=paths.measure("{task}", "{method}", "{seed}", "cost"),
        quality=paths.measure("{task}", "{method}", "{seed}", "quality"),
    log:
        paths.log("measure", "{task}", "{method}", "{seed}"),
    benchmark:
        paths.benchmark("measure", "{task}", "{method}", "{seed}")
    priority: task_by_task()
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=3000,
    params:
        config=config_file,
        root=root,
        reads=measure_reads,
    message:
        "Measuring {wildcards.method} on {wildcards.task}, seed {wildcards.seed}"
    shell:
        "cd {params.root:q} && slimvid measure {wildcards.task} {wildcards.method} {wildcards.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'
