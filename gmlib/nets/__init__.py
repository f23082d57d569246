"""Small networks of the field, built on `runtime.device()`.

Every discriminator returns logits of shape (n,), but one of patches, which returns maps
of them. A network that was built for a shape says so when it is given another.
"""

from gmlib.nets.autoregressive import (
    MaskedConv2d,
    MaskedLinear,
    made,
    made_masks,
    pixel_cnn,
)
from gmlib.nets.bars import (
    BarDiscriminator,
    BarGenerator,
    NextNote,
    drawn,
    one_hot_bars,
    roll,
)
from gmlib.nets.basic import ACTIVATIONS, built_for, count, mlp, on_device
from gmlib.nets.blocks import GaussianNoise, MinibatchDiscrimination, VirtualBatchNorm
from gmlib.nets.dcgan import (
    conv_decoder,
    conv_encoder,
    dcgan_discriminator,
    dcgan_generator,
    dcgan_init,
    levels,
)
from gmlib.nets.growing import (
    EqualConv2d,
    EqualLinear,
    GrowingDiscriminator,
    GrowingGenerator,
    MinibatchDeviation,
    PixelNorm,
)
from gmlib.nets.local import LocallyConnected2d, lagan_features, lagan_generator
from gmlib.nets.motion import (
    Mover,
    Painter,
    Predictor,
    Wrap,
    torus_discriminator,
    torus_encoder,
)
from gmlib.nets.stages import SecondStage
from gmlib.nets.super_resolution import Beside, super_resolver
from gmlib.nets.translation import Around, patch_discriminator, receptive_field, unet
from gmlib.nets.translators import local_discriminator, residual_translator

__all__ = [
    "ACTIVATIONS",
    "Around",
    "BarDiscriminator",
    "BarGenerator",
    "Beside",
    "EqualConv2d",
    "EqualLinear",
    "GaussianNoise",
    "GrowingDiscriminator",
    "GrowingGenerator",
    "LocallyConnected2d",
    "MaskedConv2d",
    "MaskedLinear",
    "MinibatchDeviation",
    "MinibatchDiscrimination",
    "Mover",
    "NextNote",
    "Painter",
    "PixelNorm",
    "Predictor",
    "SecondStage",
    "VirtualBatchNorm",
    "Wrap",
    "built_for",
    "conv_decoder",
    "conv_encoder",
    "count",
    "dcgan_discriminator",
    "dcgan_generator",
    "dcgan_init",
    "drawn",
    "lagan_features",
    "lagan_generator",
    "levels",
    "local_discriminator",
    "made",
    "made_masks",
    "mlp",
    "on_device",
    "one_hot_bars",
    "patch_discriminator",
    "pixel_cnn",
    "receptive_field",
    "residual_translator",
    "roll",
    "super_resolver",
    "torus_discriminator",
    "torus_encoder",
    "unet",
]
