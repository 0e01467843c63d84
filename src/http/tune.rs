//! `POST /v1/tune`: fits a collection's fusion and evidence gate; for the operator, who alone may change its settings.

use std::collections::BTreeMap;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::engine::measure::Judged;
use crate::engine::tune::Tuning;
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, reply};
use crate::types::collection_name;

/// The body; the command line sends the same.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TuneBody {
    /// The collection.
    pub collection: String,
    /// Its golden questions; without them they are made from its headings.
    pub questions: Option<Vec<QuestionBody>>,
    /// How often the questions are halved again, to tell what fitting is worth.
    #[serde(default)]
    pub halvings: usize,
    /// Whether the settings stay as they are.
    #[serde(default)]
    pub dry_run: bool,
}

/// One question.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionBody {
    /// Names it.
    #[serde(default)]
    pub id: String,
    /// What is searched for.
    pub text: String,
    /// Grades of the documents that answer it, by URI; none means that no document does.
    #[serde(default)]
    pub wanted: BTreeMap<String, f64>,
    /// Words of the passage that answers it.
    pub quote: Option<String>,
}

impl TuneBody {
    /// Checks it.
    pub fn tuning(self) -> Result<Tuning> {
        collection_name(&self.collection)?;
        let questions = self.questions.map(|questions| {
            let mut judged = Vec::with_capacity(questions.len());
            for (
                at,
                QuestionBody {
                    id,
                    text,
                    wanted,
                    quote,
                },
            ) in questions.into_iter().enumerate()
            {
                if text.trim().is_empty() {
                    let pointer = format!("/questions/{at}/text");
                    return Err(Error::bad_input(
                        &pointer,
                        "the question is empty; send at least one word",
                    ));
                }
                if quote.as_ref().is_some_and(|quote| quote.trim().is_empty()) {
                    let pointer = format!("/questions/{at}/quote");
                    let detail = "the quote is empty; copy the words of the document that answer, or leave it out";
                    return Err(Error::bad_input(&pointer, detail));
                }
                judged.push(Judged {
                    id,
                    text,
                    wanted,
                    quote,
                });
            }
            Ok(judged)
        });
        Ok(Tuning {
            collection: self.collection,
            questions: questions.transpose()?,
            halvings: self.halvings,
            dry_run: self.dry_run,
        })
    }
}

/// Fits and reports.
pub async fn tune(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<TuneBody>,
) -> Answer<Response> {
    caller.must_be_operator("tune")?;
    Ok(reply(StatusCode::OK, state.engine().tune(body.tuning()?).await?))
}
