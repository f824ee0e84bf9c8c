"""`gwevent doctor`: run the checks of `bot.doctor` and print their findings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.cli.runner import fail, load_deployment, run_async


def doctor(
    post: Annotated[
        str | None,
        typer.Option("--post", metavar="CHANNEL", help="Also post a TEST message in this channel (its id)."),
    ] = None,
    live: Annotated[
        str | None,
        typer.Option(
            "--live",
            metavar="CHANNEL",
            help="Also try each kind of message in this channel (its id), and delete them all again.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="With --live: keep the raw answers, secrets cut out."),
    ] = None,
) -> None:
    """Check all of a deployment; say what to do about each finding."""
    from bot.doctor import sample_post
    from bot.doctor.checks import run_checks
    from bot.doctor.live import run_live_checks
    from bot.doctor.live_report import to_json_lines
    from formatters.terminal.findings import Level, format_findings

    for option, channel in (("--post", post), ("--live", live)):
        if channel is not None and not re.fullmatch(r"[CG][A-Z0-9]{2,}", channel):
            fail(f"{option} needs a channel's id, like C0123456789 (a channel's details end with it).")
    if record is not None and live is None:
        fail("--record keeps what --live CHANNEL is answered; give both.")
    if record is not None:
        # Before minutes of work, whose findings would be lost with it.
        _write(record, "", "a")
    deployment = load_deployment(quiet=False)
    settings = deployment.settings
    findings = run_async(run_checks(settings, deployment.env_file))
    if post is not None:
        findings.append(run_async(sample_post.post_sample(settings, post)))
    if live is not None:
        report = run_async(run_live_checks(settings, live))
        findings += report.findings
        if record is not None:
            _write(record, to_json_lines(report))
    typer.echo(format_findings(findings))
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


def _write(path: Path, text: str, mode: Literal["a", "w"] = "w") -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}.")
