"""Of a folder's files of weights the right ones are read: variants, shards, averages, pinned revisions."""

import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from dsg.errors import UserError
from dsg.models.diffusers import DiffusersModel
from dsg.models.diffusers.files import find_pipeline
from tests.models.test_diffusers import level_of, saved, state, tiny_unet
from tests.models.test_weights import sha256

diffusers = pytest.importorskip("diffusers")

COMMIT, OTHER = "a" * 40, "b" * 40


def assert_answers_as(unet, model):
    torch.testing.assert_close(model(state(), level_of(model, 7)).epsilon, unet(state(), 7).sample)


def other_unet():
    unet = tiny_unet()
    with torch.no_grad():
        unet.conv_out.bias += 1.0
    return unet


def rewritten(folder, change):
    """The weights of a pipeline under other names or entries, as a pickle."""
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(change(load_file(file)), file.with_suffix(".bin"))
    file.unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
        lambda weights: {"model": {n: 0 * t for n, t in weights.items()}, "ema": weights, "step": 1},
    ],
    ids=["module", "ema"],
)
def test_prefixes_and_averages_are_seen_through(tmp_path, change):
    unet = saved(tmp_path)
    rewritten(tmp_path, change)
    assert_answers_as(unet, DiffusersModel(str(tmp_path)))


def twice(folder, index):
    """Put a tensor of the first shard into the second one too."""
    first, second, *_ = sorted(folder.glob("*-of-*"))
    one, two = load_file(first), load_file(second)
    save_file({**two, min(one): one[min(one)]}, second)


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_are_read_together_and_each_is_told(tmp_path, safe, variant):
    unet = saved(tmp_path)
    shutil.rmtree(tmp_path / "unet")
    unet.save_pretrained(tmp_path / "unet", safe_serialization=safe, variant=variant, max_shard_size="20KB")
    model = DiffusersModel(str(tmp_path), variant=variant)
    assert DiffusersModel(str(tmp_path)).weights == model.weights  # the only variant need not be stated
    assert_answers_as(unet, model)
    shards = sorted((tmp_path / "unet").glob("*-of-*"))
    assert len(shards) > 1
    for shard in shards:
        assert model.weights[f"unet/{shard.name}"] == sha256(shard)


def test_the_configurations_are_told_with_the_weights(tmp_path):
    saved(tmp_path)
    told = DiffusersModel(str(tmp_path)).weights
    expected = ["unet/config.json", "scheduler/scheduler_config.json", "unet/diffusion_pytorch_model.safetensors"]
    assert sorted(told) == sorted(expected)
    assert all(told[name] == sha256(tmp_path / name) for name in expected)


def test_a_variant_is_taken_when_it_is_stated_or_the_only_one(tmp_path, caplog):
    unet, half = saved(tmp_path), other_unet()
    half.save_pretrained(tmp_path / "unet", variant="fp16")
    assert_answers_as(unet, DiffusersModel(str(tmp_path)))
    assert_answers_as(half, DiffusersModel(str(tmp_path), variant="fp16"))
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with caplog.at_level(logging.WARNING):
        assert_answers_as(half, DiffusersModel(str(tmp_path)))
    assert "took the variant fp16" in caplog.text
    half.save_pretrained(tmp_path / "unet", variant="ema")
    with pytest.raises(UserError, match="no variant is stated; it has ema, fp16: set variant"):
        DiffusersModel(str(tmp_path))
    with pytest.raises(UserError, match="variant fp8 of the weights is missing; it has ema, fp16"):
        DiffusersModel(str(tmp_path), variant="fp8")


def test_weights_of_half_precision_are_loaded_as_float32(tmp_path):
    unet = saved(tmp_path).half()
    unet.save_pretrained(tmp_path / "unet")
    model = DiffusersModel(str(tmp_path))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert_answers_as(unet.float(), model)


def test_the_average_beside_a_training_s_network_is_taken_and_said(tmp_path, caplog):
    from diffusers.training_utils import EMAModel

    unet, average = tiny_unet(), other_unet()
    folder = tmp_path / "checkpoint-500"
    unet.save_pretrained(folder / "unet")
    ema = EMAModel(average.parameters(), model_cls=diffusers.UNet2DModel, model_config=average.config)
    ema.save_pretrained(folder / "unet_ema")
    diffusers.DDPMScheduler().save_pretrained(tmp_path / "scheduler")
    with caplog.at_level(logging.WARNING):
        assert_answers_as(average, DiffusersModel(str(folder)))
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder}: took the averaged weights of unet_ema, and not unet"
    ]
    assert_answers_as(unet, DiffusersModel(str(folder / "unet")))
    assert_answers_as(average, DiffusersModel(str(folder / "unet_ema")))


def test_a_file_of_weights_is_read_with_the_configurations_beside_it(tmp_path):
    unet = saved(tmp_path)
    folder = tmp_path / "unet"
    (folder / "diffusion_pytorch_model.safetensors").rename(folder / "step_5000.safetensors")
    assert_answers_as(unet, DiffusersModel(str(folder / "step_5000.safetensors")))
    with pytest.raises(UserError, match=r"weights are missing; .* another name give that file itself as path"):
        DiffusersModel(str(tmp_path))
    with pytest.raises(UserError, match=r"variant fp16: .* is one file"):
        DiffusersModel(str(folder / "step_5000.safetensors"), variant="fp16")
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"configuration is missing; looked for .*config.json; copy it"):
        DiffusersModel(str(folder / "step_5000.safetensors"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder, index: next(folder.glob("*00002-of*")).unlink(), r"index.json: 1 of \d+ shards are missing"),
        (lambda folder, index: index.unlink(), "shards of weights .* without their .index.json"),
        (lambda folder, index: index.write_text('{"weight_map": {"a": "../b"}}'), r"outside its folder \(\.\./b\)"),
        (lambda folder, index: index.write_text("[]"), r"index.json: no index of shards"),
        (lambda folder, index: index.write_text('{"weight_map": {}}'), r"index.json: names no shard"),
        (twice, "as another shard has; download the shards again"),
        (
            lambda folder, index: index.write_text(
                json.dumps({"weight_map": {"a": next(folder.glob("*00001-of*")).name}})
            ),
            "does not fit the network's options: .* missing",
        ),
    ],
    ids=["shard missing", "index missing", "outside", "no index", "empty index", "a tensor twice", "index of fewer"],
)
def test_shards_that_are_not_whole_are_refused(tmp_path, spoil, words):
    tiny_unet().save_pretrained(tmp_path, max_shard_size="20KB")
    diffusers.DDPMScheduler().save_pretrained(tmp_path)
    spoil(tmp_path, tmp_path / "diffusion_pytorch_model.safetensors.index.json")
    with pytest.raises(UserError, match=words):
        DiffusersModel(str(tmp_path))


def hub_cache(folder, monkeypatch):
    """The hub's cache with two commits of org/tiny, of which `main` is the second, and no way to the hub."""
    import huggingface_hub

    def no_network(*args, **kwargs):
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", no_network)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", no_network)
    model = folder / "models--org--tiny"
    unets = {}
    for commit, unet in ((OTHER, tiny_unet()), (COMMIT, other_unet())):
        unets[commit] = saved(model / "snapshots" / commit, unet)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    (model / "refs" / "v1").write_text(OTHER)
    return model, unets


def test_a_pinned_commit_is_taken_from_the_cache_and_from_there_alone(tmp_path, monkeypatch):
    _, unets = hub_cache(tmp_path, monkeypatch)
    for commit, unet in unets.items():
        assert_answers_as(unet, DiffusersModel("org/tiny", revision=commit))
    with pytest.raises(UserError, match=r"model org/tiny at revision c{40}: .*the hub did not give it"):
        DiffusersModel("org/tiny", revision="c" * 40)


@pytest.mark.parametrize("revision", [None, OTHER, "v1"])
def test_a_folder_of_the_hub_s_cache_is_read_at_any_revision(tmp_path, monkeypatch, revision):
    folder, unets = hub_cache(tmp_path, monkeypatch)
    assert_answers_as(unets[COMMIT if revision is None else OTHER], DiffusersModel(str(folder), revision=revision))
    with pytest.raises(UserError, match=f"has no revision v2; it has {COMMIT}, {OTHER}"):
        find_pipeline(str(folder), revision="v2")


def test_the_commit_that_a_moving_revision_is_at_is_said(tmp_path, monkeypatch, caplog):
    folder, _ = hub_cache(tmp_path, monkeypatch)
    fetched = []

    def fetch(name, revision, allow_patterns):
        fetched.append(allow_patterns)
        return str(folder / "snapshots" / OTHER)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    with caplog.at_level(logging.WARNING):
        find_pipeline("org/tiny", revision="v1")
    assert f"org/tiny: is at {OTHER} now; set revision to that" in caplog.text
    assert len(fetched) == 1
    assert "unet/diffusion_pytorch_model.safetensors" in fetched[0]


def test_pickles_and_variants_are_fetched_only_where_nothing_else_is_there(tmp_path, monkeypatch):
    folder, _ = hub_cache(tmp_path, monkeypatch)
    unet = folder / "snapshots" / OTHER / "unet"
    weights = load_file(unet / "diffusion_pytorch_model.safetensors")
    (unet / "diffusion_pytorch_model.safetensors").unlink()

    def fetch(name, revision, allow_patterns):
        if "unet/diffusion_pytorch_model*" in allow_patterns:
            save_file(weights, unet / "diffusion_pytorch_model.fp16.safetensors")
        return str(folder / "snapshots" / OTHER)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert find_pipeline("org/tiny").network.weights == (unet / "diffusion_pytorch_model.fp16.safetensors",)


def test_a_revision_of_a_plain_folder_is_refused(tmp_path):
    saved(tmp_path / "tiny")
    with pytest.raises(UserError, match=r"revision main: .*tiny is on disk and has none"):
        find_pipeline(str(tmp_path / "tiny"), revision="main")
