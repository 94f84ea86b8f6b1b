"""A recording is what was decoded, and whatever ends early or is unclear is named."""

import contextlib
import os
import socket
from pathlib import Path

import made_recordings as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitmotif.audio import decode
from leitmotif.audio.decode import load_audio, read_recording
from leitmotif.corpus.sources.decoding import decode_whole
from leitmotif.errors import AudioError, LeitmotifError

TONE = made.tone()
WAV = made.encoded(TONE, "WAV")
FLAC = made.encoded(TONE, "FLAC")
OGG = made.encoded(made.tone(seconds=20), "OGG")
OTHER_OGG = made.encoded(made.tone(seconds=10), "OGG")
MP3 = made.encoded(TONE, "MP3")
BARE_MP3 = made.mp3_without_xing(MP3)
MP3_OF_ANOTHER_RATE = made.encoded(made.tone(16_000), "MP3", 16_000)
MP3_IN_STEREO = made.encoded(made.tone(channels=2), "MP3")
RF64 = made.encoded(TONE, "RF64")
OTHERS = {
    f"{name}, {subtype}" if subtype != "PCM_16" else name: made.encoded(TONE, name, subtype=subtype)
    for name in ("AIFF", "AU", "CAF", "W64")
    for subtype in ("PCM_16", "FLOAT", "ULAW")
}
AIFF, AU, CAF = (OTHERS[name] for name in ("AIFF", "AU", "CAF"))
SAMPLES = len(TONE)
PICTURE_TAG = b"APETAGEX" + np.random.default_rng(7).bytes(1 << 20)
ALL = b"what is decoded"


def fault(what: str, outcome: str) -> pytest.MarkDecorator:
    return pytest.mark.fault("recording", what, outcome=outcome)


def outcome_of(content: bytes, folder: Path, name: str = "a.bin") -> tuple[int | None, str | None]:
    """Samples decoded and the remark's reason, or None and the error's reason."""
    path = folder / name
    path.write_bytes(content)
    try:
        recording = read_recording(path)
    except AudioError as error:
        return None, error.reason if name in error.what else "the file is not named"
    assert decode_whole(path).seconds == len(recording.samples) / recording.sample_rate
    return len(recording.samples), recording.remark and recording.remark.reason


USED = [
    pytest.param(made.flac_total(FLAC, 0), "length_unknown", id="FLAC of unknown length"),
    pytest.param(made.flac_total(FLAC, 1000), "header_wrong", id="FLAC with more than it says"),
    pytest.param(FLAC + b"TAG" + bytes(125), None, id="FLAC with an ID3v1 tag"),
    pytest.param(made.wav_data_size(WAV, 0xFFFF_FFFF), "length_unknown", id="WAV streamed"),
    pytest.param(made.wav_data_size(WAV, 0), "length_unknown", id="WAV streamed, size 0"),
    pytest.param(made.id3(1 << 16) + made.wav_data_size(WAV, 0), "length_unknown", id="WAV + ID3"),
    pytest.param(made.rf64_data_size(RF64, 0), "length_unknown", id="RF64 streamed, size 0"),
    pytest.param(WAV + b"LIST\4\0\0\0abcd", None, id="WAV with a chunk behind"),
    pytest.param(RF64, None, id="RF64"),
    pytest.param(made.encoded(TONE, "WAVEX"), None, id="WAVE_FORMAT_EXTENSIBLE"),
    pytest.param(made.encoded(TONE, "WAV", subtype="PCM_U8"), None, id="WAV, 8 bits"),
    pytest.param(made.encoded(TONE, "WAV", subtype="PCM_24"), None, id="WAV, 24 bits"),
    pytest.param(made.encoded(TONE, "WAV", subtype="PCM_32"), None, id="WAV, 32 bits"),
    pytest.param(made.encoded(TONE, "WAV", subtype="FLOAT"), None, id="WAV, float"),
    *(
        pytest.param(made.encoded(TONE, name, subtype=subtype), None, id=f"{name}, {subtype}")
        for name in ("AIFF", "AU", "CAF", "W64")
        for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW")
    ),
    pytest.param(made.encoded(TONE, "AIFF", endian="LITTLE"), None, id="AIFF-C, sowt"),
    pytest.param(made.encoded(TONE, "AU", endian="LITTLE"), None, id="AU, dns."),
    pytest.param(made.au_size(AU, 0xFFFF_FFFF), "length_unknown", id="AU streamed"),
    pytest.param(made.encoded(TONE, "NIST"), "length_unknown", id="NIST"),
    pytest.param(made.mp3_frames(MP3, 5), "header_wrong", id="MP3 with more than it counts"),
    pytest.param(made.id3(16 << 20) + MP3, None, id="MP3 behind an ID3 tag of 16 MB"),
    pytest.param(MP3 + b"TAG" + bytes(125), None, id="MP3 with an ID3v1 tag"),
    pytest.param(MP3 + PICTURE_TAG, None, id="MP3 with a picture behind"),
]


@pytest.mark.parametrize(("content", "remark"), USED)
@fault("header that does not say, or says too little", "all samples, and a remark that says so")
def test_all_is_decoded_whatever_the_header_says(
    content: bytes, remark: str | None, tmp_path: Path
) -> None:
    assert outcome_of(content, tmp_path) == (SAMPLES, remark)


REFUSED = [
    pytest.param(made.flac_total(FLAC, 2**32 - 16), "truncated", id="FLAC that promises 2^32 - 16"),
    pytest.param(made.flac_total(FLAC, 2 * SAMPLES), "truncated", id="FLAC with less than it says"),
    pytest.param(FLAC[: len(FLAC) // 2], "truncated", id="half a FLAC"),
    pytest.param(FLAC + FLAC, "chained", id="two FLAC in a row"),
    pytest.param(made.flac_total(FLAC, 0)[:-500], "truncated", id="cut FLAC of unknown length"),
    pytest.param(WAV[: len(WAV) // 2], "truncated", id="half a WAV"),
    pytest.param(made.wav_data_size(WAV, len(WAV)), "truncated", id="WAV with less than it says"),
    pytest.param(made.wav_data_size(WAV, 1001), "header_wrong", id="WAV with an odd, small size"),
    pytest.param(made.wav_format(WAV, channels=64), "header_wrong", id="WAV of 64 channels"),
    pytest.param(made.wav_format(WAV, channels=0), "undecodable", id="WAV of 0 channels"),
    pytest.param(made.wav_format(WAV, rate=1), "undecodable", id="WAV at 1 Hz"),
    pytest.param(made.wav_format(WAV, rate=4_000_000_000), "undecodable", id="WAV at 4 GHz"),
    *(
        pytest.param(content[:end], "truncated", id=f"{name}, cut at {end}")
        for name, content in OTHERS.items()
        for end in (len(content) - 3, len(content) - 100, len(content) // 2)
        if name[:3] != "CAF" or end > len(content) // 2
    ),
    pytest.param(made.aiff_frames(AIFF, 10**8), "truncated", id="AIFF with less than it says"),
    pytest.param(made.au_size(AU, 10**8), "truncated", id="AU with less than it says"),
    pytest.param(CAF[: len(CAF) // 2], "undecodable", id="half a CAF, which libsndfile refuses"),
    pytest.param(made.caf_size(CAF, -1), "undecodable", id="CAF streamed"),
    pytest.param(MP3[: len(MP3) // 2], "truncated", id="half an MP3"),
    pytest.param(made.mp3_frames(MP3, 10_000), "truncated", id="MP3 with less than it counts"),
    pytest.param(
        made.mp3_without_xing(MP3)[: len(MP3) // 2 + 7], "truncated", id="half an MP3 without Xing"
    ),
    pytest.param(MP3 + MP3_OF_ANOTHER_RATE, "chained", id="MP3, then one of another rate"),
    pytest.param(MP3 + MP3_IN_STEREO, "chained", id="MP3, then one in stereo"),
    pytest.param(
        made.mp3_without_xing(MP3_IN_STEREO) + MP3, "chained", id="MP3 without Xing, then mono"
    ),
    pytest.param(OGG[: len(OGG) * 2 // 3], "truncated", id="cut OGG"),
    pytest.param(OGG + OGG, "chained", id="chained OGG"),
    pytest.param(OGG + bytes(3000) + OGG, "chained", id="OGG, padding, another OGG"),
    pytest.param(made.ogg_side_by_side(OGG, OTHER_OGG), "chained", id="two OGG side by side"),
    pytest.param(CAF + CAF, "chained", id="two CAF in a row"),
    pytest.param(OTHERS["W64"] + OTHERS["W64"], "chained", id="two W64 in a row"),
    *(
        pytest.param(first + between + second, "chained", id=f"MP3{one}, {gap}, another{other}")
        for one, first in (("", MP3), (" without Xing", BARE_MP3))
        for gap, between in (
            ("ID3", made.id3(1000)),
            ("ID3v1", b"TAG" + bytes(125)),
            ("APE", b"APETAGEX" + bytes(200_000)),
        )
        for other, second in (("", MP3), (" without Xing", BARE_MP3), (" in stereo", MP3_IN_STEREO))
    ),
    *(
        pytest.param(BARE_MP3[:5000] + hole + BARE_MP3, "chained", id=f"MP3 with a hole of {what}")
        for what, hole in (("zeros", bytes(3000)), ("ones", b"\xff" * 100_000))
    ),
    pytest.param(made.ogg_last_granule(OGG, 10), "header_wrong", id="OGG, last granule too small"),
    pytest.param(made.ogg_last_granule(OGG, 10**9), "truncated", id="OGG, last granule too large"),
    pytest.param(OGG[:5000] + b"\xff" + OGG[5001:], "damaged", id="OGG with a changed byte"),
    pytest.param(b"<html><body>404</body></html>" * 99, "undecodable", id="HTML"),
    pytest.param(b"\0\0\0\x20ftypM4A \0\0\0\0M4A isom" + bytes(4000), "undecodable", id="M4A"),
    pytest.param(b"", "undecodable", id="empty"),
]


@pytest.mark.parametrize(("content", "reason"), REFUSED)
@fault("file that ends early, or contradicts itself", "an error that names file and reason")
def test_what_is_not_whole_is_named(content: bytes, reason: str, tmp_path: Path) -> None:
    assert outcome_of(content, tmp_path) == (None, reason)


@fault("MP3 without a count of its frames", "all frames, and the remark length_unknown")
def test_every_frame_of_an_mp3_without_xing_is_decoded(tmp_path: Path) -> None:
    count, remark = outcome_of(made.mp3_without_xing(MP3), tmp_path)
    assert remark == "length_unknown"
    # Its first frame and the encoder's padding count as sound now.
    assert count is not None
    assert 0 <= count - SAMPLES < 4 * 1152


@fault("file much larger than memory", "refused by name, at once")
def test_a_huge_sparse_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(AudioError, match=r"huge\.wav") as caught:
        read_recording(path)
    assert caught.value.reason == "undecodable"


@fault("recording longer than the limit", "too_long; a section of it is still read")
def test_a_recording_beyond_the_limit_is_named_and_its_sections_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "long.wav").write_bytes(made.encoded(made.tone(seconds=10), "WAV"))
    monkeypatch.setattr(decode, "LONGEST", 4 * made.RATE)
    with pytest.raises(AudioError) as caught:
        read_recording(tmp_path / "long.wav")
    assert caught.value.reason == "too_long"
    section = load_audio(tmp_path / "long.wav", sample_rate=made.RATE, start_seconds=7, seconds=1)
    assert section.seconds == 1
    assert decode_whole(tmp_path / "long.wav").seconds == 10


@fault("no memory left while decoding", "the reason memory")
def test_a_lack_of_memory_is_the_files_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    (tmp_path / "a.wav").write_bytes(WAV)
    monkeypatch.setattr(np, "concatenate", exhausted)
    with pytest.raises(AudioError, match=r"a\.wav") as caught:
        read_recording(tmp_path / "a.wav")
    assert caught.value.reason == "memory"


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "broken", "circle", "device"])
@fault("pipe, socket, folder, device, or a link to nothing", "unreadable, without waiting")
def test_what_is_no_file_is_unreadable(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # From within the folder, for the path of a socket may not be long.
        with socket.socket(socket.AF_UNIX) as bound, contextlib.chdir(tmp_path):
            bound.bind("a.wav")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"broken": "nothing", "circle": "a.wav", "device": "/dev/zero"}[kind])
    with pytest.raises(AudioError) as caught:
        read_recording(path)
    assert caught.value.reason == "unreadable"


@pytest.mark.parametrize(
    "arguments",
    [
        {"sample_rate": 0},
        {"sample_rate": 32000.5},
        {"sample_rate": True},
        {"sample_rate": "32000"},
        {"sample_rate": 10**9},
        {"sample_rate": 32000, "start_seconds": -1},
        {"sample_rate": 32000, "start_seconds": float("nan")},
        {"sample_rate": 32000, "seconds": 0},
        {"sample_rate": 32000, "seconds": "1"},
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments: dict, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)
    with pytest.raises(LeitmotifError, match="expected"):
        load_audio(tmp_path / "a.wav", **arguments)


@given(
    container=st.sampled_from(["WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"]),
    rate=st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]),
    channels=st.integers(1, 2),
    samples=st.integers(1, 30_000),
    cut=st.none() | st.floats(0.05, 0.95),
)
@settings(max_examples=60)
def test_a_recording_is_whole_or_named(
    container: str,
    rate: int,
    channels: int,
    samples: int,
    cut: float | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if container == "MP3":
        rate = min(rate, 48_000)
    wave = made.tone(rate, channels, samples / rate)
    content = made.encoded(wave, container, rate)
    folder = tmp_path_factory.mktemp("recordings")
    assert outcome_of(content, folder) == (len(wave), None)
    if cut is not None:
        usable, reason = outcome_of(content[: int(len(content) * cut)], folder)
        assert usable is None
        assert reason in ("truncated", "undecodable")
