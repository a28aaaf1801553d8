"""infini-gram (package infini-gram) on the words that `openledger-bench attribution` wrote into a folder.

Builds its index from tokenized.0 and offset.0 (16-bit tokens, one process), runs `attribute` on every answer of
answers.json, and writes found.json. It lists no span that occurs more than `max_cnt` times: times are taken with 1,
the least that it can be asked for, spans with a number that no span reaches.
"""
import argparse
import contextlib
import json
import pathlib
import statistics
import sys
import time

import infini_gram.indexing as indexing
from infini_gram.engine import InfiniGramEngine


def main(folder):
    folder = pathlib.Path(folder).resolve()
    table = folder / "table.0"
    table.unlink(missing_ok=True)
    tokens = (folder / "tokenized.0").stat().st_size // 2
    settings = argparse.Namespace(
        save_dir=str(folder), temp_dir=str(folder), worker_id=0, shards=1, workers=1, cpus=1, mem=4, token_width=2
    )
    since = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        indexing.build_sa(settings)
    build = time.perf_counter() - since
    size = sum((folder / name).stat().st_size for name in ("tokenized.0", "offset.0", "table.0"))
    engine = InfiniGramEngine(str(folder), eos_token_id=0, vocab_size=65535, load_to_ram=True)

    def attribute(answer, most):
        return engine.attribute(input_ids=answer, delim_ids=[], min_len=1, max_cnt=most, enforce_bow=False)

    times, spans = [], []
    for answer in json.loads((folder / "answers.json").read_text()):
        for _ in range(2):  # The second time everything is warm.
            since = time.perf_counter()
            attribute(answer, 1)
            took = time.perf_counter() - since
        times.append(took * 1e6)
        found = attribute(answer, tokens)
        spans.append([[span["l"], span["length"], span["count"]] for span in found["spans"]])
    result = {
        "build_s": build,
        "bytes_per_token": size / tokens,
        "trace_us": statistics.median(times),
        "spans": spans,
    }
    (folder / "found.json").write_text(json.dumps(result))
    table.unlink()


if __name__ == "__main__":
    main(sys.argv[1])
