"""The peer of `scripts/bench engine`: llama.cpp, in the build that the package xllamacpp carries.

    llama_cpp.py make FILE      writes a model of random weights, 125M shape, Q8_0
    llama_cpp.py measure FILE   prints one line of JSON: tokens per CPU-second of this process, one thread
    llama_cpp.py cores FILE STREAMS THREADS
                                prints one line of JSON: tokens a second by the clock
"""

import json
import resource
import sys
import threading
import time

LAYERS, WIDTH, HEADS, FFN, VOCAB, CONTEXT = 12, 768, 12, 2048, 32000, 2048


def make(path):
    import gguf
    import numpy as np

    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("bench")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCAB)
    # Byte-level BPE with one merge: the bytes, a pair, then names that no text reaches.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other, letters = 0x100, []
    for byte in range(256):
        if byte in printable:
            letters.append(chr(byte))
        else:
            letters.append(chr(other))
            other += 1
    pair = letters[97] * 2
    tokens = ["<|end|>", *letters, pair]
    tokens += [letters[i % 256] + letters[i // 256] + letters[0] for i in range(VOCAB - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] + [1] * (VOCAB - 1))
    writer.add_token_merges([f"{letters[97]} {letters[97]}"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def matrix(name, rows, columns):
        values = rng.standard_normal((rows, columns), dtype=np.float32) / np.sqrt(columns)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def norm(name):
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    matrix("token_embd.weight", VOCAB, WIDTH)
    norm("output_norm.weight")
    for layer in range(LAYERS):
        part = f"blk.{layer}."
        norm(part + "attn_norm.weight")
        norm(part + "ffn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(part + name + ".weight", WIDTH, WIDTH)
        matrix(part + "ffn_gate.weight", FFN, WIDTH)
        matrix(part + "ffn_up.weight", FFN, WIDTH)
        matrix(part + "ffn_down.weight", WIDTH, FFN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def server(path, streams, threads):
    import xllamacpp as xlc

    params = xlc.CommonParams()
    params.model.path = path
    params.n_ctx = 2048 if streams == 1 else 256 * streams
    params.n_parallel = streams
    params.warmup = True
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_batch = 2048
    params.n_ubatch = 512
    params.endpoint_metrics = False
    return xlc.Server(params)


def name():
    import xllamacpp as xlc

    return f"llama.cpp in xllamacpp {xlc.__version__}"


def ask(target, tokens, written, seed):
    body = {
        "prompt": [(i * 7919 + seed * 31) % 4000 + 300 for i in range(tokens)],
        "n_predict": written,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "seed": seed,
        "ignore_eos": True,
        "cache_prompt": False,
    }
    return target.handle_completions(body)


def together(target, streams, written):
    running = [threading.Thread(target=ask, args=(target, 32, written, seed)) for seed in range(streams)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def measure(path):
    def cpu():
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def timed(work):
        before = cpu()
        work()
        return cpu() - before

    one = server(path, 1, 1)
    ask(one, 32, 4, 9)
    short = timed(lambda: ask(one, 256, 1, 1))
    whole = timed(lambda: ask(one, 256, 129, 1))
    figures = {
        "name": name(),
        "decode": 128 / (whole - short),
        "prefill_256": 256 / timed(lambda: ask(one, 256, 1, 2)),
        "prefill_1024": 1024 / timed(lambda: ask(one, 1024, 1, 3)),
    }
    del one

    many = server(path, 8, 1)
    ask(many, 32, 4, 9)
    short = timed(lambda: together(many, 8, 1))
    whole = timed(lambda: together(many, 8, 129))
    figures["streams"] = 8 * 128 / (whole - short)
    print(json.dumps(figures), flush=True)


def cores(path, streams, threads):
    streams = int(streams)
    target = server(path, streams, int(threads))

    def timed(written):
        started = time.monotonic()
        together(target, streams, written)
        return time.monotonic() - started

    timed(4)
    short = timed(1)
    whole = timed(129)
    print(json.dumps({"name": name(), "rate": streams * 128 / (whole - short)}), flush=True)


if __name__ == "__main__":
    {"make": make, "measure": measure, "cores": cores}[sys.argv[1]](*sys.argv[2:])
