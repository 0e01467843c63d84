//! The routes of `gateway/routes.toml`: which models may answer, through whom, and how long they may take.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::secret::Secret;
use crate::error::{Error, Result};

/// The file's name in messages.
const FILE: &str = "routes.toml";
/// Providers whose adapter in the gateway adds `/v1` by itself.
const ADDS_V1: [&str; 3] = ["ollama", "openrouter", "together-ai"];

/// One way to an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What readers choose by.
    pub name: String,
    /// One line for the selector.
    pub description: String,
    /// Who writes the answer.
    pub kind: RouteKind,
    /// How targets are used.
    pub strategy: Strategy,
    /// At least one for `RouteKind::Gateway`, none for `RouteKind::Extractive`.
    pub targets: Vec<Target>,
    /// How long each part may take.
    pub timers: Timers,
    /// Whether it answers when no route is asked for.
    pub default: bool,
    /// What must be done before it can be used.
    pub unavailable: Option<String>,
}

/// Who writes the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Sentences of the documents, no model.
    Extractive,
    /// A model behind the gateway.
    Gateway,
}

/// How the targets of a route are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The only target.
    #[default]
    Single,
    /// The next one when one fails before its first byte.
    Fallback,
    /// Shared by weight.
    LoadBalance,
}

/// One model at one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The gateway's name of the provider.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
    /// Where, unless it is the provider's own address.
    pub base_url: Option<String>,
    /// The provider's key.
    pub api_key: Option<Secret>,
    /// Tokens of prompt and answer together.
    pub window: usize,
    /// Most tokens of an answer.
    pub max_output: usize,
    /// Share among the targets of `Strategy::LoadBalance`.
    pub weight: f64,
}

/// How long each part of a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// To connect to the gateway.
    pub connect: Duration,
    /// From the call to the first text.
    pub first_token: Duration,
    /// Between two frames.
    pub stall: Duration,
    /// The whole call.
    pub total: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        TimersEntry::default().parse()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    route: Vec<Spanned<RouteEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    name: Spanned<String>,
    description: String,
    kind: Spanned<RouteKind>,
    strategy: Option<Spanned<Strategy>>,
    #[serde(default)]
    target: Vec<Spanned<TargetEntry>>,
    timers: Option<Spanned<TimersEntry>>,
    default: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetEntry {
    provider: Spanned<String>,
    model: Spanned<String>,
    base_url: Option<Spanned<String>>,
    api_key: Option<Spanned<String>>,
    window: Spanned<usize>,
    max_output: Spanned<usize>,
    weight: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
// The unit belongs in the name that people type.
#[allow(clippy::struct_field_names)]
struct TimersEntry {
    connect_seconds: u64,
    first_token_seconds: u64,
    stall_seconds: u64,
    total_seconds: u64,
}

impl Default for TimersEntry {
    fn default() -> Self {
        Self {
            connect_seconds: 5,
            first_token_seconds: 30,
            stall_seconds: 30,
            total_seconds: 180,
        }
    }
}

impl TimersEntry {
    fn parse(&self) -> Timers {
        Timers {
            connect: Duration::from_secs(self.connect_seconds),
            first_token: Duration::from_secs(self.first_token_seconds),
            stall: Duration::from_secs(self.stall_seconds),
            total: Duration::from_secs(self.total_seconds),
        }
    }
}

/// Reads the routes. A route that lacks a variable of `environment` is kept, marked with what to set.
pub fn load(text: &str, environment: &BTreeMap<String, String>) -> Result<Vec<Route>> {
    let reader = RouteReader { text, environment };
    let file: File = toml::from_str(text).map_err(|error| {
        // The message alone: the parser's full text would show the line, and a line may hold a key.
        reader.fault(error.span().unwrap_or(0..0), "", error.message().trim_end())
    })?;
    let mut routes: Vec<Route> = Vec::with_capacity(file.route.len());
    for entry in &file.route {
        let route = reader.route(entry)?;
        let name = &entry.get_ref().name;
        if routes.iter().any(|other| other.name == route.name) {
            return Err(reader.fault(name.span(), "name", "another route has this name; choose a new one"));
        }
        if let Some(default) = entry.get_ref().default.as_ref().filter(|default| *default.get_ref())
            && routes.iter().any(|other| other.default)
        {
            return Err(reader.fault(
                default.span(),
                "default",
                "another route is the default; only one may be",
            ));
        }
        routes.push(route);
    }
    if routes.is_empty() {
        return Err(reader.fault(0..0, "route", "there is no route; add a `[[route]]`"));
    }
    Ok(routes)
}

struct RouteReader<'a> {
    text: &'a str,
    environment: &'a BTreeMap<String, String>,
}

impl RouteReader<'_> {
    fn route(&self, entry: &Spanned<RouteEntry>) -> Result<Route> {
        let fields = entry.get_ref();
        self.name(&fields.name)?;
        self.shape(fields)?;
        let mut missing = Vec::new();
        let mut targets = Vec::with_capacity(fields.target.len());
        for target in &fields.target {
            targets.push(self.target(target.get_ref(), &mut missing)?);
        }
        missing.dedup();
        let unavailable =
            (!missing.is_empty()).then(|| format!("set {} in the environment and start again", missing.join(" and ")));
        Ok(Route {
            name: fields.name.get_ref().clone(),
            description: fields.description.clone(),
            kind: *fields.kind.get_ref(),
            strategy: fields.strategy.as_ref().map(|it| *it.get_ref()).unwrap_or_default(),
            targets,
            timers: self.timers(fields.timers.as_ref())?,
            default: fields.default.as_ref().is_some_and(|it| *it.get_ref()),
            unavailable,
        })
    }

    fn name(&self, name: &Spanned<String>) -> Result<()> {
        let text = name.get_ref();
        let good = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && text != "auto";
        if good {
            return Ok(());
        }
        let detail = "use 1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`; `auto` is taken";
        Err(self.fault(name.span(), "name", detail))
    }

    /// Whether the number of targets fits the kind and the strategy.
    fn shape(&self, fields: &RouteEntry) -> Result<()> {
        let strategy = fields.strategy.as_ref().map(|it| *it.get_ref()).unwrap_or_default();
        let detail = match (fields.kind.get_ref(), fields.target.len(), strategy) {
            (RouteKind::Extractive, 1.., _) => "`extractive` uses no model; remove its targets or use `gateway`",
            (RouteKind::Gateway, 0, _) => "`gateway` needs a target; add a `[[route.target]]` or use `extractive`",
            (RouteKind::Gateway, 2.., Strategy::Single) => {
                let span = fields.strategy.as_ref().map_or(fields.kind.span(), Spanned::span);
                let detail = "`single` takes one target; use `fallback` or `loadbalance` for several";
                return Err(self.fault(span, "strategy", detail));
            }
            _ => return Ok(()),
        };
        Err(self.fault(fields.kind.span(), "kind", detail))
    }

    fn timers(&self, entry: Option<&Spanned<TimersEntry>>) -> Result<Timers> {
        let Some(entry) = entry else {
            return Ok(Timers::default());
        };
        let timers = entry.get_ref().parse();
        let each = [timers.connect, timers.first_token, timers.stall, timers.total];
        if each.iter().any(|timer| timer.is_zero() || timer.as_secs() > 86_400) {
            return Err(self.fault(entry.span(), "timers", "each timer goes from 1 to 86400 seconds"));
        }
        Ok(timers)
    }

    fn target(&self, fields: &TargetEntry, missing: &mut Vec<String>) -> Result<Target> {
        self.limits(fields)?;
        let base_url = match &fields.base_url {
            Some(template) => self.base_url(template, fields.provider.get_ref(), missing)?,
            None => None,
        };
        let api_key = match &fields.api_key {
            Some(reference) => self.api_key(reference, missing)?,
            None => None,
        };
        Ok(Target {
            provider: fields.provider.get_ref().clone(),
            model: fields.model.get_ref().clone(),
            base_url,
            api_key,
            window: *fields.window.get_ref(),
            max_output: *fields.max_output.get_ref(),
            weight: fields.weight.as_ref().map_or(1.0, |weight| *weight.get_ref()),
        })
    }

    fn limits(&self, fields: &TargetEntry) -> Result<()> {
        let provider = fields.provider.get_ref();
        if provider == "cortex" {
            let detail = "the gateway lists `cortex` but cannot call it; use `openai` with the account's `base_url`";
            return Err(self.fault(fields.provider.span(), "provider", detail));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if provider.is_empty() || !provider.bytes().all(plain) {
            let detail = "use the gateway's name, such as `openai`, `openrouter` or `anthropic`";
            return Err(self.fault(fields.provider.span(), "provider", detail));
        }
        if fields.model.get_ref().trim().is_empty() {
            return Err(self.fault(fields.model.span(), "model", "name a model of the provider"));
        }
        let (window, output) = (*fields.window.get_ref(), *fields.max_output.get_ref());
        if output == 0 || output >= window {
            let detail = format!("it goes from 1 to below `window`, which is {window}");
            return Err(self.fault(fields.max_output.span(), "max_output", &detail));
        }
        match &fields.weight {
            Some(weight) if !(weight.get_ref().is_finite() && *weight.get_ref() > 0.0) => {
                Err(self.fault(weight.span(), "weight", "it is a number above 0"))
            }
            _ => Ok(()),
        }
    }

    /// The address with its variables put in; `None` and a note in `missing` when one is not set.
    fn base_url(&self, field: &Spanned<String>, provider: &str, missing: &mut Vec<String>) -> Result<Option<String>> {
        let fault = |detail: &str| Err(self.fault(field.span(), "base_url", detail));
        let mut url = String::new();
        let mut rest = field.get_ref().as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((inside, tail)) = after.split_once('}') else {
                return fault("a `${` has no `}`; use `${NAME}` or `${NAME:-default}`");
            };
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            if !is_variable(name) {
                return fault("a variable's name has A-Z, 0-9 and `_`; use `${NAME}` or `${NAME:-default}`");
            }
            url.push_str(before);
            match self.variable(name).or(default) {
                Some(value) => url.push_str(value),
                None => missing.push(name.to_owned()),
            }
            rest = tail;
        }
        url.push_str(rest);
        if !missing.is_empty() {
            return Ok(None);
        }
        let url = url.trim_end_matches('/').to_owned();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return fault("it begins with `http://` or `https://`");
        }
        if ADDS_V1.contains(&provider) && url.ends_with("/v1") {
            return fault(&format!("the provider `{provider}` adds `/v1` by itself; leave it out"));
        }
        Ok(Some(url))
    }

    fn api_key(&self, field: &Spanned<String>, missing: &mut Vec<String>) -> Result<Option<Secret>> {
        // The value is not repeated: whoever gets this wrong has most likely put the key itself there.
        let Some(name) = field.get_ref().strip_prefix("env:").filter(|name| is_variable(name)) else {
            let detail = "keys stay out of files; use `env:NAME`, the name of a variable that holds the key";
            return Err(self.fault(field.span(), "api_key", detail));
        };
        let key = self.variable(name);
        if key.is_none() {
            missing.push(name.to_owned());
        }
        Ok(key.map(Secret::new))
    }

    /// An empty variable counts as not set.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn fault(&self, span: Range<usize>, key: &str, detail: &str) -> Error {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let key = if key.is_empty() {
            String::new()
        } else {
            format!(" `{key}`:")
        };
        Error::bad_input("/routes", format!("{FILE} line {line}:{key} {detail}"))
    }
}

fn is_variable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
