"""`gwevent doctor`: run the checks of `bot.doctor` and print their findings."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from bot.cli.runner import fail, load_deployment, run_async


def doctor(
    post: Annotated[
        str | None,
        typer.Option("--post", metavar="CHANNEL", help="Also post a TEST message in this channel (its id)."),
    ] = None,
) -> None:
    """Check all of a deployment; say what to do about each finding."""
    from bot.doctor import sample_post
    from bot.doctor.checks import run_checks
    from formatters.terminal.findings import Level, format_findings

    if post is not None and not re.fullmatch(r"[CG][A-Z0-9]{2,}", post):
        fail("--post needs a channel's id, like C0123456789 (a channel's details end with it).")
    deployment = load_deployment(quiet=False)
    settings = deployment.settings
    findings = run_async(run_checks(settings, deployment.env_file))
    if post is not None:
        findings.append(run_async(sample_post.post_sample(settings, post)))
    typer.echo(format_findings(findings))
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)
