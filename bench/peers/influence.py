"""Scores of dattri, kronfluence and bergson on the models that `openledger-bench attribution` wrote into a folder.

For every folder influence_NAME (config.json, tokens.json, model_K.safetensors) rebuilds the model in PyTorch, refuses
when its logits differ from ours by more than 1e-3, and writes influence_NAME.METHOD.json for every method: one row a
question, one column a document, above 0 where the document helped.

dattri 0.3.0's own EK-FAC takes no sequences (its covariance reads a name that is set for two dimensions alone), so
EK-FAC is kronfluence's.
"""
import contextlib
import io
import json
import logging
import os
import pathlib
import shutil
import sys
import tempfile
import time
import types

# Read when the libraries are imported: no bars, nothing from the network, and no device but the CPU.
os.environ.update(TQDM_DISABLE="1", HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

LOGITS_TOLERANCE = 1e-3
DAMP = 0.1  # as a part of the mean, as in rivals.rs and ekfac.rs
PROJECTED = 4096


class Norm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        width = c["hidden_size"]
        self.heads = c["num_attention_heads"]
        self.kv_heads = c.get("num_key_value_heads") or self.heads
        self.size = width // self.heads
        self.theta = c["rope_theta"]
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, self.kv_heads * self.size, bias=False)
        self.v_proj = nn.Linear(width, self.kv_heads * self.size, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def rotate(self, x):
        half = self.size // 2
        rates = self.theta ** (-torch.arange(0, half, dtype=torch.float32) / half)
        angles = torch.outer(torch.arange(x.shape[-2], dtype=torch.float32), rates)
        cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * cos + turned * sin

    def forward(self, x):
        batch, length, width = x.shape

        def split(y, heads):
            return y.view(batch, length, heads, self.size).transpose(1, 2)

        q, k = self.rotate(split(self.q_proj(x), self.heads)), self.rotate(split(self.k_proj(x), self.kv_heads))
        v = split(self.v_proj(x), self.kv_heads)
        times = self.heads // self.kv_heads
        k, v = k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)
        scores = q @ k.transpose(-1, -2) / self.size**0.5
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(future, float("-inf")).softmax(-1)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, inner = c["hidden_size"], c["intermediate_size"]
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = Mlp(c)

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, tokens):
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Tied(nn.Module):
    """With the embedding for a head, as it was trained: for methods of whole gradients."""

    def __init__(self, c):
        super().__init__()
        self.model = Body(c)

    def forward(self, tokens):
        return F.linear(self.model(tokens), self.model.embed_tokens.weight)


class Untied(nn.Module):
    """With a head of its own that holds the embedding's values: for methods by layer."""

    def __init__(self, c):
        super().__init__()
        self.model = Body(c)
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)

    def forward(self, tokens):
        return self.lm_head(self.model(tokens))


def load(folder, number, kind):
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / f"model_{number}.safetensors")
    if not config["tie_word_embeddings"]:
        raise SystemExit("the bench's models have the embedding for a head; this one has not")
    model = kind(config)
    if kind is Untied:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    model.load_state_dict(weights)
    return model.eval()


class Lossy(nn.Module):
    """Gives the sum of the tokens' losses, in the form that dattri's hooks ask for."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, tokens, targets):
        logits = self.inner(tokens)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="sum")
        return types.SimpleNamespace(loss=loss)


def flat(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


class Peers:
    def __init__(self, folder):
        self.folder = folder
        given = json.loads((folder / "tokens.json").read_text())
        passages = {name: torch.tensor(given[name]) for name in ("documents", "queries")}
        self.passages, self.logits = passages, torch.tensor(given["logits"])
        model = load(folder, 0, Untied)
        difference = self.difference(model)
        if difference > LOGITS_TOLERANCE:
            raise SystemExit(f"{folder.name}: the logits in PyTorch differ from ours by {difference}")
        print(f"{folder.name}: logits differ by {difference:.1e} at most", file=sys.stderr)
        self.sets = {name: TensorDataset(p[:, :-1].contiguous(), p[:, 1:].contiguous()) for name, p in passages.items()}
        self.block = f"model.layers.{len(model.model.layers) - 1}."
        self.modules = [
            name
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and (name.startswith(self.block) or name == "lm_head")
        ]

    def difference(self, model):
        """How far the model's logits are from ours at most."""
        with torch.no_grad():
            logits = model(self.passages["queries"][:1, :-1])
        return (logits.flatten() - self.logits).abs().max().item()

    def loader(self, name, size=16):
        return DataLoader(self.sets[name], batch_size=size, shuffle=False)

    def task(self, kind, numbers):
        from dattri.task import AttributionTask

        model = load(self.folder, numbers[0], kind)

        def loss(params, data):
            tokens, targets = data
            # One sequence; DataInf hands it over as a batch of one.
            return flat(torch.func.functional_call(model, params, tokens.reshape(1, -1)), targets)

        states = [load(self.folder, number, kind).state_dict() for number in numbers]
        return AttributionTask(loss_func=loss, model=model, checkpoints=states), model

    def dattri_trak(self, numbers):
        from dattri.algorithm.trak import TRAKAttributor

        task, model = self.task(Tied, numbers)
        gradient = task.get_grad_loss_func(in_dims=(None, 0))
        parameters, _ = task.get_param(ckpt_idx=0)
        squares = [gradient(parameters, tuple(batch)).pow(2).sum(1) for batch in self.loader("documents")]
        count = sum(p.numel() for p in model.parameters() if p.requires_grad)
        regularization = DAMP * torch.cat(squares).mean().item() / count

        def probability(params, data):
            tokens, targets = data
            return torch.exp(-flat(torch.func.functional_call(model, params, tokens.unsqueeze(0)), targets))

        attributor = TRAKAttributor(
            task=task,
            correct_probability_func=probability,
            projector_kwargs={"proj_dim": PROJECTED, "proj_max_batch_size": 32, "proj_seed": 0, "device": "cpu"},
            regularization=regularization,
        )
        attributor.cache(self.loader("documents"))
        with torch.no_grad():
            return attributor.attribute(self.loader("queries")).T

    def dattri_trak1(self):
        return self.dattri_trak([0])

    def dattri_trak10(self):
        return self.dattri_trak(list(range(10)))

    def dattri_datainf(self):
        from dattri.algorithm.influence_function import IFAttributorDataInf

        task, _ = self.task(Untied, [0])
        names = [f"{name}.weight" for name in self.modules]
        # What is one batch to the loader is one sample to the library's curvature.
        attributor = IFAttributorDataInf(task=task, layer_name=names, regularization=DAMP)
        attributor.cache(self.loader("documents", 1))
        with torch.no_grad():
            return attributor.attribute(self.loader("documents"), self.loader("queries")).T

    def dattri_logra(self):
        from dattri.algorithm.logra import LoGraAttributor
        from dattri.task import AttributionTask

        def loss(model, batch, device):
            return model(**batch).loss

        model = Lossy(load(self.folder, 0, Untied))
        task = AttributionTask(loss_func=loss, model=model, checkpoints=model.state_dict())
        def loader(name):
            def named(rows):
                tokens, targets = zip(*rows)
                return {"tokens": torch.stack(tokens), "targets": torch.stack(targets)}

            return DataLoader(self.sets[name], batch_size=8, shuffle=False, collate_fn=named)

        # The library writes what it knows of its batches into a folder, by default the one it is called from.
        with tempfile.TemporaryDirectory() as folder:
            attributor = LoGraAttributor(
                task=task,
                layer_names=[f"inner.{name}" for name in self.modules],
                device="cpu",
                proj_dim=256,
                offload="cpu",
                cache_dir=folder,
            )
            attributor.cache(loader("documents"))
            return attributor.attribute(loader("documents"), loader("queries")).T

    def bergson_trackstar(self):
        """The library's own pipeline on Hugging Face's Llama: a projection of 16 x 16 for each of the layers it takes,
        which are all linear ones but the head, and gradients of length one, as in its examples. Without Adam's second
        moments, which are not kept. The curvature is the documents' alone, as the library advises for few questions of
        the same kind: its default mixes in that of the questions, of which there are fewer than a layer's 256 numbers.
        """
        # The newest torchaudio, which the library asks for and does not use, fails to load beside the newest PyTorch.
        sys.modules.setdefault("torchaudio", None)
        from bergson.cli.trackstar import trackstar
        from bergson.config.config import DataConfig, PreprocessConfig, QuerySetConfig
        from bergson.config.config import TrackstarConfig, TrackstarIndexConfig
        from bergson.data import load_scores
        from datasets import Dataset
        from tokenizers import Tokenizer, models
        from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

        logging.disable(logging.INFO)  # which the library turns on for all
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            model = f"{folder}/model"
            # The library takes no batch of more tokens than a text may have. Positions are rotations: none is added.
            config = json.loads((self.folder / "config.json").read_text()) | {"max_position_embeddings": 2048}
            # Asked for even where texts are tokens already.
            PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({}))).save_pretrained(model)
            pathlib.Path(model, "config.json").write_text(json.dumps(config))
            shutil.copy(self.folder / "model_0.safetensors", f"{model}/model.safetensors")
            llama = LlamaForCausalLM.from_pretrained(model)
            difference = self.difference(lambda tokens: llama(tokens).logits)
            if difference > LOGITS_TOLERANCE:
                raise ValueError(f"the logits of its Llama differ from ours by {difference}")
            for name, passages in self.passages.items():
                Dataset.from_dict({"input_ids": passages.tolist()}).save_to_disk(f"{folder}/{name}")
            trackstar(
                TrackstarIndexConfig(f"{folder}/run", model=model, data=DataConfig(f"{folder}/documents")),
                TrackstarConfig(
                    query=QuerySetConfig(f"{folder}/queries"),
                    preprocess_cfg=PreprocessConfig(unit_normalize=True),
                    mix_hessians=False,
                ),
            )
            return torch.tensor(load_scores(pathlib.Path(folder, "run/scores"))[:]).T

    def kronfluence(self, modules, **factors):
        from kronfluence.analyzer import Analyzer, prepare_model
        from kronfluence.arguments import FactorArguments, ScoreArguments
        from kronfluence.task import Task

        class Language(Task):
            def compute_train_loss(self, batch, model, sample=False):
                tokens, targets = batch
                logits = model(tokens)
                logits = logits.reshape(-1, logits.shape[-1])
                if sample:
                    with torch.no_grad():
                        targets = torch.multinomial(logits.softmax(-1), 1)
                return F.cross_entropy(logits, targets.reshape(-1), reduction="sum")

            def compute_measurement(self, batch, model):
                return self.compute_train_loss(batch, model)

            def get_influence_tracked_modules(self):
                return modules

        torch.manual_seed(0)
        task = Language()
        model = prepare_model(load(self.folder, 0, Untied), task)
        with tempfile.TemporaryDirectory() as folder:
            analyzer = Analyzer(
                analysis_name="bench",
                model=model,
                task=task,
                cpu=True,
                output_dir=folder,
                disable_tqdm=True,
                disable_model_save=True,
            )
            analyzer.fit_all_factors(
                factors_name="ekfac",
                dataset=self.sets["documents"],
                per_device_batch_size=16,
                factor_args=FactorArguments(strategy="ekfac", **factors),
            )
            analyzer.compute_pairwise_scores(
                scores_name="scores",
                factors_name="ekfac",
                query_dataset=self.sets["queries"],
                train_dataset=self.sets["documents"],
                per_device_query_batch_size=16,
                per_device_train_batch_size=16,
                # None stands for a tenth of the mean curvature of each layer, as elsewhere.
                score_args=ScoreArguments(damping_factor=None),
            )
            return analyzer.load_pairwise_scores("scores")["all_modules"]

    def kronfluence_ekfac(self):
        """The layers and the labels of ours, for parity."""
        return self.kronfluence(self.modules, use_empirical_fisher=True)

    def kronfluence_ekfac_all(self):
        """All linear layers, labels drawn from the model: what the library is meant for."""
        return self.kronfluence(None)


METHODS = [
    "kronfluence_ekfac",
    "kronfluence_ekfac_all",
    "dattri_trak1",
    "dattri_logra",
    "bergson_trackstar",
    "dattri_datainf",
    "dattri_trak10",
]


def main(folder, chosen):
    torch.set_num_threads(1)
    for path in sorted(pathlib.Path(folder).glob("influence_*/")):
        peers = None
        for method in chosen or METHODS:
            scores_file = path.with_name(f"{path.name}.{method}.json")
            if scores_file.exists():  # Of this model: the bench removes those of others.
                continue
            peers = peers or Peers(path)
            start = time.monotonic()
            try:
                scores = getattr(peers, method)()
            except Exception as error:  # One peer that fails is one column less.
                print(f"{path.name} {method} failed: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            rows = scores.detach().double().tolist()
            part = scores_file.with_suffix(".part")
            part.write_text(json.dumps(rows))
            part.rename(scores_file)
            print(f"{path.name} {method} {time.monotonic() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
