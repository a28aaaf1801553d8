"""The peer of `scripts/bench train`: PyTorch on one thread, the same shape, batch and optimiser.

    torch_train.py SHAPE    SHAPE is one JSON object: layers, dim, heads, ffn, vocab, context, batch, warm, steps;
                            prints one line of JSON: tokens trained per CPU-second of this process
"""

import json
import resource
import sys

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, dim, heads, ffn):
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.RMSNorm(dim, eps=1e-5)
        self.norm_2 = nn.RMSNorm(dim, eps=1e-5)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.gate_up = nn.Linear(dim, 2 * ffn, bias=False)
        self.down = nn.Linear(ffn, dim, bias=False)

    def forward(self, x, cos, sin):
        batch, length, dim = x.shape
        q, k, v = self.qkv(self.norm_1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = turned(q, cos, sin), turned(k, cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, dim))
        gate, up = self.gate_up(self.norm_2(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)


def turned(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        dim, width = shape["dim"], shape["dim"] // shape["heads"]
        self.embed = nn.Embedding(shape["vocab"], dim)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(dim, shape["heads"], shape["ffn"]) for _ in range(shape["layers"]))
        self.norm = nn.RMSNorm(dim, eps=1e-5)
        rates = 10000.0 ** (-torch.arange(0, width, 2) / width)
        angles = torch.outer(torch.arange(shape["context"]), rates)
        self.cos, self.sin = angles.cos(), angles.sin()

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return functional.linear(self.norm(x), self.embed.weight)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    shape = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    model = Llama(shape)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    tokens = torch.randint(shape["vocab"], (shape["batch"], shape["context"] + 1))

    def step():
        logits = model(tokens[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    for _ in range(shape["warm"]):
        step()
    before = cpu_seconds()
    for _ in range(shape["steps"]):
        step()
    seconds = cpu_seconds() - before
    parameters = sum(p.numel() for p in model.parameters())
    trained = shape["steps"] * shape["batch"] * shape["context"]
    print(json.dumps({"name": f"PyTorch {torch.__version__}", "parameters": parameters, "speed": trained / seconds}))


main()
