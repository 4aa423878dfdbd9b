"""EDM's pickles are read without running what is in them; whatever else a pickle can be is one line."""

import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dsg.errors import UserError
from dsg.models.edm import EDM
from dsg.models.edm.build import NETWORKS
from dsg.models.edm.convert import main
from dsg.models.edm.stored import read_network
from tests.models.edm_files import (
    Encoder,
    official_modules,
    persistent,
    same_weights,
    stability_encoder,
    write_pickle,
)

TINY = {"img_resolution": 8, "img_channels": 4, "model_channels": 8, "channel_mult": [1], "num_blocks": 1}
SONG = {"model_type": "SongUNet", "embedding_type": "fourier", "encoder_type": "residual", "channel_mult": [1, 1]}


def network(class_name: str = "EDMPrecond", **options):
    torch.manual_seed(0)
    return NETWORKS[class_name](**TINY | options)


@pytest.fixture
def published(tmp_path) -> Path:
    """A file of a small network."""
    return write_pickle(tmp_path / "published.pkl", network(), TINY)


@pytest.mark.parametrize(
    ("class_name", "options"),
    [
        ("EDMPrecond", {"label_dim": 3}),
        ("EDMPrecond", SONG | {"augment_dim": 9}),
        ("VPPrecond", {}),
        ("VEPrecond", SONG),
        ("iDDPMPrecond", {}),
    ],
)
def test_a_network_of_edm_is_read_from_its_pickle_and_its_source_text_is_not_run(tmp_path, class_name, options):
    """Every object in the file has a source text that ends the process."""
    made = network(class_name, **options)
    stored = read_network(write_pickle(tmp_path / "net.pkl", made, TINY | options))
    assert (stored.class_name, stored.arguments, stored.options) == (class_name, (), TINY | options)
    assert same_weights(made, stored.tensors)
    assert stored.encoder == {}
    assert same_weights(made, EDM(str(tmp_path / "net.pkl")).network.state_dict())


@pytest.mark.parametrize("encoder", [stability_encoder(), Encoder("StandardRGBEncoder")], ids=lambda e: e.class_name)
def test_a_network_of_edm2_is_read_in_float16_with_its_encoder(tmp_path, encoder):
    made = network("Precond", label_dim=3)
    path = write_pickle(tmp_path / "net.pkl", made, TINY | {"label_dim": 3}, encoder)
    stored = read_network(path)
    assert {tensor.dtype for tensor in stored.tensors.values()} == {torch.float16}
    assert same_weights(made, stored.tensors)
    assert {tensor.dtype for tensor in EDM(str(path)).network.state_dict().values()} == {torch.float32}
    expected = {name: _as_list(value) for name, value in encoder.attributes.items() if not name.startswith("_")}
    assert stored.encoder == {"class_name": encoder.class_name, **expected}


def test_a_pickle_and_the_folder_that_is_made_of_it_are_the_same_network(tmp_path, capsys):
    made, options = network("Precond", label_dim=3), TINY | {"label_dim": 3}
    path = write_pickle(tmp_path / "net.pkl", made, options, stability_encoder())
    folder = tmp_path / "made" / "here"
    assert main([str(path), str(folder)]) == 0
    assert json.loads((folder / "config.json").read_text())["encoder"] == read_network(path).encoder
    assert load_file(folder / "weights.safetensors").keys() == read_network(path).tensors.keys()
    level, x = EDM(str(path)).schedule.level(0.7), torch.randn(1, 4, 8, 8)
    condition = EDM(str(path), label_dropout=True)(x, level).clean_estimate
    for other in (folder, folder / "weights.safetensors"):
        assert torch.equal(EDM(str(other), label_dropout=True)(x, level).clean_estimate, condition)
    assert main([str(path), str(folder)]) == 2
    assert "config.json exists; name another folder" in capsys.readouterr().err
    assert main([str(tmp_path / "absent.pkl"), str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Storage(Calls):
    """Pickles as the bytes of a storage."""

    def __init__(self, content: bytes) -> None:
        super().__init__(torch.storage._load_from_bytes, content)


def refusal(path: Path, content: bytes | object) -> str:
    """The one line that a file of this content is refused with."""
    with official_modules():
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=4))
    with pytest.raises(UserError) as error:
        EDM(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700
    return str(error.value).replace(str(path), "FILE")


SYSTEM = b"cposix\nsystem\n(S'touch SPRUNG'\ntR."
NAMING = {
    "os.system": (SYSTEM, "posix.system"),
    "os.system by an old opcode": (b"(S'touch SPRUNG'\niposix\nsystem\n.", "posix.system"),
    "eval": (b'cbuiltins\neval\n(S\'open("SPRUNG", "w")\'\ntR.', "builtins.eval"),
    "getattr": (b"\x80\x04cbuiltins\ngetattr\n.", "builtins.getattr"),
    "a name inside of a known module": (
        b"\x80\x04\x8c\x0dtorch.storage\x8c\x09os.system\x93.",
        "torch.storage.os.system",
    ),
    "the loader of torch itself": (b"ctorch\nload\n.", "torch.load"),
    "the function that runs source texts": (
        b"ctorch_utils.persistence\n_src_to_module\n.",
        "torch_utils.persistence._src_to_module",
    ),
    "another layer of torch": (b"ctorch.nn.modules.linear\nLinear\n.", "torch.nn.modules.linear.Linear"),
}


@pytest.mark.parametrize("case", NAMING)
def test_a_pickle_that_names_anything_else_is_refused_by_that_name_and_runs_nothing(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    content, name = NAMING[case]
    said = refusal(tmp_path / "evil.pkl", content)
    assert said.startswith(f"checkpoint FILE: refused, since loading it would run code ({name})")
    assert [file.name for file in tmp_path.iterdir()] == ["evil.pkl"]


def test_code_is_refused_wherever_in_the_file_it_is(tmp_path, monkeypatch):
    """In the state of a network, and in the bytes of a storage, which are a pickle themselves."""
    monkeypatch.chdir(tmp_path)
    evil = Calls(os.system, "touch SPRUNG")
    call, arguments = persistent("EDMPrecond", {"_init_args": (), "_init_kwargs": {"img_resolution": evil}})
    assert "(posix.system)" in refusal(tmp_path / "evil.pkl", {"ema": Calls(call, *arguments)})
    buffer = io.BytesIO()
    torch.save(evil, buffer, _use_new_zipfile_serialization=False)
    for content in (buffer.getvalue(), pickle.dumps(evil, protocol=2)):
        assert "(posix.system)" in refusal(tmp_path / "evil.pkl", {"ema": Storage(content)})
    assert [file.name for file in tmp_path.iterdir()] == ["evil.pkl"]


KNOWN = b"ctorch._utils\n_rebuild_parameter\n"
DAMAGED = {
    "nothing": b"",
    "a page": b"<!DOCTYPE html><html>Quota exceeded</html>",
    "an object of no file": b"\x80\x04P1\n.",
    "a function with a state": KNOWN + b"}(S'__defaults__'\nNub.",
    "a function with attributes": KNOWN + b"(N}(S'__defaults__'\n(NNtutb.",
    "a class with a state": b"ctorch.nn.modules.container\nModuleDict\n}(S'class_name'\nS'x'\nub.",
    "a dictionary with attributes": b"cdnnlib.util\nEasyDict\n)R}(S'keys'\nNub.",
    "a parameter of no tensor": KNOWN + b"(NNNtR.",
    "a call of what is none": b"(lp0\n(tR.",
    "a list without end": b"\x80\x04]" + b"](" * 20_000,
    "a text of more bytes than there are": b"\x80\x04\x8d" + (1 << 40).to_bytes(8, "little") + b"x",
    "an extension": b"\x80\x04\x82\x01.",
    "weights of torch": None,
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_or_tricky_pickle_is_one_line(tmp_path, case):
    content = DAMAGED[case]
    if content is None:
        buffer = io.BytesIO()
        torch.save({"weight": torch.zeros(2)}, buffer)
        content = buffer.getvalue()
    assert "truncated or no checkpoint" in refusal(tmp_path / "bad.pkl", content)


def test_a_pickle_cannot_change_what_reads_the_next_one(tmp_path, published):
    for case, content in DAMAGED.items():
        if content is not None and ("function" in case or "class" in case or "dictionary" in case):
            refusal(tmp_path / "bad.pkl", content)
    assert EDM(str(published)).shape == (4, 8, 8)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_truncated_file_is_called_truncated(published, kept):
    content = published.read_bytes()
    assert "truncated or no checkpoint" in refusal(published, content[: int(kept * len(content))])


def test_a_pointer_in_place_of_the_file_is_called_one(tmp_path):
    assert "git lfs pull" in refusal(tmp_path / "net.pkl", b"version https://git-lfs.github.com/spec/v1\n")


def tensor(size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Calls:
    buffer = io.BytesIO()
    numbers = torch.TypedStorage(wrap_storage=torch.zeros(4).untyped_storage(), dtype=torch.float32, _internal=True)
    torch.save(numbers, buffer, _use_new_zipfile_serialization=False)
    return Calls(torch._utils._rebuild_tensor_v2, Storage(buffer.getvalue()), offset, size, stride, False, {})


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((5,), (1,), 0), ((2, 2), (3, 1), 0), ((4,), (1,), 1), ((4,), (-1,), 3), ((4,), (1,), -1), ((1 << 60,), (1,), 0)],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, size, stride, offset):
    assert "truncated or no checkpoint" in refusal(tmp_path / "net.pkl", {"ema": tensor(size, stride, offset)})


@pytest.mark.parametrize("array", [np.array([None]), np.array(["text"]), np.zeros(1, [("a", "f4")])], ids=str)
def test_an_array_of_anything_but_numbers_is_refused(tmp_path, array):
    assert "numpy's type" in refusal(tmp_path / "net.pkl", {"ema": array})


def module(**state) -> dict:
    return {"_parameters": {}, "_buffers": {}, "_modules": {}, "_init_args": (), "_init_kwargs": TINY} | state


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "holds a list and no dictionary with the entry ema"),
        ({}, "has no network under ema, but nothing"),
        ({"G": 1, "D": 2}, "has no network under ema, but G, D; take a network-snapshot"),
        ({"ema": {"weight": 1}}, "has no network under ema, but ema"),
        ({"ema": ("EDMPrecond", {})}, "EDMPrecond does not say what it was made of"),
        ({"ema": ("EDMPrecond", module(_init_kwargs=3))}, "EDMPrecond does not say what it was made of"),
        ({"ema": ("EDMPrecond", module(_parameters={"a": 3}))}, "EDMPrecond is no network of torch"),
        ({"ema": ("EDMPrecond", module(_modules={"a": 3}))}, "EDMPrecond is no network of torch"),
        ({"ema": ("EDMPrecond", {"_init_kwargs": TINY})}, "EDMPrecond is no network of torch"),
        ({"ema": ("Generator", module())}, "a Generator, which is no network that is known here"),
        ({"ema": ("EDMPrecond", module(_init_kwargs={"img_resolution": 10**9}))}, "cannot be built of its arguments"),
        ({"ema": ("EDMPrecond", module())}, "missing: model."),
        ({"ema": ("EDMPrecond", module(_init_kwargs={"a": [[[[[[[1]]]]]]]}))}, "EDMPrecond is no network of torch"),
    ],
)  # fmt: skip
def test_a_file_without_the_network_says_what_it_has(tmp_path, content, said):
    if isinstance(content, dict) and isinstance(content.get("ema"), tuple):
        call, arguments = persistent(*content["ema"])
        content = {"ema": Calls(call, *arguments)}
    assert said in refusal(tmp_path / "net.pkl", content)


class Container:
    """Pickles as a container of torch that holds itself."""

    def __reduce__(self):
        return torch.nn.ModuleDict, (), module(_modules={"again": self})


def test_modules_inside_of_each_other_are_refused(tmp_path):
    call, arguments = persistent("EDMPrecond", module(_modules={"enc": Container()}))
    assert "is no network of torch" in refusal(tmp_path / "net.pkl", {"ema": Calls(call, *arguments)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "config.json cannot be read"),
        ("{half", "no JSON"),
        ("[]", "must hold class_name"),
        ('{"class_name": "EDMPrecond"}', "must hold class_name"),
        ('{"class_name": 3, "init_kwargs": {}}', "must hold class_name"),
        ('{"class_name": "EDMPrecond", "init_kwargs": []}', "must hold class_name"),
        ('{"class_name": "EDMPrecond", "init_kwargs": {}}', "cannot be built of its arguments"),
        ('{"class_name": "EDMPrecond", "init_kwargs": {"a": ' + "[" * 5000 + "]" * 5000 + "}}", "no JSON"),
    ],
)
def test_a_folder_whose_configuration_says_no_network_is_one_line(tmp_path, published, text, said):
    main([str(published), str(tmp_path / "folder")])
    config = tmp_path / "folder" / "config.json"
    config.unlink() if text is None else config.write_text(text)
    with pytest.raises(UserError) as error:
        EDM(str(tmp_path / "folder"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_with_nothing_there_is_named(tmp_path):
    for path in (tmp_path / "absent.pkl", tmp_path):
        with pytest.raises(UserError, match=r"no such file; give EDM's \.pkl, or a folder with"):
            EDM(str(path))


def _as_list(value):
    return value.tolist() if isinstance(value, np.ndarray) else value
