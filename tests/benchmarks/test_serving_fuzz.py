"""Every kind of malformed picture, twice, through every image signature."""

from __future__ import annotations

from benchmarks import serving_fuzz

# What is whole, if unusual, or has less wrong with it than the decoder minds.
READ = {
    "png_row_bomb",
    "png_of_16_bits",
    "jpeg_cmyk",
    "jpeg_rotated",
    "png_with_alpha",
    "bits_flipped",
    "wrong_magic",
}


def test_no_picture_ends_the_process_or_takes_its_memory(exported_model):
    count = 2 * len(serving_fuzz.KINDS)
    outcomes, before, after = serving_fuzz.fuzz(exported_model, count)
    signatures = serving_fuzz.image_signatures(exported_model)
    assert len(signatures) == 5
    for kind, found in outcomes.items():
        assert found.total() == 2 * len(signatures)
        assert found[serving_fuzz.CRASHED] == 0
        if kind not in READ:
            assert found[serving_fuzz.ANSWERED] == 0, kind
    # A single bomb, decoded, would be 10,000 MB of pixels, or 2,000 MB of texts.
    assert after - before < 300
