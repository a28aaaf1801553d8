#!/usr/bin/env python3
"""One small picture for each page out of those that the end-to-end tests leave in e2e/out.

    python3 scripts/contact-sheets.py OUT     (needs Pillow)

Beside each other: 390 pixels light and dark, 1280 pixels light and dark, each cut off after a screen and a half.
Pages that only a connected account sees are taken at 1280 pixels in the light theme.
"""
import pathlib
import sys

from PIL import Image

LOOKS = [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
# Height of a sheet and gap between its parts, in pixels.
HEIGHT, GAP = 420, 8
QUALITY = 38


def part(path, width):
    """A page's picture, its top cut to the form of a screen and a half."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        wanted = int(width * (2.1 if width < 600 else 1.05))
        picture = picture.crop((0, 0, picture.width, min(picture.height, wanted)))
        scale = HEIGHT / wanted
        return picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))), Image.LANCZOS)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    taken = pathlib.Path(__file__).resolve().parent.parent / "e2e" / "out"
    for first in sorted(taken.glob("*-390-light.png")):
        name = first.name.removesuffix("-390-light.png")
        parts = [part(taken / f"{name}-{width}-{theme}.png", width) for width, theme in LOOKS]
        sheet = Image.new("RGB", (sum(p.width for p in parts) + GAP * 3, HEIGHT), (128, 128, 128))
        at = 0
        for picture in parts:
            sheet.paste(picture, (at, 0))
            at += picture.width + GAP
        sheet.save(out / f"{name}.webp", quality=QUALITY, method=6)
    # What is seen only with a wallet is taken once.
    for only in sorted(taken.glob("*-1280-light.png")):
        name = only.name.removesuffix("-1280-light.png")
        if not (taken / f"{name}-390-light.png").exists():
            part(only, 1280).save(out / f"{name}.webp", quality=QUALITY, method=6)


main()
