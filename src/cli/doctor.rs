//! `portolan doctor`: checks the machine, the data, every back end and key, and names the mend for each fault.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::app;
use crate::cli::print;
use crate::config::Config;
use crate::error::Result;
use crate::gateway::peer;

/// One check and what came of it.
struct Check {
    name: String,
    fault: Option<String>,
    /// A fault that stops nothing: a gateway that is down leaves the extractive route.
    advice: bool,
}

impl Check {
    fn new(name: impl Into<String>, outcome: std::result::Result<(), String>) -> Self {
        Self {
            name: name.into(),
            fault: outcome.err(),
            advice: false,
        }
    }

    fn advice(name: impl Into<String>, outcome: std::result::Result<(), String>) -> Self {
        Self {
            name: name.into(),
            fault: outcome.err(),
            advice: true,
        }
    }

    fn word(&self) -> &'static str {
        match (&self.fault, self.advice) {
            (None, _) => "good",
            (Some(_), true) => "note",
            (Some(_), false) => "FAULT",
        }
    }
}

pub(super) async fn run(config: &Config, json: bool) -> Result<ExitCode> {
    let checks = checks(config).await;
    for check in &checks {
        if json {
            print(&format!(
                "{}\n",
                json!({"check": check.name, "state": check.word(), "fault": check.fault})
            ));
        } else {
            print(&format!("{:<6} {}\n", check.word(), check.name));
            if let Some(fault) = &check.fault {
                print(&format!("       {fault}\n"));
            }
        }
    }
    let bad = checks.iter().any(|check| check.fault.is_some() && !check.advice);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn checks(config: &Config) -> Vec<Check> {
    let mut checks = vec![Check::new(
        format!("data folder {}", config.data.display()),
        writable(&config.data),
    )];
    let embedder = app::embedder(config).await;
    let model = format!("embedding model {}", config.embedding_model);
    checks.push(Check::new(
        model,
        embedder.map(|_| ()).map_err(|error| error.to_string()),
    ));
    let running = app::peer(config).await.is_some();
    if running {
        checks.push(Check::new("a running service owns the data and answers", Ok(())));
    } else {
        let opened = app::open(config).await.map(|_| ()).map_err(|error| error.to_string());
        checks.push(Check::new("collections, conversations and routes open", opened));
        let free = std::net::TcpListener::bind(config.listen).map(drop);
        let free = free.map_err(|error| format!("{error}; stop what listens there or use --listen ADDR"));
        checks.push(Check::new(format!("address {} is free", config.listen), free));
    }
    let gateway = peer::reachable(&config.gateway_url).await;
    let mend = "`make run` starts it, or set PORTOLAN_GATEWAY_URL; the extractive route works without";
    let gateway = gateway.map_err(|cause| format!("{cause}; {mend}"));
    checks.push(Check::advice(format!("model gateway {}", config.gateway_url), gateway));
    match app::routes(config) {
        Ok(routes) => checks.extend(
            routes
                .into_iter()
                .map(|route| Check::advice(format!("route {}", route.name), route.unavailable.map_or(Ok(()), Err))),
        ),
        Err(error) => checks.push(Check::new("routes", Err(error.to_string()))),
    }
    checks
}

fn writable(folder: &Path) -> std::result::Result<(), String> {
    let mend = |error: std::io::Error| format!("{error}; make it writable or name another one with --data DIR");
    std::fs::create_dir_all(folder).map_err(mend)?;
    let probe = folder.join(".doctor");
    std::fs::write(&probe, b"probe").map_err(mend)?;
    std::fs::remove_file(&probe).map_err(mend)
}
