"""Examples of environments: one of Ada's own, with one kernel, which is built."""

from typing import Any

from submarine_site.core.examples import ADA, ENVIRONMENT, IMAGE, JOINED

DIGEST = "5f0c3e0b8a6d4d27913c2f6e1a7b9d84c0e2f5a6b7c8d9e0f1a2b3c4d5e6f708"

KERNEL: dict[str, Any] = {
    "name": "churn",
    "display_name": "Churn",
    "channels": ["conda-forge"],
    "conda": ["python=3.12", "pandas"],
    "pip": ["scikit-learn"],
}

RESOLVED: dict[str, Any] = {
    "channels": ["conda-forge"],
    "conda": ["python 3.12.*", "pandas"],
    "pip": ["scikit-learn"],
}

BUILD: dict[str, Any] = {
    "digest": DIGEST,
    "kernel": "churn",
    "state": "built",
    "attempt": 1,
    "created_at": JOINED,
    "started_at": JOINED,
    "finished_at": "2026-01-12T08:31:47.020000Z",
    "size_bytes": 734003200,
    "error_code": "",
    "error": "",
}

QUEUED = {
    **BUILD,
    "state": "queued",
    "attempt": 2,
    "started_at": None,
    "finished_at": None,
    "size_bytes": None,
}

BUILD_LOG = {
    "digest": DIGEST,
    "state": "built",
    "attempt": 1,
    "text": "Installing 41 packages.\nDone in 102 s.\n",
}

LOCK = {
    "conda": [
        {
            "name": "pandas",
            "version": "2.3.3",
            "build": "py312hf79963d_1",
            "url": "https://conda.example.com/conda-forge/linux-64/pandas-2.3.3-py312hf79963d_1.conda",
            "sha256": "0" * 64,
        }
    ],
    "pip": [{"name": "scikit-learn", "version": "1.8.0", "hashes": [f"sha256:{'0' * 64}"]}],
}

VERSION: dict[str, Any] = {
    "number": 1,
    "image": IMAGE,
    "kernels": [{**KERNEL, "resolved": RESOLVED}],
    "builds": [BUILD],
    "needs_gpu": False,
    "smallest_cpu_milli": 0,
    "smallest_memory_mib": 1024,
    "note": "With scikit-learn.",
    "created_by": ADA,
    "created_at": JOINED,
}

ENVIRONMENT_NOW = {
    "name": ENVIRONMENT,
    "display_name": "Python",
    "description": "For the churn model.",
    "image": IMAGE,
    "owner": ADA,
    "groups": [],
    "enabled": True,
    "hidden": False,
    "deprecated": False,
    "deprecation": "",
    "successor": None,
    "created_at": JOINED,
    "updated_at": JOINED,
    "newest": VERSION,
}

NEW_VERSION = {
    "kernels": [KERNEL],
    "smallest_memory_mib": 1024,
    "note": "With scikit-learn.",
}

METADATA = {"display_name": "Python", "description": "For the churn model."}

NEW_ENVIRONMENT = {"name": ENVIRONMENT, **METADATA, **NEW_VERSION}
