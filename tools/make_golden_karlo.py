#!/usr/bin/env python3
"""make_golden_karlo.py -- writes tests/golden/upsampler_karlo.safetensors, for tests/models/test_golden_upsampler.c.

    python3 tools/make_golden_karlo.py tests/golden

What the PyPI package diffusers computes with the super-resolution network of its UnCLIPPipeline (Karlo's: UNet2DModel of
ResnetDownsampleBlock2D and ResnetUpsampleBlock2D without attention), small and with random weights, which are stored
under our names; and the small picture that it is given beside the noised one, enlarged as the pipeline does.  Needed
only to make the file again: diffusers, torch and numpy.
SPDX-License-Identifier: MIT
"""
import sys

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

from make_golden import channels_last, write

CHANNELS, MULT, DEPTH, GROUPS, SIDE, FROM = 4, (1, 2, 3), 1, 2, 16, 4


def network():
    torch.manual_seed(3)
    net = UNet2DModel(sample_size=SIDE, in_channels=6, out_channels=3, layers_per_block=DEPTH,
                      block_out_channels=[m * CHANNELS for m in MULT], add_attention=False, norm_num_groups=GROUPS,
                      down_block_types=["ResnetDownsampleBlock2D"] * len(MULT),
                      up_block_types=["ResnetUpsampleBlock2D"] * len(MULT), resnet_time_scale_shift="scale_shift")
    for p in net.parameters():
        torch.nn.init.normal_(p, 1.0 if p.dim() == 1 else 0.0, 0.2 if p.dim() == 1 else p[0].numel() ** -0.5)
    for name, p in net.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(p, 0.0, 0.2)
    return net.double().eval()


def block(theirs, ours):
    parts = {"norm1": "norm1", "conv1": "conv1", "time_emb_proj": "time", "norm2": "norm2", "conv2": "conv2",
             "conv_shortcut": "skip"}
    return {f"{theirs}.{a}.": f"{ours}.{b}." for a, b in parts.items()}


def names():
    """Beginnings of their names and of ours."""
    levels = len(MULT)
    found = {"time_embedding.linear_1.": "time1.", "time_embedding.linear_2.": "time2.", "conv_in.": "in.",
             "conv_norm_out.": "norm.", "conv_out.": "out."}
    for i in range(levels):
        for j in range(DEPTH + 1):
            found |= block(f"down_blocks.{i}.resnets.{j}", f"down{i + 1}.block{j + 1}")
            found |= block(f"up_blocks.{i}.resnets.{j}", f"up{levels - i}.block{j + 1}")
        found |= block(f"down_blocks.{i}.downsamplers.0", f"down{i + 1}.halve")
        found |= block(f"up_blocks.{i}.upsamplers.0", f"up{levels - i}.double")
    return found | block("mid_block.resnets.0", "middle1") | block("mid_block.resnets.1", "middle2")


def renamed(net):
    table = names()
    for name, value in net.state_dict().items():
        begin = max((b for b in table if name.startswith(b)), key=len)
        ours = "unet." + table[begin] + name[len(begin):]
        if ".norm" in ours:
            ours = ours.replace("weight", "gain")
        yield ours, channels_last(value, weight=True)


def main(folder):
    net = network()
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(2, 3, SIDE, SIDE, generator=generator).float().double()
    low = torch.rand(2, 3, FROM, FROM, generator=generator).float().double() * 2 - 1
    time = torch.tensor([17.0, 903.0])
    large = F.interpolate(low, size=[SIDE, SIDE], mode="bicubic", antialias=True)
    with torch.no_grad():
        out = net(torch.cat([x, large], 1), time).sample
    write(folder + "/upsampler_karlo.safetensors",
          {**dict(renamed(net)), "in.x": channels_last(x), "in.low": channels_last(low), "in.time": time,
           "out.large": channels_last(large), "out.said": channels_last(out)})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden_karlo.py FOLDER")
    main(sys.argv[1])
