"""Sets of samples are compared exactly, whatever batches and restarts they came in, and without a download."""

from __future__ import annotations

import hashlib
import json
import math
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.linalg import sqrtm
from torch import Tensor, nn

from benchmarks.portraits.statistics import fingerprint
from callbacks import Distribution
from dsg.data.folder import ImageFolder
from dsg.data.image_file import to_uint8
from dsg.data.portraits import HELD_OUT_START, render
from dsg.errors import UserError
from dsg.metrics.distribution import distances
from dsg.metrics.diversity import mean_pairwise, pixel_deviation
from dsg.metrics.feature_set import FeatureSet, collect, read_statistics
from dsg.metrics.features import FeatureNetwork, extract, read_rgb
from dsg.metrics.frechet import Moments, Statistics, frechet_distance
from dsg.metrics.inception import FILE, Inception
from dsg.metrics.kernel import kernel_distance
from dsg.metrics.neighbours import precision_and_recall
from dsg.metrics.portraits import REFERENCE, PortraitFeatures
from dsg.metrics.reference import read_reference
from dsg.metrics.save_reference import main as save_reference_command
from dsg.metrics.save_reference import save_reference
from dsg.metrics.summary import summarise

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
CPU = torch.device("cpu")
SMALL = ("--model.score_model.init_args.size", 5, "--data.init_args.image_size", 5)
TOY = ("--distribution.features", "[tests.metrics.test_distribution.ToyFeatures]")


class ToyFeatures(FeatureNetwork):
    """The mean colour of a picture."""

    name, dimension = "toy", 3

    @staticmethod
    def prepare(picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture).float() / 255

    def forward(self, prepared: Tensor) -> Tensor:
        return prepared.mean((1, 2))


class NeedsEight(ToyFeatures):
    """Says so."""

    name, least_side = "eight", 8


class CannotTakeFive(ToyFeatures):
    """Says nothing of it."""

    name = "five"

    def forward(self, prepared: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(prepared.permute(0, 3, 1, 2), 8).mean((2, 3))


def draws(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def statistics(features: Tensor) -> Statistics:
    moments = Moments(features.shape[1])
    moments.add(features)
    return moments.statistics()


def frechet_of_few(x: Tensor, y: Tensor) -> float:
    """The Fréchet distance of n and m features by their (n, m) inner products: tr (Σ₁Σ₂)^½ is the sum of the singular
    values of X Yᵀ/√((n−1)(m−1)), with X and Y without their means.
    """
    x, y = x.double(), y.double()
    a, b = ((z - z.mean(0)) / math.sqrt(len(z) - 1) for z in (x, y))
    cross = torch.linalg.svdvals(a @ b.T).sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + a.square().sum() + b.square().sum() - 2 * cross).item()


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def save(image: np.ndarray, file: Path) -> Path:
    pixels = np.rint((image.transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture(scope="module")
def fake_inception(tmp_path_factory) -> Path:
    """TorchScript with the interface of the Inception file: `layers` of normalised pictures → 2048 features."""

    class Fake(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            linear = nn.Linear(48, 2048)
            linear.weight.data = torch.randn(2048, 48, generator=torch.Generator().manual_seed(0))
            self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), linear)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    file = tmp_path_factory.mktemp("inception") / FILE
    torch.jit.script(Fake()).save(str(file))
    return file


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args):
        raise AssertionError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_the_frechet_distance_of_commuting_gaussians_is_that_of_their_deviations():
    first = Statistics(torch.tensor([1.0, 2.0]).double(), torch.diag(torch.tensor([4.0, 9.0]).double()))
    second = Statistics(torch.tensor([0.0, 0.0]).double(), torch.diag(torch.tensor([1.0, 16.0]).double()))
    assert frechet_distance(first, second) == pytest.approx(5 + (2 - 1) ** 2 + (3 - 4) ** 2, abs=1e-12)


def test_the_frechet_distance_is_that_of_the_matrix_root():
    first, second = statistics(draws(60, 12)), statistics(draws(60, 12, 1) @ draws(12, 12, 2))
    root = np.trace(sqrtm((first.covariance @ second.covariance).numpy())).real
    expected = (first.mean - second.mean).square().sum() + (first.covariance + second.covariance).trace() - 2 * root
    assert frechet_distance(first, second) == pytest.approx(expected.item(), abs=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected.item(), abs=1e-8)


def test_the_frechet_distance_of_singular_covariances_keeps_its_digits():
    few = statistics(draws(5, 40))
    assert abs(frechet_distance(few, few)) < 1e-10
    point = Statistics(few.mean, torch.zeros(40, 40).double())
    assert frechet_distance(few, point) == pytest.approx(few.covariance.trace().item())


def test_sums_over_parts_are_those_of_one_pass():
    features = draws(101, 7).float() + 3
    whole = statistics(features)
    assert torch.allclose(whole.covariance, features.double().T.cov(), rtol=0, atol=1e-12)
    parts = [Moments(7) for _ in range(3)]
    for rank, part in enumerate(parts):
        for batch in features[rank::3].split(4):
            part.add(batch)
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    merged = parts[0].statistics()
    assert merged.n == 101
    assert frechet_distance(merged, whole) == pytest.approx(0, abs=1e-12)
    assert torch.allclose(merged.covariance, whole.covariance, rtol=0, atol=1e-12)


def test_a_subset_is_picked_evenly_whatever_the_batches_and_the_statistics_are_of_all():
    features = torch.arange(10.0)[:, None].repeat(1, 2)
    for size in (1, 3, 10):
        found = collect(iter(features.split(size)), 10, 2, subset=4)
        assert found.features is not None
        assert found.features[:, 0].tolist() == [0, 2, 5, 7]
        assert found.statistics.n == 10
        assert found.statistics.mean.tolist() == [4.5, 4.5]


def test_the_kernel_distance_is_the_unbiased_double_loop(monkeypatch):
    monkeypatch.setattr("dsg.metrics.kernel.BLOCK", 2)
    x, y = draws(5, 3), draws(4, 3, 1)

    def k(a: Tensor, b: Tensor) -> float:
        return (a @ b / 3 + 1).item() ** 3

    def mean_over_pairs(a: Tensor) -> float:
        values = [k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
        return sum(values) / len(values)

    across = sum(k(a, b) for a in x for b in y) / 20
    assert kernel_distance(x, y) == pytest.approx(mean_over_pairs(x) + mean_over_pairs(y) - 2 * across, abs=1e-12)


def test_precision_and_recall_are_those_of_a_double_loop_over_balls(monkeypatch):
    monkeypatch.setattr("dsg.metrics.neighbours.BLOCK", 4)
    samples, reference = draws(13, 3), draws(10, 3, 1) + 0.8

    def share_inside(points: Tensor, members: Tensor, k: int) -> float:
        radii = [sorted(math.dist(a, b) for j, b in enumerate(members) if j != i)[k - 1] for i, a in enumerate(members)]
        inside = [any(math.dist(p, a) <= r for a, r in zip(members, radii, strict=True)) for p in points]
        return sum(inside) / len(points)

    for k in (1, 3):
        found = precision_and_recall(samples, reference, k)
        assert found == (share_inside(samples, reference, k), share_inside(reference, samples, k))
        assert 0 < min(found) < 1


def test_precision_and_recall_of_equal_sets_are_one_and_of_distant_sets_zero(monkeypatch):
    monkeypatch.setattr("dsg.metrics.neighbours.BLOCK", 8)
    x = draws(20, 5)
    assert precision_and_recall(x, x.clone()) == (1.0, 1.0)
    assert precision_and_recall(x[:1].repeat(5, 1), x[:1].repeat(5, 1)) == (1.0, 1.0)
    assert precision_and_recall(x, x + 100) == (0.0, 0.0)


def test_a_mode_that_is_missing_costs_recall_and_one_that_is_invented_costs_precision():
    near, far = draws(40, 3), draws(40, 3, 1) + 50
    precision, recall = precision_and_recall(near, torch.cat([near, far]))
    assert precision == 1.0
    assert recall == 0.5
    assert precision_and_recall(torch.cat([near, far]), near) == (0.5, 1.0)


def test_fewer_samples_than_features_are_warned_of_and_statistics_alone_give_no_kernel_distance():
    features = draws(3, 3).float()
    found = distances(
        ToyFeatures(), FeatureSet(statistics(features), features), FeatureSet(statistics(draws(9, 3))), "s.npz"
    )
    assert found.metrics["fd_toy"]["n"] == 3
    assert found.warnings == [
        "fd_toy: 3 samples give a singular covariance of 3 features; the distance depends on their number more than on "
        "the method"
    ]
    assert set(found.unavailable) == {"kd_toy", "precision_toy", "recall_toy"}
    assert "kd_toy: needs features, and the reference (s.npz) has mu and sigma alone" in found.unavailable["kd_toy"]


def test_statistics_are_read_from_a_file_and_what_is_no_such_file_is_named(tmp_path):
    known = statistics(draws(9, 3))
    np.savez(tmp_path / "good.npz", mu=known.mean.numpy(), sigma=known.covariance.numpy())
    read = read_statistics(tmp_path / "good.npz", 3)
    assert torch.equal(read.statistics.covariance, known.covariance)
    assert read.features is None
    np.savez(tmp_path / "features.npz", feats=draws(9, 3).numpy())
    assert torch.equal(read_statistics(tmp_path / "features.npz").statistics.covariance, known.covariance)
    np.savez(tmp_path / "code.npz", mu=np.array([{}]), sigma=np.zeros((1, 1)))
    for name in ("code.npz", "missing.npz"):
        with pytest.raises(UserError, match=rf"{name} cannot be read as a \.npz with mu"):
            read_statistics(tmp_path / name)
    with pytest.raises(UserError, match="covariance of 3x3, and 64 features are compared"):
        read_statistics(tmp_path / "good.npz", 64)


def test_a_reference_that_is_saved_gives_what_its_folder_gives(tmp_path, image_folder):
    out = tmp_path / "reference.npz"
    assert save_reference(image_folder, out, ToyFeatures(), CPU, subset=4, num_workers=0) == 6
    saved = read_statistics(out, 3)
    files = sorted(image_folder.rglob("*.png"))
    direct = collect(extract(ToyFeatures(), files, CPU), 6, 3, subset=4)
    assert torch.equal(saved.statistics.covariance, direct.statistics.covariance)
    assert saved.features is not None
    assert torch.equal(saved.features, direct.features)
    assert saved.statistics.n == 6


def test_a_reference_can_be_cropped_as_data_is(tmp_path, image_folder, capsys):
    out = tmp_path / "reference.npz"
    save_reference(image_folder, out, ToyFeatures(), CPU, subset=4, num_workers=0, size=(8, 4))
    data = ImageFolder(str(image_folder), image_size=(8, 4))
    images = torch.stack([data.load(image_id).image for image_id in data.image_ids()])
    features = (to_uint8(images).float() / 255).mean((2, 3)).double()
    assert torch.allclose(read_statistics(out, 3).statistics.covariance, torch.cov(features.T), atol=1e-8)
    options = [str(image_folder), "--out", str(out), "--features", "portraits", "--device", "cpu", "--image_size", "64"]
    assert save_reference_command(options) == 2
    assert "smaller than the model's 64x64" in capsys.readouterr().err


def test_no_more_features_of_a_file_are_taken_than_the_subset(tmp_path):
    np.savez(tmp_path / "features.npz", feats=draws(9, 3).numpy())
    found, source = read_reference(str(tmp_path / "features.npz"), ToyFeatures(), iter, subset=4)
    assert found.features is not None
    assert len(found.features) == 4
    assert found.statistics.n == 9
    assert source == str(tmp_path / "features.npz")


def test_the_shipped_statistics_belong_to_the_shipped_judge():
    with np.load(REFERENCE) as arrays:
        assert str(arrays["weights"]) == fingerprint()
        assert arrays["n"] == 2000


def test_held_out_portraits_are_nearer_to_the_reference_than_noise(tmp_path):
    network = PortraitFeatures()
    found = []
    for kind in ("portraits", "noise"):
        noise = np.random.default_rng(0)
        pictures = [
            render(HELD_OUT_START + i).image if kind == "portraits" else noise.uniform(-1, 1, (3, 64, 64))
            for i in range(24)
        ]
        files = [save(picture, tmp_path / f"{kind}_{i}.png") for i, picture in enumerate(pictures)]
        whole = collect(extract(network, files, CPU), 24, 64, 100)
        alone = collect(extract(network, files, CPU, batch_size=5), 24, 64, 100)
        reference = FeatureSet(network.statistics())
        values = [distances(network, s, reference, "own").metrics["fd_portraits"]["mean"] for s in (whole, alone)]
        assert values[0] == pytest.approx(values[1], rel=1e-6)
        found.append(values[0])
    assert 0 < found[0] < found[1] / 2
    assert math.isfinite(found[1])


def test_a_missing_inception_network_is_named_and_not_downloaded(evaluate, tmp_path, image_folder, offline, capsys):
    options = ("--distribution.features", "[inception]", "--distribution.reference", image_folder)
    assert evaluate(*options, "--distribution.inception", tmp_path / "nowhere" / FILE) == 0
    reason = metrics(tmp_path / "run")["unavailable"]["fid_clean"]
    assert f"wants {FILE} in {tmp_path / 'nowhere'}" in reason
    assert capsys.readouterr().err.count("fid_clean, kid_clean, precision_clean, recall_clean: ") == 1
    (tmp_path / FILE).write_bytes(b"no TorchScript")
    with pytest.raises(UserError, match="its SHA-256 is"):
        Inception(tmp_path)
    with pytest.raises(UserError, match="is no TorchScript"):
        Inception(tmp_path, sha256(tmp_path / FILE))


def test_the_whole_path_runs_with_an_inception_network_that_is_there(
    evaluate, tmp_path, image_folder, fake_inception, offline
):
    options = ("--distribution.features", "[inception]", "--distribution.inception", fake_inception)
    options = (*options, "--distribution.inception_sha256", sha256(fake_inception))
    assert evaluate(*options, "--distribution.reference", image_folder) == 0
    found = metrics(tmp_path / "run")
    network = Inception(fake_inception.parent, sha256(fake_inception))
    samples, references = (
        torch.cat(list(extract(network, sorted(folder.rglob("*.png")), CPU)))
        for folder in (tmp_path / "run" / "samples", image_folder)
    )
    assert samples.shape == (6, 2048)
    assert found["metrics"]["fid_clean"]["mean"] == pytest.approx(frechet_of_few(samples, references), rel=1e-6)
    assert found["metrics"]["kid_clean"]["mean"] == pytest.approx(kernel_distance(samples, references), rel=1e-6)
    assert found["metrics"]["precision_clean"]["n"] == found["metrics"]["fid_clean"]["reference_n"] == 6
    assert len(found["warnings"]) == 3
    assert "another file than the published one" in found["warnings"][-1]


def test_features_are_those_of_clean_fid(fake_inception):
    from cleanfid.inception_torchscript import InceptionV3W

    pictures = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 255
    own = Inception(fake_inception, sha256(fake_inception))
    theirs = InceptionV3W(str(fake_inception.parent), download=False)
    assert own.note is not None
    torch.testing.assert_close(own(pictures), theirs(pictures), rtol=0, atol=0)


def test_an_inception_file_in_a_shared_folder_is_not_run_unless_it_is_the_published_one(fake_inception, monkeypatch):
    def run(*args, **options):
        raise AssertionError("it was run")

    monkeypatch.setattr(torch.jit, "load", run)
    with pytest.raises(UserError, match=r"f58cb9b6\w{56} is expected; .* \(distribution.inception_sha256\)"):
        Inception(fake_inception.parent)


def test_a_grey_picture_is_three_equal_channels_to_every_network(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (16, 20), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    prepared = Inception.prepare(read_rgb(tmp_path / "grey.png"))
    assert torch.equal(prepared[0], prepared[1])
    assert torch.equal(prepared[0], prepared[2])


def test_pictures_are_resized_as_clean_fid_does():
    from cleanfid.resize import make_resizer

    picture = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    expected = make_resizer("PIL", False, "bicubic", (299, 299))(picture)
    assert np.array_equal(Inception.prepare(picture).permute(1, 2, 0).numpy(), expected)
    assert expected.dtype == np.float32


def test_a_network_whose_pictures_are_too_small_is_unavailable_before_the_first_sample(
    evaluate, tmp_path, image_folder, capsys
):
    options = ("--distribution.reference", image_folder, "--distribution.features")
    both = "[tests.metrics.test_distribution.NeedsEight,tests.metrics.test_distribution.ToyFeatures]"
    assert evaluate(*SMALL, *options, both) == 0
    reason = "wants pictures of at least 8x8 pixels, and the model's are 5x5"
    said = capsys.readouterr().err
    assert said.count(f"unavailable: fd_eight, kd_eight, precision_eight, recall_eight: {reason}") == 1
    for start in range(2):  # the second one has nothing left to sample
        found = metrics(tmp_path / "run")
        assert reason in found["unavailable"]["kd_eight"]
        assert "fd_toy" in found["metrics"]
        assert "fd_eight" not in found["metrics"]
        if not start:
            (tmp_path / "run" / "metrics.json").unlink()
            assert evaluate(*SMALL, *options, both) == 0


def test_a_reference_that_clean_fid_does_not_hold_here_is_unavailable_with_its_file(evaluate, tmp_path, offline):
    assert evaluate(*TOY, "--distribution.reference", "clean-fid:nothing:test:64") == 0
    reason = metrics(tmp_path / "run")["unavailable"]["fd_toy"]
    assert "wants nothing_clean_test_64.npz in " in reason
    assert "cleanfid/stats" in reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*TOY,), "distribution.reference: toy brings none along; give a folder"),
        ((*TOY, "--distribution.reference", "nowhere"), "nowhere is no folder and no .npz"),
        ((*TOY, "--distribution.reference", "nowhere.npz"), "nowhere.npz cannot be read as a .npz"),
        ((*TOY, "--distribution.reference", "clean-fid:ffhq"), "got clean-fid:ffhq"),
        (("--distribution.features", "[portraits]"), "portraits needs pictures of 64x64, got 16x16"),
        (("--distribution.inception_sha256", "f58c"), "distribution.inception_sha256: must be 64 hexadecimal digits"),
        (
            (*SMALL, "--distribution.features", "[tests.metrics.test_distribution.CannotTakeFive]"),
            "distribution.features: five cannot take pictures of 5x5 (",
        ),
        (("--distribution.subset", "1"), "distribution.subset: must be at least 2, got 1"),
    ],
)
def test_a_mistake_is_found_before_the_first_sample(evaluate, tmp_path, capsys, options, words):
    assert evaluate(*options) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "rows").exists()


def test_neither_restarts_nor_batches_change_a_value(evaluate, tmp_path, image_folder):
    toy = (*TOY, "--distribution.reference", image_folder)
    assert evaluate(*toy, into="undisturbed") == 0
    assert evaluate(*toy, "--data.limit", 2) == 0
    assert metrics(tmp_path / "run")["metrics"]["fd_toy"]["n"] == 2
    assert evaluate(*toy, "--distribution.batch_size", 4) == 0
    whole, parts = (metrics(tmp_path / name)["metrics"] for name in ("undisturbed", "run"))
    for name in ("fd_toy", "kd_toy", "precision_toy", "recall_toy"):
        assert parts[name]["n"] == 6
        assert parts[name]["mean"] == pytest.approx(whole[name]["mean"], rel=1e-9)


def test_an_interruption_leaves_out_what_the_same_command_then_adds(evaluate, tmp_path, image_folder, monkeypatch):
    toy = (*TOY, "--distribution.reference", image_folder)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Distribution, "_measure", interrupted)
        assert evaluate(*toy) == 130
    found = metrics(tmp_path / "run")
    assert found["interrupted"]
    assert found["metrics"]["psnr"]["n"] == 6
    assert "fd_toy" not in found["metrics"]
    assert evaluate(*toy) == 0
    found = metrics(tmp_path / "run")
    assert "interrupted" not in found
    assert found["metrics"]["fd_toy"]["n"] == 6


def test_a_finished_run_is_compared_with_another_reference_without_sampling_again(evaluate, tmp_path, image_folder):
    assert evaluate(*TOY, "--distribution.reference", image_folder) == 0
    assert metrics(tmp_path / "run")["metrics"]["fd_toy"]["mean"] > 0.01
    assert evaluate(*TOY, "--distribution.reference", tmp_path / "run" / "samples") == 0
    found = metrics(tmp_path / "run")["metrics"]["fd_toy"]
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert settings["distribution"]["reference"] == str(tmp_path / "run" / "samples")
    assert found["mean"] == pytest.approx(0, abs=1e-12)
    assert found["reference"] == str(tmp_path / "run" / "samples")
    assert len((tmp_path / "run" / "rows" / "rank0.jsonl").read_text().splitlines()) == 6


def test_samples_that_failed_are_left_out_and_counted(evaluate, tmp_path, image_folder):
    (image_folder / "b.png").write_bytes(b"no picture")
    assert evaluate(*TOY, "--distribution.reference", image_folder / "more") == 1
    found = metrics(tmp_path / "run")
    assert found["metrics"]["fd_toy"]["n"] == 5
    assert [failure["id"] for failure in found["failures"]] == ["b"]


def test_a_picture_that_is_damaged_costs_the_metric_and_not_the_run(evaluate, tmp_path, image_folder):
    toy = (*TOY, "--distribution.reference", image_folder)
    assert evaluate(*toy) == 0
    (tmp_path / "run" / "samples" / "a.png").write_bytes(b"no picture")  # one that is gone is made again
    (tmp_path / "run" / "metrics.json").unlink()
    assert evaluate(*toy) == 0
    assert "cannot read " in metrics(tmp_path / "run")["unavailable"]["fd_toy"]


def test_diversity_is_the_deviation_and_the_distance_between_pairs():
    samples = torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1).expand(3, 3, 4, 4)
    assert pixel_deviation(samples) == 1.0

    class Distance(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return (a - b).abs().mean((1, 2, 3))

    assert mean_pairwise(Distance(), samples) == pytest.approx(4 / 3)


def test_several_samples_have_a_diversity_a_score_and_a_spread(evaluate, tmp_path, image_folder):
    assert evaluate("--data.samples_per_image", 3) == 0
    found = metrics(tmp_path / "run")["metrics"]
    files = [tmp_path / "run" / "samples" / name for name in ("a.png", "a.1.png", "a.2.png")]
    assert np.stack([np.asarray(Image.open(file)) for file in files]).std(0).any()
    assert found["diversity_pixel"]["n"] == found["crps_pixel"]["n"] == found["std_psnr"]["n"] == 6
    assert 0 < found["diversity_pixel"]["low"] <= found["diversity_pixel"]["high"] < 1
    assert found["psnr_worst"]["mean"] < found["psnr"]["mean"] < found["psnr_best"]["mean"]
    excess = found["coverage_pixel_minus_nominal"]["mean"]
    assert found["coverage_pixel"]["nominal"] == 0.5
    assert found["coverage_pixel"]["mean"] - 0.5 == pytest.approx(excess)
    assert evaluate(into="single") == 0
    single = metrics(tmp_path / "single")["metrics"]
    assert not {"diversity_pixel", "psnr_best", "psnr_worst", "std_psnr", "crps_pixel"} & single.keys()


def test_scores_around_the_truth_are_of_the_pictures_in_the_folder(evaluate, tmp_path, image_folder):
    assert evaluate("--data.samples_per_image", 2, "--data.limit", 1) == 0
    one, other = (np.asarray(Image.open(tmp_path / "run" / "samples" / n)) / 255 for n in ("a.png", "a.1.png"))
    truth = np.asarray(Image.open(image_folder / "a.png")) / 255
    expected = (abs(one - truth) + abs(other - truth)) / 2 - abs(one - other) / 2
    found = metrics(tmp_path / "run")["metrics"]
    assert found["crps_pixel"]["mean"] == pytest.approx(expected.mean(), abs=1e-6)


def test_the_best_lpips_is_the_smallest():
    rows = [
        {
            "id": "a",
            "sample": k,
            "status": "ok",
            "psnr": float(k),
            "lpips_vgg": float(k),
            "seconds": 1.0,
            "warm_up": False,
        }
        for k in range(3)
    ]
    found = summarise(rows)["metrics"]
    assert [found[f"{name}_{end}"]["mean"] for name in ("psnr", "lpips_vgg") for end in ("best", "worst")] == [
        2,
        0,
        0,
        2,
    ]
    assert "seconds_best" not in found
