"""Which rows train and which test: scikit-learn's stratified split, to the row, without scikit-learn.

    train, test = stratified_split(labels, test_share=(3, 10), seed=20240101)
    # the same rows as train_test_split(range(n), test_size=.3, random_state=20240101, stratify=labels)

Rules
- The generator is MT19937, seeded by one integer as NumPy's ``RandomState`` does (Matsumoto and Nishimura's
  ``init_genrand``), and a shuffle is Fisher and Yates' from the end, with masked rejection.
- Each class in ascending order of its label is shuffled; the first of it train, the next test. Counts by class are the
  largest remainders of the exact shares.
- Rows are given in ascending order: membership is what matters, and the order within a part has no meaning.

What this module does not do: settle remainders that tie between classes; it refuses them, since there NumPy draws lots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.errors import InvalidInput

_WORDS, _SHIFT = 624, 397
_MASK = 0xFFFFFFFF


def mersenne_words(seed: int) -> Iterator[int]:
    """The endless 32-bit words of MT19937 seeded by one integer.

    >>> next(mersenne_words(5489))
    3499211612
    """
    state = [seed & _MASK]
    for at in range(1, _WORDS):
        state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + at) & _MASK)
    while True:
        for at in range(_WORDS):
            mixed = (state[at] & 0x80000000) | (state[(at + 1) % _WORDS] & 0x7FFFFFFF)
            state[at] = state[(at + _SHIFT) % _WORDS] ^ (mixed >> 1) ^ (0x9908B0DF if mixed & 1 else 0)
        for word in state:
            word ^= word >> 11
            word ^= (word << 7) & 0x9D2C5680
            word ^= (word << 15) & 0xEFC60000
            yield word ^ (word >> 18)


def shuffled(count: int, words: Iterator[int]) -> list[int]:
    """0 to ``count`` - 1 in a random order, as ``RandomState.permutation`` gives it."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        mask = (1 << last.bit_length()) - 1
        chosen = next(words) & mask
        while chosen > last:
            chosen = next(words) & mask
        order[last], order[chosen] = order[chosen], order[last]
    return order


def stratified_split(labels: Sequence[int], *, test_share: tuple[int, int], seed: int) -> tuple[list[int], list[int]]:
    """Rows that train and rows that test; ``test_share`` is a fraction (3, 10), and the test part is rounded up.

    Raises InvalidInput ``split_tie``.
    """
    rows = [[row for row, label in enumerate(labels) if label == each] for each in sorted(set(labels))]
    test_count = -(-len(labels) * test_share[0] // test_share[1])
    sizes = [len(part) for part in rows]
    train_counts = _shares(sizes, len(labels) - test_count)
    test_counts = _shares([size - taken for size, taken in zip(sizes, train_counts, strict=True)], test_count)
    words = mersenne_words(seed)
    train: list[int] = []
    test: list[int] = []
    for part, first, second in zip(rows, train_counts, test_counts, strict=True):
        order = [part[place] for place in shuffled(len(part), words)]
        train += order[:first]
        test += order[first : first + second]
    return sorted(train), sorted(test)


def _shares(sizes: Sequence[int], wanted: int) -> list[int]:
    """``wanted`` rows shared out by size: whole parts first, then one each to the largest remainders."""
    total = sum(sizes)
    shares = [size * wanted // total for size in sizes]
    remainders = [size * wanted % total for size in sizes]
    missing = wanted - sum(shares)
    ranked = sorted(range(len(sizes)), key=lambda place: -remainders[place])
    if 0 < missing < len(sizes) and remainders[ranked[missing - 1]] == remainders[ranked[missing]]:
        raise InvalidInput("split_tie", "two classes have the same claim to a row", path="$.labels")
    for place in ranked[:missing]:
        shares[place] += 1
    return shares
