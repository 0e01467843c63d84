//! `portolan doctor`: checks the machine, the data, every back end and key, and names the mend for each fault.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::app;
use crate::cli::print;
use crate::config::{Config, without_password};
use crate::error::Result;
use crate::gateway::peer;
use crate::gateway::routes::Route;

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
    let model = format!("embedding model {}", config.embedding.model);
    checks.push(Check::new(
        model,
        embedder.map(|_| ()).map_err(|error| error.to_string()),
    ));
    let reranking = app::reranking(config).await;
    checks.push(Check::new(
        "reranker",
        reranking.map(|_| ()).map_err(|error| error.to_string()),
    ));
    checks.extend(data(config).await);
    let gateway = peer::reachable(&config.gateway_url).await;
    let mend = "`make run` starts it, or set PORTOLAN_GATEWAY_URL; the extractive route works without";
    let gateway = gateway.map_err(|cause| format!("{cause}; {mend}"));
    checks.push(Check::advice(
        format!("model gateway {}", without_password(&config.gateway_url)),
        gateway,
    ));
    match app::routes(config) {
        Ok(routes) => {
            for route in routes {
                checks.push(Check::advice(format!("route {}", route.name), usable(&route).await));
            }
        }
        Err(error) => checks.push(Check::new("routes", Err(error.to_string()))),
    }
    checks
}

/// What lies in the data folder, or the service that has it open.
async fn data(config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(peer) = app::peer(config).await {
        let list = peer.get("/v1/collections").await.map_err(|error| error.to_string());
        let broken: Vec<Value> = match &list {
            Ok(list) => list["collections"].as_array().cloned().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        checks.push(Check::new(
            "a running service owns the data and answers",
            list.map(drop),
        ));
        for one in broken.iter().filter(|one| one["available"] == false) {
            let part = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            let cause = format!("{}; then start the service again", part("reason"));
            checks.push(Check::new(format!("collection {}", part("name")), Err(cause)));
        }
        return checks;
    }
    if app::has_data(config) {
        let opened = app::open(config).await.map_err(|error| error.to_string());
        let broken = opened
            .as_ref()
            .map(|engine| engine.broken_collections())
            .unwrap_or_default();
        checks.push(Check::new(
            "collections, conversations and routes open",
            opened.map(drop),
        ));
        let broken = broken.into_iter();
        checks.extend(broken.map(|(name, cause)| Check::new(format!("collection {name}"), Err(cause))));
    } else {
        let mend = "there is nothing yet; `portolan index PATH` makes the first collection";
        checks.push(Check::advice("collections", Err(mend.to_owned())));
    }
    let free = std::net::TcpListener::bind(config.listen).map(drop);
    let free = free.map_err(|error| format!("{error}; stop what listens there or use --listen ADDR"));
    checks.push(Check::new(format!("address {} is free", config.listen), free));
    checks
}

/// Whether its keys are set and its models on this machine answer; those elsewhere are not called.
async fn usable(route: &Route) -> std::result::Result<(), String> {
    if let Some(mend) = &route.unavailable {
        return Err(mend.clone());
    }
    for url in route.targets.iter().filter_map(|target| target.base_url.as_deref()) {
        if peer::is_local(url) {
            let mend = "start the model's server there, or set the route's `base_url`";
            peer::reachable(url)
                .await
                .map_err(|cause| format!("{}: {cause}; {mend}", without_password(url)))?;
        }
    }
    Ok(())
}

/// Leaves nothing behind: a folder that is not there yet is tried in the nearest one that is.
fn writable(folder: &Path) -> std::result::Result<(), String> {
    let mend = |error: std::io::Error| format!("{error}; make it writable or name another one with --data DIR");
    let folder = std::path::absolute(folder).map_err(mend)?;
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(&folder);
    let probe = there.join(".portolan-doctor");
    std::fs::write(&probe, b"probe").map_err(mend)?;
    std::fs::remove_file(&probe).map_err(mend)
}
