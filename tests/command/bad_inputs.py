"""What users get wrong, by area: the options, and the words that the one line has to have.

`{}` is the folder that `bad_files` fills. A run that a mistake is about is made first, and spoilt by `spoil`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ADM = ("--model.score_model", "dsg.models.adm.ADM", "--model.score_model.checkpoint")
DIFFUSERS = ("--model.score_model", "dsg.models.diffusers.DiffusersModel", "--model.score_model.path")
LATENT = ("--model.score_model", "dsg.models.diffusers.LatentDiffusion", "--model.score_model.path")
CONDITIONAL = ("--model.score_model.class_path", "tests.toy_faults.Conditional")
NETWORK = "--model.score_model.init_args.network"
OWN = (
    "--model.score_model", "dsg.models.network.NetworkModel", "--model.score_model.network", "tests.toy.ToyClassifier",
    "--model.score_model.shape", "[3,16,16]",
)  # fmt: skip
NOISE = "--model.task.init_args.noise"
REFERENCE = ("--distribution.features", "[portraits]", "--distribution.reference")


class Mistake(NamedTuple):
    """One case.

    Args:
        options: of `predict`, after those of a run that is right.
        words: what the line holds.
        code: 1 where images fail by name and the run goes on, else 2.
        spoil: what happens to the folder of a run of one image before the command is given again.
    """

    options: tuple[str, ...]
    words: tuple[str, ...]
    code: int = 2
    spoil: Callable[[Path], object] | None = None


def _(*options: str, says: tuple[str, ...], code: int = 2, spoil: Callable[[Path], object] | None = None) -> Mistake:
    return Mistake(options, says, code, spoil)


def _write(name: str, content: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(content)


def _append(name: str, content: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text((run / name).read_text() + content)


OPTIONS = {
    "unknown option": _("--model.nonsense", "1", says=("--model.nonsense", "lists the options")),
    "misspelt option": _("--model.step", "1", says=("--model.step", "did you mean --model.steps?")),
    "option without its dots": _("--steps", "5", says=("--steps",)),
    "word that is no option": _("data", says=("data",)),
    "unknown parameter": _("--model.guidance.guidance_ratee", "1", says=("model.guidance", "'guidance_ratee'")),
    "unknown module": _("--model.score_model", "nope.Model", says=("model.score_model", "No module named 'nope'")),
    "unknown class": _(
        "--model.guidance", "dsg.guidance.Nope", says=("model.guidance", "no attribute 'Nope'", "it has BODDNM")
    ),
    "class without its module": _("--model.guidance", "Nope", says=("model.guidance", "Nope")),
    "unknown parameter of a class": _(
        "--model.guidance.guidance_rat", "0.3",
        says=("'guidance_rat' is not accepted", "it has base, guidance_rate"),
    ),
    "class of another kind": _("--model.score_model", "tasks.Denoising", says=("model.score_model", "ScoreModel")),
    "no number": _("--model.guidance.guidance_rate", "much", says=("guidance_rate", "float", "much")),
    "half an image": _("--data.batch_size", "1.5", says=("data", "batch_size", "int or 'auto'", "got 1.5")),
    "no truth value": _("--model.clip_denoised", "perhaps", says=("model.clip_denoised", "bool", "perhaps")),
    "no such choice": _("--model.spacing", "odd", says=("model.spacing", "odd", "Even", "LogSNR", "Karras")),
    "option without its value": _("--model.steps", says=("model.steps", "expected one argument")),
    "Lightning's seed": _("--seed_everything", "3", says=("seed_everything", "set model.seed 3")),
    "Lightning's seed of its own choice": _("--seed_everything", "true", says=("seed_everything", "set model.seed N")),
    "Lightning's seed 0": _("--seed_everything=0", says=("seed_everything", "set model.seed 0")),
    "Lightning's seed in a file": _("--config", "{}/seeded.yaml", says=("seed_everything", "set model.seed 42")),
    "some batches": _("--trainer.limit_predict_batches", "1", says=("limit_predict_batches", "set data.limit")),
    "some batches in a file": _("--config", "{}/batches.yaml", says=("limit_predict_batches", "set data.limit")),
    "option of training": _("--trainer.max_epochs", "3", says=("trainer.max_epochs", "predict --help")),
    "no task": _("--model.task", "null", says=("model.task",)),
}  # fmt: skip

METHODS = {
    "rate above 1": _("--model.guidance.guidance_rate", "1.5", says=("guidance_rate", "[0, 1]", "1.5")),
    "rate below 0": _("--model.guidance.guidance_rate", "-0.1", says=("guidance_rate", "[0, 1]", "-0.1")),
    "rate that is not a number": _("--model.guidance.guidance_rate", ".nan", says=("guidance_rate", "[0, 1]", "nan")),
    "interval 0": _("--model.guidance.interval", "0", says=("interval", "at least 1", "0")),
    "negative step size": _(
        "--model.guidance", "dsg.guidance.DPS", "--model.guidance.step_size", "-1",
        says=("step_size", "at least 0", "-1"),
    ),
    "step size that is not a number": _(
        "--model.guidance", "dsg.guidance.DPS", "--model.guidance.step_size", ".nan",
        says=("step_size", "at least 0", "nan"),
    ),
    "infinite step size": _(
        "--model.guidance", "dsg.guidance.DPS", "--model.guidance.step_size", ".inf",
        says=("step_size", "inf"),
    ),
    "linear method on another task": _(
        "--model.task", "tasks.JPEG", "--model.guidance", "dsg.guidance.DDNM", says=("DDNM", "linear", "JPEG", "use"),
    ),
    "DSG without noise": _(
        "--model.kernel.init_args.eta", "0", says=("DSG", "DDIM(eta=0.0) has σ = 0", "model.kernel.eta above 0")
    ),
    "eta above 1": _("--model.kernel.init_args.eta", "2", says=("eta", "[0, 1]", "2")),
    "eta that is not a number": _("--model.kernel.init_args.eta", ".nan", says=("eta", "[0, 1]", "nan")),
    "drop_min 0": _("--model.task.init_args.drop_min", "0", says=("drop_min", "0 < drop_min <= drop_max < 1")),
    "drop_max 1": _("--model.task.init_args.drop_max", "1", says=("drop_max", "0 < drop_min <= drop_max < 1")),
    "negative noise": _(
        NOISE, "tasks.GaussianNoise", f"{NOISE}.init_args.noise_sigma", "-1", says=("noise_sigma", "at least 0", "-1")
    ),
    "noise that is not a number": _(
        NOISE, "tasks.GaussianNoise", f"{NOISE}.init_args.noise_sigma", ".nan", says=("noise_sigma", "nan")
    ),
    "factor that does not divide": _(
        "--model.task", "tasks.SuperResolution", "--model.task.factor", "8", "--model.score_model.size", "20",
        "--data.image_size", "20", says=("factor 8", "20x20"),
    ),
    "square that does not fit": _("--model.task", "tasks.BoxInpainting", says=("BoxInpainting", "16x16")),
    "no steps": _("--model.steps", "0", says=("steps", "at least 1", "0")),
    "more steps than levels": _("--model.steps", "1001", says=("steps", "1 to 1000", "1001")),
    "guided-diffusion's steps": _("--model.steps", "ddim50", says=("model.steps", "ddim50", "IntegerStride")),
    "steps in words": _("--model.steps", "many", says=("model.steps", "int", "many")),
    "stride that does not exist": _(
        "--model.steps", "999", "--model.spacing", "IntegerStride", says=("steps", "no integer stride", "999")
    ),
    "variance that is not learned": _(
        "--model.kernel", "dsg.diffusion.kernels.DDPM", "--model.kernel.variance", "learned_range",
        says=("learned_range", "fixed_small"),
    ),
    "guidance by class without classes": _(
        "--model.combiner", "dsg.combiners.ClassifierFree", "--model.combiner.guidance_scale", "2", says=("class",)
    ),
}  # fmt: skip

DATA = {
    "no data": _("--data", "null", says=("data",)),
    "no image folder": _("--data.root", "{}/nowhere", says=("data.root", "no folder at", "nowhere")),
    "file instead of a folder": _("--data.root", "{}/labels.csv", says=("data.root", "no folder at", "labels.csv")),
    "image folder without images": _("--data.root", "{}/empty", says=("data.root", "no image", "empty")),
    "folder of other files": _("--data.root", "{}/documents", says=("data.root", "no image", ".png", "documents")),
    "two images of one id": _("--data.root", "{}/twins", says=("data.root", "share the id x", "rename")),
    "images of another size": _("--data.image_size", "32", says=("3x32x32", "3x16x16", "data.image_size")),
    "images of another shape": _(
        "--data.image_size", "[16, 32]", "--data.channels", "1",
        says=("1x16x32", "image_size to 16 and data.channels to 3"),
    ),
    "image size of three numbers": _("--data.image_size", "[3, 16, 16]", says=("data", "image_size", "int")),
    "two channels": _("--data.channels", "2", says=("data.channels", "3, or 1", "2")),
    "more images before the first than there are": _("--data.first", "6", says=("data.first", "6 images", "less")),
    "run folder as data": _("--data.root", "{}/finished", says=("data.root", "the folder of a run", "samples")),
    "image that lies in another's file": _("--data.root", "{}/nested", says=("x.png/y", "samples/x.png", "rename")),
    "class folders from 1 on": _(
        *CONDITIONAL, "--data.labels", "folders", "--data.root", "{}/from_one",
        says=("data.labels", "not 0 to 1", "1 is at place 0", "CSV file"),
    ),
    "fewer class folders than classes": _(
        *CONDITIONAL, "--data.labels", "folders", "--data.root", "{}/two_classes",
        says=("data.labels", "2 class folders", "3 classes", "CSV file"),
    ),
    "labels that are there twice": _(
        "--data.labels", "{}/twice.csv", says=("data.labels", "twice.csv line 2 names a, as line 1 does")
    ),
    "image size 0": _("--data.image_size", "0", says=("data.image_size", "at least 1", "0")),
    "images too small": _("--data.root", "{}/small", says=("failed: x: ", "8x8", "16x16"), code=1),
    "text called an image": _("--data.root", "{}/text", says=("failed: x: cannot read", "x.png"), code=1),
    "empty image file": _("--data.root", "{}/nothing", says=("failed: x: cannot read", "x.png"), code=1),
    "truncated image": _("--data.root", "{}/torn", says=("failed: x: cannot read", "x.png"), code=1),
    "limit 0": _("--data.limit", "0", says=("data.limit", "at least 1")),
    "no samples": _("--data.samples_per_image", "0", says=("data.samples_per_image", "at least 1")),
    "empty batches": _("--data.batch_size", "0", says=("data.batch_size", "at least 1")),
    "negative workers": _("--data.num_workers", "-1", says=("data.num_workers", "at least 0")),
    "labels for an unconditional model": _("--data.labels", "{}/labels.csv", says=("data.labels", "unconditional")),
    "labels of flat images": _("--data.labels", "folders", says=("data.labels", "folder a class")),
    "no labels file": _("--data.labels", "{}/none.csv", says=("data.labels", "no file at", "none.csv")),
    "labels that are names": _("--data.labels", "{}/names.csv", says=("data.labels", "line 2", "whole number", "cat")),
    "labels of other images": _("--data.labels", "{}/others.csv", says=("data.labels", "no line for 6 images")),
    "no labels for a conditional model": _(*CONDITIONAL, says=("needs labels", "data.labels")),
    "labels out of range": _(
        *CONDITIONAL, "--data.labels", "{}/labels.csv", says=("data.labels", "0 to 2", "got 5")
    ),
    "labels of no metadata": _("--data.labels", "metadata", says=("data.labels", "no metadata")),
    "metadata of no images": _("--data.root", "{}/unnamed", says=("metadata.csv", "no file_name", "caption")),
    "metadata of other images": _("--data.root", "{}/listed", says=("metadata.jsonl", "line 1 names z.png")),
    "draws from a model that has none": _(
        "--data", "dsg.data.mixture_draws.MixtureDraws", says=("MixtureDraws", "GaussianMixture")
    ),
}  # fmt: skip

CHECKPOINTS = {
    "no checkpoint": _(*ADM, "{}/none.pt", says=("none.pt", "no such file")),
    "checkpoint that is a folder": _(*ADM, "{}/empty", says=("empty", "no such file")),
    "checkpoint not named": _("--model.score_model", "dsg.models.adm.ADM", says=("checkpoint", "required")),
    "empty checkpoint": _(*ADM, "{}/zero.pt", says=("zero.pt", "truncated or no checkpoint", "0 bytes")),
    "web page instead of a checkpoint": _(*ADM, "{}/page.pt", says=("page.pt", "truncated or no checkpoint")),
    "truncated checkpoint": _(*ADM, "{}/truncated.pt", says=("truncated.pt", "truncated or no checkpoint")),
    "truncated safetensors": _(*ADM, "{}/truncated.safetensors", says=("truncated or no checkpoint",)),
    "foreign checkpoint": _(*ADM, "{}/foreign.pt", says=("foreign.pt", "does not fit", "missing")),
    "training checkpoint": _(*ADM, "{}/training.pt", says=("training.pt [state_dict]", "does not fit", "missing")),
    "checkpoint with code": _(*ADM, "{}/code.pt", says=("code.pt", "refused", "run code")),
    "options of no network": _(
        *ADM, "{}/foreign.pt", "--model.score_model.image_size", "100", says=("image_size", "100")
    ),
    "network of one's own with other weights": _(
        *OWN, "--model.score_model.checkpoint", "{}/foreign.pt", says=("foreign.pt", "does not fit", "missing")
    ),
    "no pipeline": _(*DIFFUSERS, "{}/empty", says=("empty", "config")),
    "pipeline that is nowhere": _(*DIFFUSERS, "{}/nowhere", says=("nowhere",)),
    "latent pipeline": _(*DIFFUSERS, "{}/latent", says=("latent", "pixel-space")),
    "pipeline of another class": _(
        *DIFFUSERS, "{}/dit", says=("a DiTPipeline, which dsg.models.diffusers.DiT reads, and not DiffusersModel",)
    ),
    "prompt of a model that is told of none": _("--model.score_model.prompt", "snow", says=("prompt",)),
    "pipeline of another model than of text": _(
        "--model.score_model", "dsg.models.diffusers.StableDiffusion", "--model.score_model.path", "{}/dit",
        says=("a DiTPipeline, which dsg.models.diffusers.DiT reads, and not StableDiffusion",),
    ),
    "pipeline without a part": _(*LATENT, "{}/halved", says=("halved", "part unet is missing", "copy that folder")),
    "no pipeline of latents": _(*LATENT, "{}/empty", says=("empty", "no pipeline of diffusers", "model_index.json")),
    "precision that no decoder has": _(
        *LATENT, "{}/halved", "--model.score_model.decoding.dtype", "half", says=("decoding", "'bfloat16'", "half")
    ),
    "mixture without means": _(
        "--model.score_model", "dsg.models.mixture.GaussianMixture", says=("GaussianMixture", "means")
    ),
}  # fmt: skip

CONFIGURATIONS = {
    "no configuration of that name": _(
        "--config", "portraits_inpaint_dsg", says=("no file at portraits_inpaint_dsg", "portraits_inpainting_dsg")
    ),
    "no configuration": _("--config", "{}/none.yaml", says=("--config", "no file at", "none.yaml")),
    "configuration without a name": _("--config", says=("--config", "names no file")),
    "configuration that is a folder": _("--config", "{}/empty", says=("--config", "no file at", "empty")),
    "configuration that is a picture": _("--config", "{}/images/a.png", says=("a.png", "not YAML")),
    "configuration that is not YAML": _("--config", "{}/broken.yaml", says=("broken.yaml", "not YAML", "line 2")),
    "configuration that is a sentence": _("--config", "{}/sentence.yaml", says=("sentence.yaml", "no settings")),
    "configuration of a comparison": _(
        "--config", "configs/comparison/smoke.yaml", says=("predict has no option", "comparison")
    ),
    "misspelt line": _("--config", "{}/misspelt.yaml", says=("model.guidance", "'guidance_ratee'")),
    "unknown line": _("--config", "{}/unknown.yaml", says=("predict has no option modell.steps", "lists the options")),
    "files that contradict each other": _(
        "--config",
        "{}/undecided.yaml",
        says=("one.yaml sets model.steps to 3", "two.yaml to 4", "set it in", "undecided.yaml", "its own --config"),
    ),
    "table of strengths that is not there": _(
        "--strengths", "{}/none.yaml", says=("strengths", "none.yaml", "No such")
    ),
    "table of strengths that is none": _(
        "--strengths", "{}/misspelt.yaml", says=("strengths", "list of rows", "chosen")
    ),
    "callback without a class": _("--callbacks.manifold.enabled", "true", says=("callbacks.manifold", "class_path")),
    "callback that is none": _("--callbacks.mine", "tasks.Denoising", says=("callbacks.mine", "Callback")),
    "unknown callback": _("--callbacks.mine", "callbacks.Manifolds", says=("callbacks.mine", "it has", "Manifold")),
    "callbacks in a list": _("--config", "{}/listed.yaml", says=("callbacks: must hold `name: {class_path",)),
    "callback without its judge": _(
        "--callbacks.classification", "callbacks.Classification", says=("callbacks.classification", "judge")
    ),
    "posterior that is not known": _(
        "--callbacks.posterior", "callbacks.Posterior", says=("callbacks.posterior", "ImageFolder", "MixtureDraws")
    ),
    "include of nothing": _("--config", "{}/dangling.yaml", says=("gone.yaml", "included by", "dangling.yaml")),
    "circle of includes": _("--config", "{}/circle.yaml", says=("circle.yaml includes itself",)),
    "include that is no list": _("--config", "{}/text.yaml", says=("include", "list of files", "'circle.yaml'")),
}

RUN_FOLDERS = {
    "foreign run folder": _("--run_dir", "{}/images", says=("run_dir", "not empty and no run folder")),
    "run folder that is a file": _("--run_dir", "{}/broken.yaml", says=("run_dir", "is a file")),
    "run folder below a file": _("--run_dir", "{}/broken.yaml/run", says=("run_dir", "Not a directory")),
    "run folder that cannot be made": _("--run_dir", "/proc/nothing/run", says=("run_dir", "cannot write")),
    "run of another seed": _(
        "--model.seed", "1", says=("model.seed was 0, now 1", "another run_dir", "--fresh"), spoil=lambda run: None
    ),
    "run of another method": _(
        "--model.guidance", "dsg.guidance.DPS", "--model.guidance.step_size", "1",
        says=("class_path was 'dsg.guidance.DSG', now 'dsg.guidance.DPS'", "--fresh"), spoil=lambda run: None,
    ),
    "run of before callbacks were listed": _(
        says=("manifold was {'enabled': False}, now None", "another run_dir", "--fresh"),
        spoil=_append("config.yaml", "manifold: {enabled: false}\n"),
    ),
    "damaged settings": _(says=("run_dir", "config.yaml is damaged"), spoil=_write("config.yaml", "model: [")),
    "empty settings": _(says=("run_dir", "config.yaml is damaged"), spoil=_write("config.yaml", "")),
    "lost settings": _(
        says=("run_dir", "not empty and no run folder"), spoil=lambda run: (run / "config.yaml").unlink()
    ),
    "journal that is a folder": _(
        says=("rank1.jsonl", "directory"), spoil=lambda run: (run / "rows" / "rank1.jsonl").mkdir()
    ),
}  # fmt: skip

WEIGHTS = {
    "no such network": _("--quality.lpips", "[resnet]", says=("quality.lpips", "'vgg', 'alex', 'squeeze'", "resnet")),
    "no such features": _("--distribution.features", "[nope]", says=("distribution.features", "nope")),
    "no reference": _(*REFERENCE, "{}/nowhere", says=("distribution.reference", "no folder and no .npz")),
    "reference without pictures": _(*REFERENCE, "{}/empty", says=("distribution.reference", "no image")),
    "reference that is not there": _(*REFERENCE, "{}/none.npz", says=("distribution.reference", "none.npz")),
    "reference of other keys": _(*REFERENCE, "{}/keys.npz", says=("distribution.reference", "mu (d,)")),
    "reference with code": _(*REFERENCE, "{}/code.npz", says=("distribution.reference", "code.npz", "mu (d,)")),
    "misnamed reference": _(*REFERENCE, "clean-fid:ffhq", says=("distribution.reference", "NAME:SPLIT:RESOLUTION")),
    "features of no pictures": _(
        "--distribution.features", "[inception]", "--distribution.subset", "1",
        says=("distribution.subset", "at least 2"),
    ),
    "judge without a class": _(
        "--callbacks.classification", "callbacks.Classification",
        "--callbacks.classification.judge", "tests.toy.ToyClassifier",
        says=("callbacks.classification.judge", "no labels"),
    ),
}  # fmt: skip

DEVICES = {
    "no such strategy": _("--trainer.strategy", "magic", says=("trainer", "magic")),
    "a precision that the device lacks": _("--trainer.precision", "16-mixed", says=("trainer: precision 16-mixed",)),
    "no such precision": _("--trainer.precision", "13", says=("trainer.precision", "'bf16-mixed'")),
    "no such accelerator": _("--trainer.accelerator", "abacus", says=("trainer", "abacus")),
    "accelerator that is not there": _("--trainer.accelerator", "tpu", says=("trainer", "devices auto")),
    "no device": _("--trainer.devices", "0", says=("trainer", "devices", "0")),
    "devices in words": _("--trainer.devices", "some", says=("trainer", "devices", "int > 0")),
    "negative devices": _("--trainer.devices", "-2", says=("trainer", "devices", "int > 0")),
    "no machine": _("--trainer.num_nodes", "0", says=("trainer", "num_nodes")),
    "inference mode": _("--trainer.inference_mode", "true", says=("trainer.inference_mode to false",)),
    "negative interval of the progress": _("--progress.interval", "-1", says=("progress.interval", "at least 0")),
    "no steps to show": _("--diagnostics.clean_estimates", "0", says=("Diagnostics", "clean_estimates", "at least 1")),
}

AREAS = {
    "options": OPTIONS, "methods": METHODS, "data": DATA, "checkpoints": CHECKPOINTS,
    "configurations": CONFIGURATIONS, "run folders": RUN_FOLDERS, "weights": WEIGHTS, "devices": DEVICES,
}  # fmt: skip
BAD_INPUTS = {f"{area}: {name}": case for area, cases in AREAS.items() for name, case in cases.items()}
