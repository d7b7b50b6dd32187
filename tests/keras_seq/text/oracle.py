"""What tokenizers are to give, in plain Python and one character at a time: `unicodedata` and no rules."""

import unicodedata


def lowered(text):
    return "".join(
        "i" if character == "\u0130" else character if len(character.lower()) != 1 else character.lower()
        for character in text
    )


def words(text, punctuation="split"):
    found, letters = [], ""
    for character in text:
        space = character.isspace() or character == "\0"
        mark = not space and punctuation != "keep" and unicodedata.category(character)[0] in "PS"
        if not space and not mark:
            letters += character
            continue
        if letters:
            found.append(letters)
        letters = ""
        if mark and punctuation == "split":
            found.append(character)
    return [*found, letters] if letters else found


def pieces(word, vocabulary, prefix="##", max_word_length=100):
    """The longest match first; `None` if there is none."""
    found, start = [], 0
    if len(word) > max_word_length:
        return None
    while start < len(word):
        ends = range(len(word), start, -1)
        candidates = [(prefix if start else "") + word[start:end] for end in ends]
        match = next((number for number, piece in enumerate(candidates) if piece in vocabulary), None)
        if match is None:
            return None
        found.append(candidates[match])
        start = ends[match]
    return found


def spelling(word, vocabulary, num_first, num_last):
    """One id a place: from the left up to `num_first`, from the right the last `num_last`."""
    ids = [0] * (num_first + num_last)
    known = vocabulary[4:]
    for place, character in enumerate(word):
        found = 4 + known.index(character) if character in known else 3
        if place < num_first:
            ids[place] = found
        if place >= len(word) - num_last:
            ids[place - len(word)] = found  # a place from behind, below 0
    return ids
