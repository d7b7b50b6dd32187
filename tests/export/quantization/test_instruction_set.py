import platform

import pytest

from keras_seq.export.quantization.instruction_set import instruction_set


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("flags\t\t: fpu avx2 avx512bw avx512_vnni amx_tile amx_int8", "AMX"),
        ("flags\t\t: fpu avx2 avx512bw avx512_vnni", "AVX-512 VNNI"),
        ("flags\t\t: fpu avx2 avx_vnni", "AVX VNNI"),
        ("flags\t\t: fpu avx2 avx512f avx512bw", "AVX-512 without VNNI"),
        ("flags\t\t: fpu sse4_2 avx avx2", "AVX2 without VNNI"),
        ("Features\t: fp asimd asimddp i8mm", "Arm I8MM"),
        ("Features\t: fp asimd asimddp", "Arm dot products"),
    ],
)
def test_the_best_instructions_are_named(tmp_path, line, name):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nmodel name\t: a processor with amx_int8 in its name\n{line}\n\n")
    assert instruction_set(file) == name


def test_what_is_not_told_is_said_to_be_unknown(tmp_path):
    expected = f"{platform.machine()}, instructions unknown"
    assert instruction_set(tmp_path / "absent") == expected
    (tmp_path / "cpuinfo").write_text("flags : fpu sse2\n")
    assert instruction_set(tmp_path / "cpuinfo") == expected
