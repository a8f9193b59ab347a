#!/usr/bin/env python3
"""make_golden_decoder.py -- writes tests/golden/decoder.safetensors, for tests/models/test_golden_decoder.c.

    python3 tools/make_golden_decoder.py tests/golden

What the PyPI package diffusers computes for Karlo's decoder: the UNet2DConditionModel and the UnCLIPTextProjModel of its
UnCLIPPipeline, in Karlo's configuration but for sizes, with random weights, which the file holds under the program's
names.  Of two pictures the second has no image embedding, and some of each caption's positions are not seen.  Needed
only to make the file again: torch, numpy, diffusers.
SPDX-License-Identifier: MIT
"""
import re
import sys

import torch
from diffusers import UNet2DConditionModel
try:
    from diffusers.pipelines.unclip.text_proj import UnCLIPTextProjModel
except ImportError:  # later versions
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel

from make_golden import channels_last, write

EMBEDDING, TEXT, WIDTH, TOKENS, CHANNELS, SIDE = 6, 5, 8, 4, 4, 8


def models():
    net = UNet2DConditionModel(
        sample_size=SIDE, in_channels=3, out_channels=6, layers_per_block=2, block_out_channels=(CHANNELS, 2 * CHANNELS),
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), act_fn="silu", norm_num_groups=2, norm_eps=1e-5,
        cross_attention_dim=WIDTH, attention_head_dim=4, class_embed_type="identity", resnet_time_scale_shift="scale_shift",
        only_cross_attention=False, flip_sin_to_cos=True, freq_shift=0)
    text = UnCLIPTextProjModel(clip_extra_context_tokens=TOKENS, clip_embeddings_dim=EMBEDDING, time_embed_dim=4 * CHANNELS,
                               cross_attention_dim=WIDTH)
    for p in [*net.parameters(), *text.parameters()]:
        torch.nn.init.normal_(p, std=0.3)
    for n, p in [*net.named_parameters(), *text.named_parameters()]:
        if "norm" in n and n.endswith("weight"):
            torch.nn.init.normal_(p, mean=1, std=0.2)
    return net.double().eval(), text.double().eval()


RESNET = {"norm1": "norm1", "conv1": "conv1", "time_emb_proj": "time", "norm2": "norm2", "conv2": "conv2", "conv_shortcut": "skip"}
ATTENTION = {"group_norm": "norm3", "to_q": "attention.query", "to_k": "attention.key", "to_v": "attention.value",
             "add_k_proj": "attention.context_key", "add_v_proj": "attention.context_value", "to_out.0": "attention.output"}
OTHER = {"time_embedding.linear_1": "time1", "time_embedding.linear_2": "time2", "conv_in": "in", "conv_norm_out": "norm",
         "conv_out": "out"}
CONDITION = {"embedding_proj": "caption_time", "clip_image_embeddings_project_to_time_embeddings": "time",
             "encoder_hidden_states_proj": "states", "text_encoder_hidden_states_norm": "states_norm",
             "clip_extra_context_tokens_proj": "tokens"}


def ours(name, levels):
    """A parameter of the U-Net under the program's name."""
    stem, last = name.rsplit(".", 1)
    if stem in OTHER:
        scope, part = "", OTHER[stem]
    else:
        m = re.fullmatch(r"(down_blocks|up_blocks|mid_block)\.?(\d*)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", stem)
        where, level, what, number, part = m.groups()
        part = (ATTENTION if what == "attentions" else RESNET)[part]
        if where == "mid_block":
            scope = f"middle{int(number) + 1}."
        else:
            way = "down" if where == "down_blocks" else "up"
            level = int(level) + 1 if way == "down" else levels - int(level)
            scope = f"{way}{level}." + {"downsamplers": "halve.", "upsamplers": "double."}.get(what, f"block{int(number) + 1}.")
    return "unet." + scope + part + "." + ("gain" if last == "weight" and "norm" in part else last)


def main(folder):
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float32)
    net, text = models()
    for p in [*net.parameters(), *text.parameters()]:
        p.data = p.data.float().double()

    def normal(*shape):
        return torch.randn(*shape).double()

    x, time, image = normal(2, 3, SIDE, SIDE), torch.tensor([37.0, 912.0]).double(), normal(2, EMBEDDING)
    caption, states, seen = normal(2, EMBEDDING), normal(2, TEXT, EMBEDDING), torch.tensor([2, TEXT])
    given = image.clone()
    given[1] = text.learned_classifier_free_guidance_embeddings
    with torch.no_grad():
        context, added = text(image_embeddings=given, prompt_embeds=caption, text_encoder_hidden_states=states,
                              do_classifier_free_guidance=False)
        shown = torch.cat([torch.ones(2, TOKENS, dtype=torch.bool), torch.arange(TEXT) < seen[:, None]], 1)
        out = net(sample=x, timestep=time, encoder_hidden_states=context, class_labels=added, attention_mask=shown).sample
    file = {ours(n, 2): channels_last(p.detach(), weight=True) for n, p in net.named_parameters()}
    for n, p in text.named_parameters():
        if n == "learned_classifier_free_guidance_embeddings":
            file["condition.nothing"] = p
            continue
        stem, last = n.rsplit(".", 1)
        value = p.detach()
        if stem == "clip_extra_context_tokens_proj":  # its rows are [width, tokens], the program's [tokens, width]
            value = value.unflatten(0, (WIDTH, TOKENS)).transpose(0, 1).flatten(0, 1)
        file["condition." + CONDITION[stem] + "." + ("gain" if last == "weight" and "norm" in stem else last)] = value
    root = EMBEDDING ** 0.5  # by which the program multiplies embeddings of length 1
    file |= {"in.x": x.permute(0, 2, 3, 1), "in.time": time, "in.embedding": image / root, "in.keep": torch.tensor([[1.0], [0.0]]),
             "in.states": states, "in.valid": (seen + TOKENS).int(), "in.caption": caption / root, "out.said": out.permute(0, 2, 3, 1)}
    write(folder + "/decoder.safetensors", file)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_golden_decoder.py FOLDER")
    main(sys.argv[1])
