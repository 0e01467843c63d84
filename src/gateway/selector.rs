//! Which route answers a question.

use super::routes::Route;
use crate::error::{Error, Result};

/// Place of the fault in a request.
const POINTER: &str = "/route";

/// The route named `asked`, or the default for none and `auto`; with the reason in words.
pub fn choose<'a>(routes: &'a [Route], asked: Option<&str>) -> Result<(&'a Route, String)> {
    let asked = asked.map(str::trim).filter(|name| !name.is_empty() && *name != "auto");
    let (route, reason) = match asked {
        Some(name) => (named(routes, name)?, "asked for by name".to_owned()),
        None => (default(routes)?, "the default route".to_owned()),
    };
    match &route.unavailable {
        Some(mend) => Err(Error::bad_input(
            POINTER,
            format!("the route `{}` is not available: {mend}", route.name),
        )),
        None => Ok((route, reason)),
    }
}

fn named<'a>(routes: &'a [Route], name: &str) -> Result<&'a Route> {
    if let Some(route) = routes.iter().find(|route| route.name == name) {
        return Ok(route);
    }
    let shown: String = name.chars().take(64).collect();
    let names: Vec<String> = routes.iter().map(|route| format!("`{}`", route.name)).collect();
    let detail = format!("no route named `{shown}`; use `auto` or one of {}", names.join(", "));
    Err(Error::bad_input(POINTER, detail))
}

fn default(routes: &[Route]) -> Result<&Route> {
    routes.iter().find(|route| route.default).ok_or_else(|| {
        Error::bad_input(
            POINTER,
            "no route is the default; name one, or set `default = true` in routes.toml",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gateway::routes::load;

    fn routes() -> Vec<Route> {
        let text = r#"
            [[route]]
            name = "extractive"
            description = "quotes"
            kind = "extractive"
            default = true
            [[route]]
            name = "keyed"
            description = "needs a key"
            kind = "gateway"
            [[route.target]]
            provider = "openai"
            model = "m"
            api_key = "env:SOME_KEY"
            window = 100
            max_output = 10
        "#;
        load(text, &BTreeMap::new()).unwrap()
    }

    fn check(asked: Option<&str>, expected: std::result::Result<(&str, &str), &str>) {
        let routes = routes();
        match (choose(&routes, asked), expected) {
            (Ok((route, reason)), Ok((name, words))) => {
                assert_eq!((route.name.as_str(), reason.as_str()), (name, words));
            }
            (Err(Error::BadInput { detail, faults }), Err(words)) => {
                assert!(detail.contains(words), "{detail}");
                assert_eq!(faults[0].pointer, "/route");
            }
            (got, expected) => panic!("{asked:?}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_route_is_chosen_by_name_or_by_default() {
        check(None, Ok(("extractive", "the default route")));
        check(Some("auto"), Ok(("extractive", "the default route")));
        check(Some(" "), Ok(("extractive", "the default route")));
        check(Some("extractive"), Ok(("extractive", "asked for by name")));
        check(
            Some("gpt"),
            Err("no route named `gpt`; use `auto` or one of `extractive`, `keyed`"),
        );
        check(Some("keyed"), Err("set SOME_KEY"));
    }

    #[test]
    fn a_file_without_default_asks_for_a_name() {
        let mut routes = routes();
        routes[0].default = false;
        assert!(choose(&routes, None).is_err());
        assert!(choose(&routes, Some("extractive")).is_ok());
    }
}
