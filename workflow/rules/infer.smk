rule select_keyframes:
    input:
        **paths.prepared_files("{task}", "test"),
    output:
        keyframes=paths.keyframes("{task}", "{method}"),
    log:
        paths.log("select_keyframes", "{task}", "{method}"),
    benchmark:
        paths.benchmark("select_keyframes", "{task}", "{method}")
    wildcard_constraints:
        method=any_of(KEYFRAME_METHODS),
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
        reads=plan_reads,
    message:
        "Choosing key-frames of {wildcards.task} for {wildcards.method}"
    shell:
        "cd {params.root:q} && slimvid select-keyframes {wildcards.task} {wildcards.method}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'


rule translate:
    input:
        **paths.prepared_files("{task}", "test"),
        **paths.artifact_files("{task}", "{method}", "{seed}"),
        keyframes=keyframes_input,
    output:
        frames=paths.frames("{task}", "{method}", "{seed}"),
        drawn=paths.drawn_in_full("{task}", "{method}", "{seed}"),
    log:
        paths.log("translate", "{task}", "{method}", "{seed}"),
    benchmark:
        paths.benchmark("translate", "{task}", "{method}", "{seed}")
    priority: task_by_task()
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
        reads=translation_reads,
    message:
        "Translating {wildcards.task} with {wildcards.method}, seed {wildcards.seed}"
    shell:
        "cd {params.root:q} && slimvid translate {wildcards.task} {wildcards.method} {wildcards.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'
