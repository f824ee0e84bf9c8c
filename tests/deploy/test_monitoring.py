"""The alert rules, the dashboard and their documents fit the metrics; each alert fires and is resolved."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from bot.monitoring.metrics import Metrics
from formatters.models.incident import IncidentKind
from tests.support.prometheus import find_program

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0][
    "rules"
]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
ROW = re.compile(r"\| `(?P<name>gwevent_\w+)` \| (?P<type>\w+) \|(?P<labels>[\w, ]*)\| .+ \|")


class Case(NamedTuple):
    """Series that make an alert fire for 60 minutes and then no longer, in promtool's notation."""

    series: dict[str, str]
    fires_at: str = "40m"
    resolved_at: str = "2h"


CASES = {
    "GweventDown": Case({'gwevent_build_info{version="1"}': "_x60 1x120"}),
    "GweventIncident": Case({'gwevent_trouble{what="silence"}': "1x60 0x120"}),
    "GweventNoNotices": Case({"gwevent_last_notice_age_seconds": "10801x60 12x120"}),
    "GweventSourceDisconnected": Case({'gwevent_source_connected{source="hopskotch"}': "0x60 1x120"}),
    "GweventSourceBehind": Case({'gwevent_source_lag{source="hopskotch"}': "3x60 0x120"}),
    "GweventSlackDisconnected": Case({"gwevent_slack_connected": "0x60 1x120"}),
    "GweventDatabaseDown": Case({"gwevent_store_up": "0x60 1x120"}),
    "GweventDiskNearlyFull": Case({"gwevent_store_free_bytes": "499000000x60 9000000000x120"}),
    "GweventDeliveriesWait": Case({"gwevent_oldest_delivery_age_seconds": "1201x60 0x120"}),
    "GweventNoWorker": Case({"gwevent_workers": "0x60 2x120"}),
    "GweventLeaseUnheld": Case({'gwevent_leases{holder="none"}': "1x60 _x120"}),
    "GweventTopicLost": Case(
        {'gwevent_topic_read{source="hopskotch",topic="gcn.circulars"}': "1x5 0x55 1x120"}
    ),
    "GweventTopicFault": Case(
        {'gwevent_topic_faults_total{source="hopskotch",topic="gcn.circulars"}': "0x30 1x150"}
    ),
    "GweventPayloadUnreadable": Case({'gwevent_payloads_total{handled="quarantined"}': "0x30 1x150"}),
    "GweventDeliveryGivenUp": Case(
        {'gwevent_delivery_outcomes_total{kind="root",outcome="dead"}': "0x30 1x150"}
    ),
    "GweventWebhookUnheard": Case({"gwevent_oldest_webhook_call_age_seconds": "0+60x60 0x120"}),
    "GweventPostsSlow": Case(
        {
            'gwevent_received_to_posted_seconds_bucket{le="60"}': "0x180",
            'gwevent_received_to_posted_seconds_bucket{le="300"}': "0+1x60 60x120",
            'gwevent_received_to_posted_seconds_bucket{le="+Inf"}': "0+1x60 60x120",
        }
    ),
    "GweventSlackRefuses": Case(
        {
            'gwevent_slack_calls_total{method="chat.postMessage",outcome="unavailable"}': "0+2x60 120x120",
            'gwevent_slack_calls_total{method="chat.postMessage",outcome="ok"}': "0+1x60 60+1x120",
        }
    ),
    "GweventRestarting": Case({'process_start_time_seconds{job="gwevent",instance="a"}': "0+10x60 600x120"}),
}
NEVER = " ".join(["NaN"] * 181)
QUIET = {
    "GweventSlackDisconnected": {"gwevent_slack_connected": NEVER},
    "GweventDiskNearlyFull": {"gwevent_store_free_bytes": NEVER},
    "GweventNoWorker": {"gwevent_workers": NEVER},
    "GweventWebhookUnheard": {'gwevent_oldest_webhook_call_age_seconds{instance="a"}': NEVER},
    "GweventNoNotices": {"gwevent_last_notice_age_seconds": NEVER},
    "GweventSourceBehind": {
        'gwevent_source_lag{source="hopskotch",instance="a"}': "3x180",
        'gwevent_source_lag{source="hopskotch",instance="b"}': "0x180",
    },
    "GweventLeaseUnheld": {'gwevent_leases{holder="a:1"}': "7x180"},
}
"""Series that must not fire: a value that doesn't apply, or another process that does the work."""


def families() -> dict[str, tuple[str, str]]:
    """Return gwevent's metrics: name -> type and labels."""
    metrics = {
        one for one in Metrics().registry._names_to_collectors.values() if isinstance(one, MetricWrapperBase)
    }
    return {one._name: (str(one._type), ", ".join(one._labelnames)) for one in metrics}


def queries() -> Iterator[str]:
    """Yield every query of the rules and of the dashboard."""
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])


def promtool(*arguments: str, folder: Path) -> None:
    done = subprocess.run(
        [find_program("promtool"), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_documented_metrics_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert {row["name"]: (row["type"], row["labels"].strip()) for row in ROW.finditer(page)} == families()


def labels_of(name: str) -> set[str] | None:
    """Return the labels of a series by its name in a query; None if there is no such metric."""
    known = families()
    base = re.sub(r"_(total|bucket|count|sum)$", "", name)
    found = known.get(name) or known.get(base)
    return None if found is None else {*found[1].split(", "), "le", "instance"}


def test_queries_use_existing_metrics_and_labels() -> None:
    for query in queries():
        names = re.findall(r"\b(gwevent_\w+)", query)
        allowed = [labels_of(name) for name in names]
        assert None not in allowed, query
        matched = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"", query)) - {"job"}
        grouped = {label for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(", ")}
        for labels in allowed:
            assert labels is not None and matched | grouped <= labels, query


def test_every_alert_and_incident_has_a_paragraph_in_the_runbook() -> None:
    page = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    found = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    alerts = [rule["alert"] for rule in RULES]
    assert found == [*(kind.value for kind in IncidentKind), *alerts]
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_way_to_a_runbook_url_in_the_readme_reaches_every_rule() -> None:
    page = (ROOT / "deploy" / "README.md").read_text("utf-8")
    found = re.search(r"sed 's\|(?P<path>[^|]+)\|(?P<url>[^|]+)\|' deploy/monitoring/alerts.yaml", page)
    assert found is not None
    text = (FOLDER / "alerts.yaml").read_text("utf-8").replace(found["path"], found["url"])
    changed: list[dict[str, Any]] = yaml.safe_load(text)["groups"][0]["rules"]
    for rule in changed:
        assert rule["annotations"]["runbook_url"].startswith("https://")
        assert "runbook" not in rule["annotations"]


def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", "alerts.yaml", folder=FOLDER)


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_alert_fires_and_is_resolved(alert: str, tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text((FOLDER / "alerts.yaml").read_text("utf-8"), "utf-8")
    case = CASES[alert]
    firing = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'

    def unit_test(series: dict[str, str], expected: dict[str, bool]) -> dict[str, Any]:
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": firing,
                    "eval_time": when,
                    "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                }
                for when, fires in expected.items()
            ],
        }

    tests = [unit_test(case.series, {case.fires_at: True, case.resolved_at: False})]
    if alert in QUIET:
        tests.append(unit_test(QUIET[alert], {case.fires_at: False, case.resolved_at: False}))
    text = yaml.safe_dump({"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests})
    (tmp_path / "test.yaml").write_text(text, "utf-8")
    promtool("test", "rules", "test.yaml", folder=tmp_path)
