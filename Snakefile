# From prepared data to results/table1.csv; the rule files stand in the order in which data flows.
from snakemake.utils import min_version

min_version("9.27")  # priorities that are functions


if not workflow.overwrite_configfiles:  # a profile given with --configfile stands alone

    configfile: f"{workflow.basedir}/config/demo.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/teachers.smk"
include: "workflow/rules/compress.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        paths.TABLE1_CSV,
        paths.TABLE1_MD,
        paths.REPORT,


rule shortcut_v2v:
    """The tables, figures and pictures of that paper, and the search."""
    input:
        paper_results("shortcut_v2v"),
        SHORTCUT_V2V,
