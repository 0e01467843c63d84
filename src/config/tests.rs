//! What a wrong setting says, and which of two settings wins.

use std::time::Duration;

use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(FILE);
    std::fs::write(&file, text).expect("a file");
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Config::load(Some(&file), variables.collect())
}

fn check(text: &str, variables: &[(&str, &str)], expected: &str) {
    let message = load(text, variables).expect_err("it is wrong").to_string();
    // The folder's name is random.
    let shown = message
        .rsplit_once("/portolan.toml")
        .map_or_else(|| message.clone(), |(_, rest)| format!("`portolan.toml{rest}"));
    assert_eq!(shown, expected);
}

#[test]
fn a_wrong_file_is_named_with_line_key_and_mend() {
    check(
        "data = \"x\"\n[limits]\nstream = 3\n",
        &[],
        "`portolan.toml`, line 3, key `stream`: unknown field `stream`, expected one of `body_bytes`, `streams`, \
         `searches`, `connections`, `collections`, `in_flight_bytes`, `drain_seconds`",
    );
    check(
        "[limits]\n\nstreams = \"many\"\n",
        &[],
        "`portolan.toml`, line 3, key `streams`: invalid type: string \"many\", expected a nonzero usize; \
         use a whole number from 1",
    );
    check(
        "[evidence]\ndecline_below = 2.0",
        &[],
        "`portolan.toml`, line 2, key `decline_below`: invalid value: floating point `2.0`, expected a number \
         from 0.0 to 1.0; use a number from 0.0 to 1.0",
    );
    check(
        "[chunks]\ntarget_bytes = 10",
        &[],
        "`portolan.toml`, line 2, key `target_bytes`: too small or too large; use a whole number from 400 to 20000",
    );
    check(
        "qdrant.url = \"localhost:6334\"",
        &[],
        "`portolan.toml`, line 1, key `qdrant.url`: not a URL; use a URL that begins with `http://` or `https://`",
    );
    check(
        "qdrant.tokens = true",
        &[],
        "`qdrant.tokens` asks for a server and there is none; set `qdrant.url`, or `QDRANT_URL`",
    );
    check(
        "",
        &[("PORTOLAN_QDRANT_TOKENS", "yes")],
        "the environment variable `PORTOLAN_QDRANT_TOKENS` is wrong; use `true` or `false`",
    );
    check(
        "allowed_hosts = [\"docs.example:80\"]",
        &[],
        "`portolan.toml`, line 1, key `allowed_hosts`: not a list of host names; use host names without scheme and \
         port, such as `docs.example.org`",
    );
    check(
        "api_key = 12345",
        &[],
        "`portolan.toml`, line 1, key `api_key`: wrong value; use the key in quotes",
    );
}

#[test]
fn a_wrong_variable_is_named_without_its_value() {
    check(
        "",
        &[("PORTOLAN_LISTEN", "8080")],
        "the environment variable `PORTOLAN_LISTEN` is wrong; use an address and port such as `127.0.0.1:8080`",
    );
    check(
        "",
        &[("PORTOLAN_ALLOWED_HOSTS", "docs.example,http://docs.example:80")],
        "the environment variable `PORTOLAN_ALLOWED_HOSTS` is wrong; use host names without scheme and port, such as \
         `docs.example.org`",
    );
    check(
        "",
        &[("QDRANT_URL", "qdrant")],
        "the environment variable `QDRANT_URL` is wrong; use a URL that begins with `http://` or `https://`",
    );
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let text = "listen = \"0.0.0.0:1\"\ndata = \"here\"\n[gateway]\nurl = \"http://g/v1/\"\n[limits]\nstreams = 7\n\
                in_flight_bytes = 9\n";
    let config = load(text, &[("PORTOLAN_DATA", "there"), ("PORTOLAN_MODELS", "")]).expect("it is right");
    assert_eq!(config.data, Path::new("there"));
    assert_eq!(config.listen.to_string(), "0.0.0.0:1");
    assert_eq!(config.models, Path::new(".portolan/models"));
    assert_eq!(config.gateway_url, "http://g/v1");
    assert_eq!((config.limits.streams, config.limits.searches), (7, 256));
    assert_eq!(config.limits.in_flight_bytes, 9);
    assert_eq!(config.environment["PORTOLAN_DATA"], "there");
}

#[test]
fn keys_do_not_show() {
    let text = "api_key = \"hush\"\n[qdrant]\napi_key = \"hush\"";
    let config = load(text, &[("PORTKEY_API_KEY", "hush"), ("OTHER", "hush")]).expect("it is right");
    assert_eq!(config.portkey_api_key.as_ref().map(Secret::expose), Some("hush"));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn allowed_hosts_come_from_the_file_or_the_environment() {
    let hosts = |text: &str, variables: &[(&str, &str)]| load(text, variables).expect("it is right").allowed_hosts;
    let text = "allowed_hosts = [\"Docs.example\"]";
    assert_eq!(hosts("", &[]), Vec::<String>::new());
    assert_eq!(hosts(text, &[]), ["docs.example"]);
    assert_eq!(
        hosts(text, &[("PORTOLAN_ALLOWED_HOSTS", "a.example, b")]),
        ["a.example", "b"]
    );
}

#[test]
fn a_reranker_is_told_what_it_lacks() {
    check(
        "[rerank]\nkind = \"cross\"",
        &[],
        "`portolan.toml`, line 2, key `kind`: unknown variant `cross`, expected one of `late-interaction`, \
         `cross-encoder`, `remote`, `none`; use `late-interaction`, `cross-encoder`, `remote` or `none`",
    );
    check(
        "[rerank]\nkind = \"remote\"\nmodel = \"rerank-v3.5\"",
        &[],
        "`rerank.provider` is missing and `rerank.kind` asks for it; set it to `cohere`, `jina` or `voyage`",
    );
    check(
        "rerank.kind = \"cross-encoder\"",
        &[],
        "`rerank.model` is missing and `rerank.kind` asks for it; set it to a folder with the model, or its name",
    );
    check(
        "[rerank]\nweight = 1.5",
        &[],
        "`portolan.toml`, line 2, key `weight`: invalid value: floating point `1.5`, expected a number from 0.0 to \
         1.0; use a number from 0.0 to 1.0",
    );
    check(
        "",
        &[("PORTOLAN_RERANK", "all")],
        "the environment variable `PORTOLAN_RERANK` is wrong; use `late-interaction`, `cross-encoder`, `remote` or \
         `none`",
    );
}

#[test]
fn a_reranker_has_its_own_weight_and_time_and_its_key_is_hidden() {
    let rerank = |text: &str, variables: &[(&str, &str)]| load(text, variables).expect("it is right").rerank;
    let late = rerank("", &[]);
    assert_eq!(late.kind, RerankKind::LateInteraction);
    assert_eq!(late.budget, Duration::from_millis(100));
    assert_eq!(rerank("", &[("PORTOLAN_RERANK", "none")]).kind, RerankKind::None);
    let text = "[rerank]\nkind = \"remote\"\nprovider = \"cohere\"\nmodel = \"m\"\nweight = 0.7\nbudget_ms = 900\n";
    let remote = rerank(text, &[("PORTOLAN_RERANK_API_KEY", "hush")]);
    assert_eq!(
        (remote.weight.to_bits(), remote.budget.as_millis()),
        (0.7_f32.to_bits(), 900)
    );
    assert!(!format!("{remote:?}").contains("hush"));
    let RerankKind::Remote { api_key, .. } = remote.kind else {
        panic!("it is remote");
    };
    assert_eq!(api_key.as_ref().map(Secret::expose), Some("hush"));
}

#[test]
fn what_may_be_a_secret_is_not_repeated() {
    let check = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portolan.toml");
        std::fs::write(&file, text).unwrap();
        let message = Config::load(Some(&file), BTreeMap::new()).unwrap_err().to_string();
        assert!(message.contains("line ") && !message.contains("hush"), "{message}");
    };
    check("sk-hush");
    check("data = \"x\"\nsk-hush==");
    check("api_key\nsk-hush = 1");
    check("api_key = hush");
    check("\"sk-hush\"");
    check("[gateway]\nportkey_api_key = [\"hush\"]");
}

#[test]
fn an_address_is_shown_without_its_password() {
    let check = |url: &str, expected: &str| assert_eq!(without_password(url), expected);
    check("http://me:p@ss@host:1/v1?a=@", "http://host:1/v1?a=@");
    check("https://key@host", "https://host");
    check("http://host/a@b", "http://host/a@b");
}
