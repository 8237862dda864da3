"""What a line reader's columns mean, and how well lines were read."""
BLANK = 0
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -./:%+"


def decode(best):
    """The text of the best class of each column: one character for each run of a class, none for BLANK."""
    return "".join(ALPHABET[c - 1] for c, before in zip(best, [BLANK] + list(best[:-1])) if c not in (BLANK, before))


def distance(a, b):
    """How many characters must be changed, inserted or removed to make b of a."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], min(diagonal + (x != y), row[j] + 1, row[j + 1] + 1)
    return row[-1]


def score(texts, read):
    """Character accuracy (1 - distance / length, over all lines) and the share of lines without a fault."""
    wrong = sum(distance(t, r) for t, r in zip(texts, read))
    return 1 - wrong / sum(map(len, texts)), sum(t == r for t, r in zip(texts, read)) / len(texts)
