"""The documentation's settings."""

from __future__ import annotations

import inspect
import pkgutil

from sphinx.pycode import ModuleAnalyzer

import trio_socketio
import trio_socketio.testing

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

PUBLIC = {
    module: {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    for module in (trio_socketio, trio_socketio.testing)
}
"""The public modules, with what they export."""

INTERNAL = {
    f"trio_socketio.{name}"
    for name in (
        "CORS.listed",
        "CORS.patterns",
        "Cookie.header",
        "EngineConfig.serves",
        "EngineConfig.upgrades_from",
        "Response.header_list",
        "Target.to",
        "Target.without",
        "TrustedProxies.find",
        "TrustedProxies.resolve",
        "TrustedProxies.trusts",
    )
}
"""Methods that other layers of the library call, and nobody else."""

COLON = "\N{PRESENTATION FORM FOR VERTICAL COLON}"
"""Stands for a colon for a moment; no docstring of ours holds it."""


def find_docstrings_of_fields() -> None:
    """Show Sphinx where the docstrings under fields and attributes stand, and the order of members.

    Public classes say that they belong to ``trio_socketio`` or its ``testing``; their source is in a module of another name.
    """
    for public in PUBLIC:
        shown = ModuleAnalyzer.for_module(public.__name__)
        shown.analyze()
        for module in pkgutil.walk_packages(public.__path__, f"{public.__name__}."):
            if not module.name.endswith("__main__"):
                private = ModuleAnalyzer.for_module(module.name)
                private.analyze()
                shown.attr_docs |= private.attr_docs
                shown.tagorder |= private.tagorder


def hide_colon(app, what, name, value, options, lines: list[str]) -> None:
    """Keep napoleon from taking the text before an attribute's first colon for its type."""
    if what in {"attribute", "property", "data"} and lines:
        lines[0] = lines[0].replace(": ", f"{COLON} ")


def show_colon(app, what, name, value, options, lines: list[str]) -> None:
    """Undo it."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def public_members(module, name: str, value: object) -> set[str]:
    """The full names that the reference must hold for a public name: itself, its methods, what has a docstring."""
    members = {f"{module.__name__}.{name}"}
    if inspect.isclass(value):
        own = {key for key, member in vars(value).items() if inspect.isfunction(member) or isinstance(member, property)}
        fields = {field for owner, field in ModuleAnalyzer.for_module(module.__name__).attr_docs if owner == name}
        members |= {f"{module.__name__}.{name}.{member}" for member in own | fields if not member.startswith("_")}
    return members


def check_that_all_is_documented(app, env) -> list[str]:
    """A public name, or a public member of one, that no page documents is an error."""
    wanted = {
        member
        for module, names in PUBLIC.items()
        for name, value in names.items()
        for member in public_members(module, name, value)
    }
    documented = {name for name, *_ in env.get_domain("py").get_objects()}
    missing = wanted - documented - INTERNAL
    if missing:
        raise RuntimeError(f"not documented: {', '.join(sorted(missing))}")
    return []


def setup(app) -> None:
    find_docstrings_of_fields()
    app.connect("autodoc-process-docstring", hide_colon, priority=400)
    app.connect("autodoc-process-docstring", show_colon, priority=600)
    app.connect("env-check-consistency", check_that_all_is_documented)
