"""The enumerated truth is what the pipeline really answers, rung by rung."""

import json

import pytest
from known_items import ask, item, picture
from practice import Asker, asking

from mmload.model import Item
from mmload.serve.ladder import LIMITS, Ladder, Rung
from mmload.serve.oracle import replies, right_share

LONG = "Filler about nothing at all. " * 900


def suite() -> list[tuple[Item, bytes]]:
    made = []
    for number in range(24):
        width = (640, 1700, 2048)[number % 3]
        quality = (None, 20)[number % 2]
        options = {"quality": quality} if quality else {}
        data = picture(width, width // 2, "JPEG" if quality else "PNG", str(number), **options)
        text, span = "Total? Code: 77.", None
        if number % 4 == 0:
            text, span = LONG + "Code: 77.", [len(LONG), len(LONG) + 8]
        made.append((item(number, data, number % 5 > 0, 8.0 + number % 7, text, span, quality), data))
    return made


SUITE = suite()
ITEMS = [one for one, _ in SUITE]


class Fixed(Ladder):
    """A ladder that stands still."""

    def __init__(self, rung: Rung) -> None:
        super().__init__(1.0)
        self.rung = rung

    def admit(self, wait_s: float, now_s: float) -> Rung:
        return self.rung


@pytest.mark.parametrize("rung", list(LIMITS))
def test_what_is_enumerated_is_what_is_answered(rung: Rung) -> None:
    expected = [reply.text for reply in replies(ITEMS, rung, seed=7)]

    async def test(asker: Asker) -> None:
        asker.pipeline.ladder = Fixed(rung)
        for (one, data), text in zip(SUITE, expected, strict=True):
            status, body, headers = await asker.post(ask(one.prompt, data))
            assert status == 200
            assert headers["x-mmload-sim-rung"] == f"L{int(rung)}"
            assert body["choices"][0]["message"]["content"] == text

    asking(test, ITEMS, seed=7)


def test_each_rung_gets_no_item_right_that_a_better_one_gets_wrong() -> None:
    before = [True] * len(ITEMS)
    shares = []
    for rung in LIMITS:
        right = [reply.right for reply in replies(ITEMS, rung, seed=3)]
        assert all(was or not now for was, now in zip(before, right, strict=True))
        before = right
        shares.append(right_share(ITEMS, rung, seed=3))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_nothing_has_no_share() -> None:
    with pytest.raises(ValueError, match="no items"):
        right_share([], Rung.FULL, 1)


def test_the_answers_are_json_with_the_items_nonce_or_a_misread_one() -> None:
    for one, reply in zip(ITEMS, replies(ITEMS, Rung.FALLBACK, seed=1), strict=True):
        assert json.loads(reply.text)["nonce"] in (one.nonce, *one.truth["plausible"]["nonce"])
