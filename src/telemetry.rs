//! What the process tells about itself: log lines on stderr and metrics for Prometheus.

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Seconds of a call to a model; labels of the OpenTelemetry conventions for `GenAI` with `_` for `.`.
pub const OPERATION_DURATION: &str = "gen_ai_client_operation_duration_seconds";
/// Seconds to the first chunk of a streamed answer.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai_client_operation_time_to_first_chunk_seconds";
/// Tokens of a call; `gen_ai_token_type` is `input` or `output`.
pub const TOKEN_USAGE: &str = "gen_ai_client_token_usage";
/// Seconds of an HTTP request, to the headers of its answer; a streamed body goes on after them.
pub const REQUEST_DURATION: &str = "http_server_request_duration_seconds";
/// Seconds of one `stage` of a search.
pub const RETRIEVAL_DURATION: &str = "portolan_retrieval_duration_seconds";
/// Searches by `outcome`: `hit` was answered from memory, `miss` was made, `not_kept` failed or was degraded.
pub const SEARCH_CACHE: &str = "portolan_search_cache_total";

/// The bounds that the `GenAI` conventions advise for durations.
/// <https://github.com/open-telemetry/semantic-conventions-genai>, `docs/gen-ai/gen-ai-metrics.md`
const OPERATION_SECONDS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// The bounds that the `GenAI` conventions advise for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The bounds that the HTTP conventions advise.
const REQUEST_SECONDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// Stages take from a tenth of a millisecond to a second.
const STAGE_SECONDS: [f64; 13] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

const HISTOGRAMS: [(&str, &[f64]); 5] = [
    (OPERATION_DURATION, &OPERATION_SECONDS),
    (TIME_TO_FIRST_CHUNK, &OPERATION_SECONDS),
    (TOKEN_USAGE, &TOKENS),
    (REQUEST_DURATION, &REQUEST_SECONDS),
    (RETRIEVAL_DURATION, &STAGE_SECONDS),
];

/// Sends log lines to stderr, coloured on a terminal alone; `filter` is in `EnvFilter`'s notation, such as
/// `portolan=debug,info`, and `format` is `json`, or `text` or nothing for people.
///
/// A filter that cannot be read becomes `info`. Only the first call has an effect.
pub fn start(filter: &str, format: &str) {
    let (parsed, problem) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(problem) => (EnvFilter::new("info"), Some(problem)),
    };
    let mut lines = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr);
    if !std::io::stderr().is_terminal() {
        lines = lines.with_ansi(false);
    }
    let started = if format == "json" {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.try_init()
    };
    if started.is_err() {
        return;
    }
    if let Some(problem) = problem {
        tracing::warn!(filter, %problem, "the log filter cannot be read; `info` is used");
    }
    if !matches!(format, "" | "text" | "json") {
        tracing::warn!(
            format,
            "PORTOLAN_LOG_FORMAT is unknown; `text` is used, `json` is the other one"
        );
    }
}

/// The metrics of this process; the first call installs their recorder. `render` gives the text for Prometheus.
///
/// Whoever serves for long calls `run_upkeep` every few seconds, or samples pile up between two scrapes.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let mut builder = PrometheusBuilder::new();
    for (name, bounds) in HISTOGRAMS {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.into()), bounds)
            .expect("no list of bounds is empty");
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; `/metrics` stays empty");
    }
    describe_histogram!(OPERATION_DURATION, Unit::Seconds, "Time of a call to a model.");
    describe_histogram!(
        TIME_TO_FIRST_CHUNK,
        Unit::Seconds,
        "Time to the first chunk of a streamed answer."
    );
    describe_histogram!(TOKEN_USAGE, Unit::Count, "Tokens of a call to a model, by type.");
    describe_histogram!(REQUEST_DURATION, Unit::Seconds, "Time of an HTTP request.");
    describe_counter!(SEARCH_CACHE, "Searches by whether the cache had them.");
    describe_histogram!(RETRIEVAL_DURATION, Unit::Seconds, "Time of one stage of a search.");
    handle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_histogram_has_its_name_its_help_and_its_bounds() {
        let handle = metrics();
        for (name, bounds) in HISTOGRAMS {
            metrics::histogram!(name).record(bounds[3]);
            let text = handle.render();
            assert!(text.contains(&format!("# HELP {name} ")), "{text}");
            let bucket = format!("{name}_bucket{{le=\"{}\"}} 1\n", bounds[3]);
            assert!(text.contains(&bucket), "{bucket} in {text}");
            assert!(
                !text.contains(&format!("{name}_bucket{{le=\"{}\"}} 1\n", bounds[2])),
                "{text}"
            );
        }
    }
}
