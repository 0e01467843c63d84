//! The gateway's config header, made from a route. The form is that of Portkey's `x-portkey-config`.

use serde_json::{Value, json};

use super::routes::{Route, Strategy, Target};
use crate::error::{Error, Result};

/// The gateway's server takes 16 KB of headers in all; the config leaves room for the others.
const MAX_BYTES: usize = 15_000;
/// Attempts after the first.
pub const RETRIES: u32 = 2;
/// Only what asking again may mend at once.
const RETRY_ON: [u16; 2] = [429, 503];
/// The gateway refuses an address without a key, even where the server behind it wants none.
const NO_KEY: &str = "none";

/// The header's value: one line of JSON with the targets and their keys. Never to be logged.
pub fn header(route: &Route) -> Result<String> {
    let text = value(route).to_string();
    if text.len() > MAX_BYTES {
        let detail = format!(
            "the route `{}` makes a config of {} bytes; at most {MAX_BYTES} fit a header, so give it fewer targets",
            route.name,
            text.len()
        );
        return Err(Error::bad_input("/routes", detail));
    }
    Ok(text)
}

fn value(route: &Route) -> Value {
    let mode = match route.strategy {
        Strategy::Single => "single",
        Strategy::Fallback => "fallback",
        Strategy::LoadBalance => "loadbalance",
    };
    // Every target gets its share of the time, so that a silent one leaves some to the next.
    let share = match route.strategy {
        Strategy::Fallback => route.targets.len().max(1),
        Strategy::Single | Strategy::LoadBalance => 1,
    };
    let timeout = route.timers.first_token.as_millis() as u64 / share as u64;
    let targets: Vec<Value> = route
        .targets
        .iter()
        .map(|it| target(it, timeout, route.strategy))
        .collect();
    json!({
        "strategy": { "mode": mode },
        "retry": { "attempts": RETRIES, "on_status_codes": RETRY_ON },
        "targets": targets,
    })
}

fn target(target: &Target, timeout: u64, strategy: Strategy) -> Value {
    let key = target.api_key.as_ref().map_or(NO_KEY, |key| key.expose());
    let mut value = json!({
        "provider": target.provider,
        "api_key": key,
        "override_params": { "model": target.model },
        "request_timeout": timeout,
    });
    if let Some(url) = &target.base_url {
        value["custom_host"] = json!(url);
    }
    if strategy == Strategy::LoadBalance {
        value["weight"] = json!(target.weight);
    }
    value
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::routes::{RouteKind, Timers};
    use crate::gateway::secret::Secret;

    fn route(strategy: Strategy, targets: Vec<Target>) -> Route {
        Route {
            name: "r".into(),
            description: String::new(),
            kind: RouteKind::Gateway,
            strategy,
            targets,
            timers: Timers {
                first_token: Duration::from_secs(30),
                ..Timers::default()
            },
            default: false,
            unavailable: None,
        }
    }

    fn hosted(model: &str, weight: f64) -> Target {
        Target {
            provider: "openai".into(),
            model: model.into(),
            base_url: None,
            api_key: Some(Secret::new("sk-1")),
            window: 100,
            max_output: 10,
            weight,
        }
    }

    fn check(route: &Route, expected: &Value) {
        let got: Value = serde_json::from_str(&header(route).unwrap()).unwrap();
        assert_eq!(&got, expected);
    }

    #[test]
    fn a_local_target_gets_its_address_and_a_dummy_key() {
        let local = Target {
            base_url: Some("http://127.0.0.1:8091/v1".into()),
            api_key: None,
            ..hosted("qwen", 1.0)
        };
        check(
            &route(Strategy::Single, vec![local]),
            &json!({
                "strategy": { "mode": "single" },
                "retry": { "attempts": 2, "on_status_codes": [429, 503] },
                "targets": [{
                    "provider": "openai", "api_key": "none", "custom_host": "http://127.0.0.1:8091/v1",
                    "override_params": { "model": "qwen" }, "request_timeout": 30_000,
                }],
            }),
        );
    }

    #[test]
    fn fallback_targets_share_the_time_and_balanced_ones_have_weights() {
        check(
            &route(Strategy::Fallback, vec![hosted("a", 1.0), hosted("b", 1.0)]),
            &json!({
                "strategy": { "mode": "fallback" },
                "retry": { "attempts": 2, "on_status_codes": [429, 503] },
                "targets": [
                    { "provider": "openai", "api_key": "sk-1", "override_params": { "model": "a" }, "request_timeout": 15_000 },
                    { "provider": "openai", "api_key": "sk-1", "override_params": { "model": "b" }, "request_timeout": 15_000 },
                ],
            }),
        );
        check(
            &route(Strategy::LoadBalance, vec![hosted("a", 0.7), hosted("b", 0.3)]),
            &json!({
                "strategy": { "mode": "loadbalance" },
                "retry": { "attempts": 2, "on_status_codes": [429, 503] },
                "targets": [
                    { "provider": "openai", "api_key": "sk-1", "override_params": { "model": "a" }, "request_timeout": 30_000, "weight": 0.7 },
                    { "provider": "openai", "api_key": "sk-1", "override_params": { "model": "b" }, "request_timeout": 30_000, "weight": 0.3 },
                ],
            }),
        );
    }

    #[test]
    fn a_config_that_fits_no_header_is_refused() {
        let many = route(Strategy::Fallback, vec![hosted("a", 1.0); 200]);
        let detail = header(&many).unwrap_err().to_string();
        assert!(detail.contains("fewer targets"), "{detail}");
        assert!(!detail.contains("sk-1"), "{detail}");
    }
}
