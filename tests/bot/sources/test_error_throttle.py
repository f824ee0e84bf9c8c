import structlog
from confluent_kafka import KafkaError
from structlog.testing import LogCapture

from bot.sources.error_throttle import ThrottledErrorLog


def test_logs_each_kind_of_error_once_in_a_while_and_counts_the_rest() -> None:
    capture = LogCapture()
    now = [0.0]
    log = ThrottledErrorLog(
        structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.BoundLogger),
        interval_s=60.0,
        clock=lambda: now[0],
    )
    for _ in range(1000):
        log(KafkaError(KafkaError._TRANSPORT))
    log(KafkaError(KafkaError._AUTHENTICATION))
    now[0] = 61.0
    log(KafkaError(KafkaError._TRANSPORT))
    log(KafkaError(KafkaError._TRANSPORT))
    assert [(entry["code"], entry["suppressed"]) for entry in capture.entries] == [
        ("_TRANSPORT", 0),
        ("_AUTHENTICATION", 0),
        ("_TRANSPORT", 999),
    ]
