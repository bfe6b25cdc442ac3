"""What a measure says of how it was taken: units, networks, samples; shared by rows and the search."""

from typing import Any

from slimvid.data.store import PreparedTask
from slimvid.measure.distances import DISTANCES, FRAMES, VIDEO
from slimvid.measure.evaluator import Evaluator
from slimvid.measure.label_scores import SCORES

UNITS = {
    FRAMES: "Fréchet distance / d of EfficientNet-Lite0's cells of single frames; lower is better",
    VIDEO: "Fréchet distance / d of EfficientNet-Lite0's cells of three frames, their changes and colours; "
    "lower is better",
    "frame_kernel_lite0": "unbiased squared MMD of the same samples, cubic kernel; around 0 for equal sets",
    "perceptual_st_lpips": "shift-tolerant LPIPS (AlexNet) to the true frame, mean over frames; lower is "
    "better (perceptual_st_lpips_floor: a true frame to the one before it)",
    "temporal_perceptual_st_lpips": "difference between shift-tolerant LPIPS of two neighbours and of the "
    "true ones, mean; lower is better",
    "psnr": "dB, mean over frames",
    "ssim": "Gaussian window 11, sigma 1.5, mean over RGB",
    "warp_error": "grey levels, RMS along the true motion (warp_error_real: the truth itself)",
    "sharpness_ratio": "Laplacian energy over the truth's; 1 is as sharp",
    "temporal_difference_ratio": "frame-to-frame change over the truth's; below 1 frozen, above 1 jittery",
    "flicker": "grey levels of brightness change that the truth does not make",
    **{f"{score}_unsup_eval": "%, as Unsupervised RecycleGAN's release counts" for score in SCORES},
    **{f"{score}_fixed": "%, mean over the classes that occur" for score in SCORES},
    "miou_seg": "%, head on EfficientNet-Lite0, trained on the task (miou_seg_ceiling: true frames)",
    "pose_error": "pixels between key-points found in generated and true frames, in-pipeline finder "
    "(pose_error_floor: found in true frames against the truth; pose_error_height: share of the height)",
}


def judged_data(judge: Evaluator, task: PreparedTask) -> dict[str, Any]:
    """What a protocol says of the judge and the frames that it knows."""
    return {
        "evaluator": judge.identity,
        "data": task.meta.source,
        "data_sha256": judge.document["data"],
        "height": task.meta.height,
        "width": task.meta.width,
    }


def judged_samples(judge: Evaluator, count: dict[str, int]) -> dict[str, Any]:
    """What a protocol says of the distances, which have ``count`` samples, and of the pairs of frames."""
    made = judge.document["protocol"]
    shared = {
        "network": "EfficientNet-Lite0",
        "weights_sha256": made["lite0_sha256"],
        "d": made["dimensions"],
    }
    found: dict[str, Any] = {
        name: {**shared, "n": count[name], "d": made["dimensions"], "frames": each.span, "cell": made["cell"]}
        for name, each in DISTANCES.items()
        if name in count
    }
    runs, run = made["perceptual_runs"]
    return {
        **found,
        "perceptual_st_lpips": {
            "network": "shift-tolerant LPIPS, AlexNet",
            "weights_sha256": made["st_lpips_sha256"],
            "clips_of_more_than": f"{runs * run} frames: {runs} runs of {run} frames",
        },
    }
