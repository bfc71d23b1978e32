"""The documentation's settings."""

from __future__ import annotations

import inspect

import trio_socketio

project = "trio_socketio"
copyright = "2026, the trio_socketio developers"
release = version = trio_socketio.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
]
html_theme = "furo"
html_static_path = ["_static"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_rtype = False
nitpicky = True
# Names of other projects, and of ours that stand in signatures without being public.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!trio_socketio\.[A-Z]).*"),
]


def check_that_all_is_documented(app, env) -> list[str]:
    """A public name that no page documents is an error."""
    public = {
        name
        for name in vars(trio_socketio)
        if not name.startswith("_") and not inspect.ismodule(getattr(trio_socketio, name))
    }
    documented = {name.rpartition(".")[2] for name, *_ in env.get_domain("py").get_objects()}
    missing = public - documented - {"annotations"}
    if missing:
        raise RuntimeError(f"not documented: {', '.join(sorted(missing))}")
    return []


def setup(app) -> None:
    app.connect("env-check-consistency", check_that_all_is_documented)
