"""Every kind of malformed image, twice, through every image signature."""

from __future__ import annotations

from tests.support import image_fuzz

# Sound files, if unusual, or so little damaged that the decoder may read them.
READ = {
    "png_row_bomb",
    "png_of_16_bits",
    "jpeg_cmyk",
    "jpeg_rotated",
    "png_with_alpha",
    "bits_flipped",
    "wrong_magic",
}


def test_no_image_ends_the_process_or_takes_its_memory(exported_model):
    outcomes, before, after = image_fuzz.fuzz(exported_model, 2 * len(image_fuzz.KINDS))
    signatures = image_fuzz.image_signatures(exported_model)
    assert len(signatures) == 5
    for kind, found in outcomes.items():
        assert found.total() == 2 * len(signatures)
        assert found[image_fuzz.CRASHED] == 0
        if kind not in READ:
            assert found[image_fuzz.ANSWERED] == 0, kind
    # A single bomb, decoded, would be 10,000 MB of pixels, or 2,000 MB of texts.
    assert after - before < 300
