"""Texts to compare tokenizers on: what they are known to disagree about, and what a vocabulary has."""

from __future__ import annotations

__all__ = ["hard_texts", "short_texts"]

# As escapes: nothing on the way to a reader must normalise them.
_HARD = (
    "",
    "   ",
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2009\u2028\u202f\u205f\u3000",
    "a\0b \0",
    "\x01\x07\x1b[0m\x7f",
    "don't stop -- it's \"5,000.00\": (a_b) x^2 `y` $1 ~ \\n {0}",
    "\u00bfque? \u00ab\u2026\u00bb \u20ac5 \u2014 \u2122 \u00bd \u00b2 \u0667",
    "caf\u00e9 cafe\u0301 A\u030a\u00c5 e" + "\u0301" * 30,
    "\u0301 \u0301a",
    "\u05e9\u05c1\u05dc\u05d5\u05dd, \u0645\u0631\u062d\u0628\u0627\u060c \u061f \u200f\u202e",
    "\u4e2d\u6587\uff0c\u5b57\u3002 \u65e5\u672c\u8a9e\u306e \u30c6\u3001 \ud55c\uad6d\uc5b4 \U00020000\U0002a6d6",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0964 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44b\U0001f3fd \U0001f1e9\U0001f1ea 1\ufe0f\u20e3 \u2764\ufe0f",
    "a\u200bb\u2060c\ufeffd\u180ee\xadf",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3 \u03c2 STRASSE Stra\u00dfe \u1e9e",
    "\u0130STANBUL I\u0307 \u0131I \u01c4\u01c5\u01c6 \u1f88\u1f80 \u212a\u2126\u212b",
    "\u2160\u2170 \u24b6\u24d0 \uff28\uff4c\uff01 \U00010400\U00010428 \u13a0\uab70 \u10a0\u2d00 \ua7c5\u1c89",
    "\ufdd0\uffff\U0001ffff \ue000\U0010fffd \U0010ffff \ufffd \u0378 \ud7ff\ue000",
    "<pad> <start> <end> <unk> <PAD> a<end>b",
    "##ing un##able ## [UNK]",
    "w" * 101 + " " + "W" * 100 + " " + "x" * 5000,
    "a B " * 200,
)


def short_texts(tokenizer: dict) -> list[str]:
    """Texts of at most a dozen tokens, most of them in the vocabulary.

    Args:
        tokenizer: What its `tokenizer.json` says.
    """
    words = [word for word in tokenizer["vocabulary"][4:] if word.isprintable() and len(word) < 20] or ["a"]
    between = "" if tokenizer["kind"] == "char" else " "
    some = [words[i * len(words) // 40] for i in range(40)]
    rows = [some[:3], some[3:14], [some[14]], [*some[15:20], "\u2603"], some[20:27], some[27:40]]
    return [between.join(row) for row in rows]


def hard_texts(tokenizer: dict) -> list[str]:
    """Texts of all kinds: those that tokenizers disagree on, and the tokenizer's own words in many forms.

    Args:
        tokenizer: What its `tokenizer.json` says.
    """
    vocabulary = tokenizer["vocabulary"][4:]
    some = [*vocabulary[:100], *vocabulary[-100:]]
    own = [" ".join(some), " ".join(some).upper(), "".join(some), ", ".join(some).title(), *some[:20]]
    return [*_HARD, *own, *short_texts(tokenizer)]
