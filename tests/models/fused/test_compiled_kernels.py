"""The kernels are what Triton's compiler takes, for a GPU that need not be there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dsg.models.fused.kernels import addition, backward, forward

HALF, FULL, SIZES = "*fp16", "*fp32", {"pixels": "i32", "channels": "i32", "first": "i32"}
TILES = {"ROWS": 256, "PIXELS": 32, "BLOCK": 64}
GROUPS = {"CHUNKS": 256, "GROUP": 12, "WIDTH": 16}
OF_IMAGE = {"pixels": "i32", "channels": "i32", "chunks": "i32"}
JOBS = [
    (forward.chunk_statistics, {"one": HALF, "two": HALF, "means": FULL, "squares": FULL, **SIZES}, TILES),
    (forward.coefficients, {"means": FULL, "squares": FULL, "gain": FULL, "shift": FULL, "offset": HALF, "out": FULL,
        **OF_IMAGE, "rows": "i32", "gain_row": "i32", "offset_row": "i32", "eps": "fp32"}, GROUPS),
    (forward.apply, {"one": HALF, "two": HALF, "out": HALF, "table": FULL, **SIZES}, TILES | {"SILU": True}),
    (backward.chunk_sums, {"one": HALF, "two": HALF, "dy": HALF, "table": FULL, "sums": FULL, **SIZES},
        TILES | {"SILU": True}),
    (backward.coefficients, {"sums": FULL, "table": FULL, "out": FULL, **OF_IMAGE}, GROUPS),
    (backward.apply, {"one": HALF, "two": HALF, "dy": HALF, "table": FULL, "ends": FULL, "d_one": HALF, "d_two": HALF,
        **SIZES}, TILES | {"SILU": False}),
    (addition.sum_of, {"one": HALF, "two": HALF, "three": HALF, "bias": HALF, "out": HALF, "size": "i32",
        "channels": "i32"}, {"THREE": True, "SIZE": 1024}),
]
# Triton takes an argument that is 1 for a constant
JOBS += [(fn, {k: v for k, v in types.items() if k not in ("pixels", "chunks")}, constants | {"pixels": 1, "chunks": 1})
    for fn, types, constants in JOBS if "chunks" in types]
for fn, types, constants in JOBS:
    names = fn.arg_names
    signature = {name: types.get(name, "constexpr") for name in names}
    values = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=fn, signature=signature, constexprs=values)
    assert triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"], fn
print(len(JOBS))
"""


def test_every_kernel_compiles_for_a_gpu_also_for_maps_of_one_pixel(tmp_path):
    pytest.importorskip("triton", reason="torch for this system comes without Triton")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-c", COMPILE]
    done = subprocess.run(
        command, env=environment | {"TRITON_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["9"]
