//! Tests of the routes file: what is shipped, what the environment changes, and every fault with its line.

use super::*;

const SHIPPED: &str = include_str!("../../gateway/routes.toml");

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn the_shipped_file_works_with_an_empty_environment() {
    let routes = load(SHIPPED, &BTreeMap::new()).unwrap();
    let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["extractive", "demo-llm", "openai", "openrouter", "anthropic"]);
    let usable: Vec<bool> = routes.iter().map(|route| route.unavailable.is_none()).collect();
    assert_eq!(usable, [true, true, false, false, false]);
    assert!(routes[0].default && routes[0].kind == RouteKind::Extractive && routes[0].targets.is_empty());
    let demo = &routes[1];
    assert_eq!(demo.targets[0].base_url.as_deref(), Some("http://127.0.0.1:8091/v1"));
    assert_eq!((demo.targets[0].window, demo.targets[0].max_output), (4096, 512));
    assert_eq!(demo.timers.first_token, Duration::from_mins(2));
    let mend = routes[2].unavailable.as_deref().unwrap();
    assert_eq!(mend, "set OPENAI_API_KEY in the environment and start again");
}

#[test]
fn the_environment_brings_keys_and_addresses() {
    let pairs = [
        ("OPENAI_API_KEY", " sk-1 "),
        ("OPENROUTER_API_KEY", ""),
        ("PORTOLAN_DEMO_LLM_URL", "http://other/v1/"),
    ];
    let routes = load(SHIPPED, &environment(&pairs)).unwrap();
    assert_eq!(routes[1].targets[0].base_url.as_deref(), Some("http://other/v1"));
    assert_eq!(routes[2].targets[0].api_key, Some(Secret::new("sk-1")));
    assert_eq!(routes[2].unavailable, None);
    assert!(routes[3].unavailable.is_some(), "an empty variable is not set");
    assert!(!format!("{routes:?}").contains("sk-1"));
}

const GOOD: &str = r#"
[[route]]
name = "r"
description = "d"
kind = "gateway"
strategy = "single"
default = true
[route.timers]
stall_seconds = 9
[[route.target]]
provider = "openai"
model = "m"
base_url = "${HOST}/v1"
api_key = "env:KEY"
window = 100
max_output = 10
"#;

#[test]
fn every_missing_variable_is_named() {
    let routes = load(GOOD, &BTreeMap::new()).unwrap();
    let mend = routes[0].unavailable.as_deref().unwrap();
    assert_eq!(mend, "set HOST and KEY in the environment and start again");
    assert_eq!(routes[0].timers.stall, Duration::from_secs(9));
    assert_eq!(routes[0].timers.total, Timers::default().total);
    assert!((routes[0].targets[0].weight - 1.0).abs() < f64::EPSILON);
}

/// `GOOD` with one line changed fails with these words.
fn check(line: &str, instead: &str, expected: &[&str]) {
    assert!(GOOD.contains(line), "{line}");
    let text = GOOD.replace(line, instead);
    let environment = environment(&[("HOST", "http://host"), ("KEY", "k")]);
    let detail = load(&text, &environment).unwrap_err().to_string();
    for words in expected {
        assert!(detail.contains(words), "{instead}: {detail}");
    }
    assert!(!detail.contains("sk-secret"), "{detail}");
}

#[test]
fn each_fault_names_its_line_and_what_is_allowed() {
    check(
        "name = \"r\"",
        "name = \"auto\"",
        &["routes.toml line 3: `name`", "`auto` is taken"],
    );
    check(
        "kind = \"gateway\"",
        "kind = \"llm\"",
        &["line 5", "`extractive`", "`gateway`"],
    );
    check(
        "kind = \"gateway\"",
        "kind = \"extractive\"",
        &["line 5: `kind`", "remove its targets"],
    );
    check(
        "strategy = \"single\"",
        "strategy = \"any\"",
        &["line 6", "`single`, `fallback`"],
    );
    check("stall_seconds = 9", "stall_seconds = 0", &["`timers`", "1 to 86400"]);
    check(
        "stall_seconds = 9",
        "stahl = 9",
        &["line 9", "unknown field `stahl`", "stall_seconds"],
    );
    check(
        "provider = \"openai\"",
        "provider = \"cortex\"",
        &["line 11: `provider`", "use `openai`"],
    );
    check(
        "provider = \"openai\"",
        "provider = \"Open AI\"",
        &["line 11: `provider`", "`openrouter`"],
    );
    check(
        "provider = \"openai\"",
        "provider = \"openrouter\"",
        &["line 13: `base_url`", "adds `/v1` by itself"],
    );
    check("model = \"m\"", "model = \" \"", &["line 12: `model`"]);
    check("model = \"m\"", "modle = \"m\"", &["unknown field `modle`", "`model`"]);
    check("${HOST}/v1", "${HOST", &["line 13: `base_url`", "`${NAME:-default}`"]);
    check("${HOST}/v1", "${ho st}/v1", &["line 13: `base_url`", "A-Z"]);
    check("${HOST}/v1", "ftp://x", &["line 13: `base_url`", "`https://`"]);
    check("env:KEY", "sk-secret", &["line 14: `api_key`", "`env:NAME`"]);
    check(
        "max_output = 10",
        "max_output = 100",
        &["line 16: `max_output`", "which is 100"],
    );
    check(
        "max_output = 10",
        "max_output = 10\nweight = 0.0",
        &["line 17: `weight`", "above 0"],
    );
    check("max_output = 10", "max_output = \"sk-secret", &["line 16"]);
}

#[test]
fn routes_do_not_contradict_each_other() {
    let environment = environment(&[("HOST", "http://host"), ("KEY", "k")]);
    let detail = |text: &str| load(text, &environment).unwrap_err().to_string();
    assert!(detail(&format!("{GOOD}{GOOD}")).contains("another route has this name"));
    let other = GOOD.replace("\"r\"", "\"other\"");
    assert!(detail(&format!("{GOOD}{other}")).contains("another route is the default"));
    let second = GOOD.split_once("[[route.target]]").unwrap().1;
    let two = format!("{GOOD}[[route.target]]{second}");
    assert!(detail(&two).contains("`single` takes one target"));
    assert!(load(&two.replace("single", "fallback"), &environment).is_ok());
    assert!(detail("").contains("there is no route"));
}
