//! How a command fails: words for a person on standard error and, with `--json`, one object on standard output.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::print;
use crate::error::{Error, Fault};
use crate::http::problem::Problem;

/// The exit code of wrong use; every other failure is 1.
const WRONG_USE: u8 = 2;

/// Tells the error and returns the exit code.
pub(super) fn tell(error: &Error, json: bool) -> ExitCode {
    eprintln!("portolan: {error}");
    if json {
        print(&format!("{}\n", object(error)));
    }
    ExitCode::from(if matches!(error, Error::BadInput { .. }) {
        WRONG_USE
    } else {
        1
    })
}

/// The same for arguments that are not understood; what was asked for by `--help` is no failure.
pub(super) fn wrong_use(error: &clap::Error, json: bool) -> ExitCode {
    // A closed pipe is nobody's fault.
    drop(error.print());
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if json {
        // The first paragraph alone: what follows is for the person who reads it.
        let text = error.to_string();
        let first: Vec<&str> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let error = Error::BadInput {
            detail: first.join(" ").trim_start_matches("error: ").to_owned(),
            faults: Vec::<Fault>::new(),
        };
        print(&format!("{}\n", object(&error)));
    }
    ExitCode::from(WRONG_USE)
}

/// The fields of the service's problem+json, under `error`.
fn object(error: &Error) -> Value {
    let problem = Problem {
        // Who runs the command may read causes and paths, which a caller of the service may not.
        detail: error.to_string(),
        ..Problem::from(error)
    };
    json!({ "error": problem.to_json() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_fields_of_a_problem_and_keeps_its_cause() {
        let error = object(&Error::bad_input("/limit", "`limit` is 0"));
        let expected = json!({ "error": {
            "type": "urn:portolan:problem:bad-input", "title": "Bad Request", "status": 400, "detail": "`limit` is 0",
            "errors": [{ "pointer": "/limit", "detail": "`limit` is 0" }],
        }});
        assert_eq!(error, expected);
        let error = object(&Error::Storage("cannot write `x`: the disk is full".into()));
        assert_eq!(error["error"]["detail"], "cannot write `x`: the disk is full");
    }
}
