# The search over trained Shortcut blocks: one job, because its points share the data and the judge.
SEARCH = SETTINGS.search
SEARCHED = {  # artifacts of all rows, and of the original
    f"{row}_{name}": path
    for row in ("original", *(SEARCH.methods if SEARCH else ()))
    for name, path in paths.artifact_files("{task}", row, SETTINGS.seeds[0]).items()
}


rule search:
    input:
        **paths.prepared_files("{task}", "val"),
        **paths.evaluator_files("{task}"),
        **SEARCHED,
    output:
        json=paths.search("{task}")["json"],
        csv=paths.search("{task}")["csv"],
        md=paths.search("{task}")["md"],
        svg=report(
            paths.search("{task}")["svg"],
            caption="../report/search.rst",
            category="Search",
            labels={"task": "{task}"},
        ),
    log:
        paths.log("search", "{task}"),
    benchmark:
        paths.benchmark("search", "{task}")
    wildcard_constraints:
        task=any_of([SEARCH.task] if SEARCH else []),
    retries: 0
    conda:
        "../../environment.yml"
    threads: SLOTS
    resources:
        mem_mb=3000,
        gpu=GPU,
    params:
        config=config_file,
        root=root,
        seed=SETTINGS.seeds[0],
        reads={
            **EVALUATOR_READS,
            **(SEARCH.model_dump(mode="json") if SEARCH else {}),
        },
    message:
        "Searching width, dependence and interval on {wildcards.task}"
    shell:
        "cd {params.root:q} && slimvid search {wildcards.task} {params.seed}"
        ' --config {params.config:q} --log "$OLDPWD"/{log:q}'
