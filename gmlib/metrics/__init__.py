"""What a model is worth: evidence, sample quality, modes, tests, comparisons.

The distances are functions of samples or of their features, computed in float64 on
the CPU. Features and class probabilities come from a `Judge`, which together with
the evidence runs on the device.
"""

from gmlib.metrics.choices import forced_choice
from gmlib.metrics.classified import classifier_accuracy
from gmlib.metrics.clusters import clustered_mean
from gmlib.metrics.colours import chroma, chroma_share, colour_features
from gmlib.metrics.comparisons import (
    paired_difference,
    rank_correlation,
    separation_by_chance,
)
from gmlib.metrics.drawings import Reading, read_shapes
from gmlib.metrics.evidence import annealed_log_evidence, log_evidence, summit
from gmlib.metrics.extrapolated import frechet_bias, frechet_limit
from gmlib.metrics.futures import Nearest, best_of, gradient_energy, nearest_future
from gmlib.metrics.jets import (
    Observables,
    detected,
    jet_mass,
    jet_momentum,
    jet_observables,
    pixel_places,
    subjettiness,
)
from gmlib.metrics.judges import ImageJudge, Judge, judge, judge_network
from gmlib.metrics.kernels import kernel_distance
from gmlib.metrics.melodies import (
    MelodyScores,
    continued,
    listener_accuracy,
    melody_scores,
)
from gmlib.metrics.mode_counts import ModeCount, StackedCount, modes, stacked_modes
from gmlib.metrics.neighbours import copying_test, precision_recall
from gmlib.metrics.pairs import retrieval
from gmlib.metrics.quality import density_coverage, frechet_distance, inception_score
from gmlib.metrics.restored import block_coefficients, block_distance, luma, psnr
from gmlib.metrics.slices import (
    laplacian_pyramid,
    patch_distances,
    patches,
    sliced_wasserstein,
)
from gmlib.metrics.two_samples import two_sample_test

__all__ = [
    "ImageJudge",
    "Judge",
    "MelodyScores",
    "ModeCount",
    "Nearest",
    "Observables",
    "Reading",
    "StackedCount",
    "annealed_log_evidence",
    "best_of",
    "block_coefficients",
    "block_distance",
    "chroma",
    "chroma_share",
    "classifier_accuracy",
    "clustered_mean",
    "colour_features",
    "continued",
    "copying_test",
    "density_coverage",
    "detected",
    "forced_choice",
    "frechet_bias",
    "frechet_distance",
    "frechet_limit",
    "gradient_energy",
    "inception_score",
    "jet_mass",
    "jet_momentum",
    "jet_observables",
    "judge",
    "judge_network",
    "kernel_distance",
    "laplacian_pyramid",
    "listener_accuracy",
    "log_evidence",
    "luma",
    "melody_scores",
    "modes",
    "nearest_future",
    "paired_difference",
    "patch_distances",
    "patches",
    "pixel_places",
    "precision_recall",
    "psnr",
    "rank_correlation",
    "read_shapes",
    "retrieval",
    "separation_by_chance",
    "sliced_wasserstein",
    "stacked_modes",
    "subjettiness",
    "summit",
    "two_sample_test",
]
