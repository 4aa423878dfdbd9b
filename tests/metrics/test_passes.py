"""Passes by kind, as tables show them."""

import math

from dsg.metrics.passes import Passes, headings


def passes(**counts):
    return Passes.of(lambda name: counts.get(name, math.nan))


PIXEL = passes(nfe_forward=100.0, nfe_backward=99.0)
LATENT = passes(nfe_forward=50.0, nfe_backward=0.0, nfe_decoder_forward=150.0, nfe_decoder_backward=149.0,
                nfe_encoder_forward=0.0, nfe_encoder_backward=0.0)  # fmt: skip


def test_a_table_has_the_columns_of_what_some_run_passed():
    assert headings([PIXEL]) == ["NFE"]
    assert headings([PIXEL, LATENT]) == ["NFE", "decoder"]
    assert headings([]) == ["NFE"]


def test_a_run_without_a_decoder_beside_one_with_it_says_that_it_has_none():
    assert LATENT.text("decoder", "–") == "150 + 149"
    assert PIXEL.text("decoder", "–") == "– + –"
    assert PIXEL.text("NFE", "–") == "100 + 99"
