"""Scores of BM25 (package bm25s) for what `openledger-bench attribution` wrote into a folder.

For every NAME.in.json (documents, queries) writes NAME.bm25.json: one row a query, one column a document.
"""
import json
import pathlib
import re
import sys

import bm25s


def words(text):
    return re.findall(r"\w+", text.lower())


def main(folder):
    print("bm25s", bm25s.__version__, file=sys.stderr)
    for path in sorted(pathlib.Path(folder).glob("*.in.json")):
        given = json.loads(path.read_text())
        index = bm25s.BM25()
        index.index([words(text) for text in given["documents"]], show_progress=False)
        scores = [index.get_scores(words(query)).tolist() for query in given["queries"]]
        path.with_name(path.name.replace(".in.json", ".bm25.json")).write_text(json.dumps(scores))


if __name__ == "__main__":
    main(sys.argv[1])
