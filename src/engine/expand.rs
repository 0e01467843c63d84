//! Other words for a question, by a model: other questions, or a passage as an answer might read. They are searched for
//! beside the question's own words and never instead of them; a model that is late or fails is a word in `degraded`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use uuid::Uuid;

use crate::engine::fuse::{self, Fused};
use crate::engine::retrieve::{self, CANDIDATES, Candidates};
use crate::engine::{Engine, prompt};
use crate::error::{Error, Result, UpstreamKind};
use crate::gateway::routes::RouteKind;
use crate::gateway::{ChatModel, Embedder, selector};
use crate::index::Collection;
use crate::index::work::blocking;
use crate::types::{ChunkId, Context, Delta, Expansion, Mode, Prompt, Query, Scores, Step};

/// Its name in `degraded` and among the steps.
pub const NAME: &str = "expand";
/// Share of the other words in a candidate's score. The question's own words count more, whatever the model wrote.
const SHARE: f32 = 0.3;
/// Other questions that are searched for.
const QUESTIONS: usize = 3;
/// The longest of them, and the longest passage, in bytes.
const QUESTION_BYTES: usize = 300;
const PASSAGE_BYTES: usize = 2_000;
/// How long the model may take; a search without it takes some tens of milliseconds.
const BUDGET: Duration = Duration::from_secs(5);
/// Room for what the model writes.
const MAX_TOKENS: usize = 256;

/// Who is asked for other words, what for and how long.
pub struct Expander {
    model: Arc<dyn ChatModel>,
    kind: Expansion,
    budget: Duration,
}

/// What the model wrote, or why it did not.
pub struct Expanded {
    kind: Expansion,
    outcome: Result<Vec<String>>,
    took: Duration,
}

impl Engine {
    /// Whom `query` wants to be asked; none when it wants nothing.
    pub(super) fn expander(&self, query: &Query) -> Result<Option<Expander>> {
        let Some(expand) = &query.options().expand else {
            return Ok(None);
        };
        let usable = |kind: RouteKind| kind == RouteKind::Gateway;
        let routes = self.routes_list();
        let route = if let Some(name) = &expand.route {
            let (route, _) = selector::choose(routes, Some(name))?;
            if !usable(route.kind) {
                let detail = format!("the route `{}` has no model that could write other words", route.name);
                return Err(Error::bad_input("/route", detail));
            }
            route
        } else {
            let mut routes: Vec<_> = routes.iter().filter(|route| usable(route.kind)).collect();
            routes.retain(|route| route.unavailable.is_none());
            // Stable: the default first, then those of the file in their order.
            routes.sort_by_key(|route| !route.default);
            routes.into_iter().next().ok_or_else(|| {
                let detail = "no route with a model is available; `portolan doctor` tells what each of them wants";
                Error::bad_input("/expand", detail)
            })?
        };
        Ok(Some(Expander {
            model: Arc::clone(self.model(&route.name)?),
            kind: expand.kind,
            budget: BUDGET,
        }))
    }
}

/// Asks `expander`, if there is one.
pub async fn ask(expander: Option<&Expander>, query: &Query) -> Option<Expanded> {
    let expander = expander?;
    let started = Instant::now();
    let late = || {
        let detail = format!("no other words within {} ms", expander.budget.as_millis());
        Err(Error::upstream(UpstreamKind::TimedOut, None, detail))
    };
    let outcome = tokio::time::timeout(expander.budget, expander.words(query.text())).await;
    Some(Expanded {
        kind: expander.kind,
        outcome: outcome.unwrap_or_else(|_| late()),
        took: started.elapsed(),
    })
}

impl Expander {
    async fn words(&self, question: &str) -> Result<Vec<String>> {
        let prompt = Prompt {
            messages: prompt::expansion(self.kind, question)?,
            question: question.to_owned(),
            context: Context::default(),
            max_tokens: MAX_TOKENS,
            run: Uuid::now_v7().to_string(),
        };
        let written = written(&self.model, prompt, PASSAGE_BYTES).await?;
        let words = match self.kind {
            Expansion::Queries => questions(&written, question),
            Expansion::Passage => Vec::from_iter(Some(plain(&written, PASSAGE_BYTES)).filter(|text| !text.is_empty())),
        };
        if words.is_empty() {
            let detail = "it wrote nothing that could be searched for";
            return Err(Error::upstream(UpstreamKind::Failed, None, detail));
        }
        Ok(words)
    }
}

/// All that the model writes, or what it has written when that is over `most` bytes.
pub(super) async fn written(model: &Arc<dyn ChatModel>, prompt: Prompt, most: usize) -> Result<String> {
    let mut deltas = model.stream(Arc::new(prompt)).await?;
    let mut written = String::new();
    while let Some(delta) = deltas.next().await {
        match delta? {
            Delta::Text(text) => written.push_str(&text),
            Delta::Usage(_) => {}
            Delta::Finish(_) => break,
        }
        if written.len() > most {
            break;
        }
    }
    Ok(written)
}

/// One a line, without list marks, each once and none that is the question itself.
fn questions(written: &str, own: &str) -> Vec<String> {
    let mut questions: Vec<String> = Vec::new();
    for line in written.lines() {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || "-*•".contains(c));
        let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let line = unnumbered.strip_prefix(['.', ')']).unwrap_or(line);
        let question = plain(line, QUESTION_BYTES);
        let known = |other: &str| other.to_lowercase() == question.to_lowercase();
        if !question.is_empty() && !known(&plain(own, own.len())) && !questions.iter().any(|other| known(other)) {
            questions.push(question);
        }
    }
    questions.truncate(QUESTIONS);
    questions
}

/// The words alone: what a model writes is no command, so no phrase, no exclusion and no condition is left in it.
fn plain(text: &str, most: usize) -> String {
    let text = &text[..text.floor_char_boundary(most)];
    let spaced = text.replace(['"', '“', '”', '„', '«', '»', ':'], " ");
    let words = spaced
        .split_whitespace()
        .map(|word| word.trim_start_matches(['-', '−', '–']));
    words
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A collection and what was found in it.
type Found = (Arc<Collection>, Candidates);

/// Searches for the other words too and adds what they find to `fused`.
pub async fn widen(
    (found, fused, floor): (&mut [Found], &mut [Vec<Fused>], f32),
    expanded: Expanded,
    (embedder, query): (&Arc<dyn Embedder>, &Query),
) {
    let mut count = 0;
    let outcome = async {
        let words = expanded.outcome?;
        count = words.len();
        let mode = match expanded.kind {
            Expansion::Queries => query.mode(),
            // Its words are many and invented: only what it means is compared.
            Expansion::Passage => Mode::Vector,
        };
        let mut others: Vec<Vec<(Vec<Fused>, f32)>> = vec![Vec::new(); found.len()];
        for text in words {
            let mut also: Vec<Found> = Vec::with_capacity(found.len());
            for (collection, own) in found.iter() {
                let query = query.reworded(text.clone(), mode, own.asked.filter.clone());
                let candidates = retrieve::candidates(collection, embedder, &query, CANDIDATES).await?;
                also.push((Arc::clone(collection), candidates));
            }
            let (lists, floor) = fuse::fuse(&also, CANDIDATES).await?;
            for (all, list) in others.iter_mut().zip(lists) {
                all.push((list, floor));
            }
        }
        for (((collection, own), fused), lists) in found.iter_mut().zip(fused).zip(&others) {
            beside((fused, floor), lists);
            hold(collection, own, fused).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = outcome.await {
        tracing::warn!(%error, "no other words were searched for");
        for (_, own) in found.iter_mut() {
            own.degraded.push(NAME.to_owned());
        }
    }
    if let Some((_, first)) = found.first_mut() {
        first.steps.push(Step {
            name: NAME,
            took: expanded.took,
            count,
        });
    }
}

/// What the question demands it demands of these too.
async fn hold(collection: &Arc<Collection>, own: &mut Candidates, fused: &mut Vec<Fused>) -> Result<()> {
    let known: BTreeSet<ChunkId> = own.lexical.iter().chain(&own.vector).map(|hit| hit.chunk).collect();
    let also = fused.iter().map(|hit| hit.chunk).filter(|chunk| !known.contains(chunk));
    let mut also: Vec<ChunkId> = also.collect();
    if own.asked.is_strict() {
        let (collection, asked, chunks) = (Arc::clone(collection), own.asked.clone(), also.clone());
        let held = blocking(move || collection.confirm(&asked, &chunks)).await?;
        fused.retain(|hit| known.contains(&hit.chunk) || held.contains_key(&hit.chunk));
        also.retain(|chunk| held.contains_key(chunk));
        own.held.extend(held);
    }
    own.also = also;
    Ok(())
}

/// Mixes into each score the mean of what the other lists give. Beside each list stands the score of what it lacks.
fn beside((own, floor): (&mut Vec<Fused>, f32), others: &[(Vec<Fused>, f32)]) {
    let others: Vec<_> = others.iter().filter(|(list, _)| !list.is_empty()).collect();
    if others.is_empty() {
        return;
    }
    let mut all: BTreeMap<ChunkId, Scores> = own.iter().map(|hit| (hit.chunk, hit.scores)).collect();
    let unknown = Scores {
        fused: floor,
        ..Scores::default()
    };
    for hit in others.iter().flat_map(|(list, _)| list) {
        all.entry(hit.chunk).or_insert(unknown);
    }
    for (list, floor) in &others {
        let known: BTreeMap<ChunkId, f32> = list.iter().map(|hit| (hit.chunk, hit.scores.fused)).collect();
        for (chunk, scores) in &mut all {
            let score = known.get(chunk).unwrap_or(floor) / others.len() as f32;
            *scores.expanded.get_or_insert_default() += score;
        }
    }
    let mixed = all.into_iter().map(|(chunk, mut scores)| {
        scores.fused += SHARE * (scores.expanded.unwrap_or_default() - scores.fused);
        Fused { chunk, scores }
    });
    *own = mixed.collect();
    own.sort_by(|a, b| Scores::best_first(&a.scores, &b.scores).then(a.chunk.cmp(&b.chunk)));
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::gateway::DeltaStream;
    use crate::types::{QueryInput, Reader};

    /// Writes the same whatever it is asked, or nothing ever.
    struct Scripted(Option<&'static str>);

    impl ChatModel for Scripted {
        fn stream(&self, _: Arc<Prompt>) -> BoxFuture<'_, Result<DeltaStream>> {
            let Some(text) = self.0 else {
                return Box::pin(std::future::pending());
            };
            let deltas = [Ok(Delta::Text(text.into())), Ok(Delta::Finish("stop".into()))];
            Box::pin(async move { Ok(futures::stream::iter(deltas).boxed()) })
        }
    }

    async fn asked(text: Option<&'static str>, kind: Expansion, budget: Duration) -> Result<Vec<String>> {
        let expander = Expander {
            model: Arc::new(Scripted(text)),
            kind,
            budget,
        };
        let input = QueryInput {
            text: "How much leave?".into(),
            ..QueryInput::default()
        };
        let query = Query::parse(input, Reader::Everything).unwrap();
        ask(Some(&expander), &query).await.unwrap().outcome
    }

    #[tokio::test]
    async fn what_the_model_writes_becomes_words_without_commands() {
        let check = async |text: &'static str, kind: Expansion, expected: &[&str]| {
            let words = asked(Some(text), kind, Duration::MAX).await;
            assert_eq!(words.unwrap_or_default(), expected, "{text}");
        };
        let list =
            "1. \"days off\" -paid\n- kind:holiday 2025\n\n2) how much leave?\n* Days off paid\n2025 budget\nlast";
        let expected = ["days off paid", "kind holiday 2025", "2025 budget"];
        check(list, Expansion::Queries, &expected).await;
        check(
            "Thirty days.\n– All of them.",
            Expansion::Passage,
            &["Thirty days. All of them."],
        )
        .await;
        check(" \n\"\"", Expansion::Queries, &[]).await;
        check("", Expansion::Passage, &[]).await;
    }

    #[tokio::test]
    async fn a_model_that_is_late_is_not_waited_for() {
        let late = asked(None, Expansion::Queries, Duration::ZERO).await.unwrap_err();
        assert!(late.to_string().contains("0 ms"), "{late}");
    }

    fn list(scores: &[(u128, f32)]) -> Vec<Fused> {
        let hit = |(n, fused): &(u128, f32)| Fused {
            chunk: ChunkId(Uuid::from_u128(*n)),
            scores: Scores {
                fused: *fused,
                ..Scores::default()
            },
        };
        scores.iter().map(hit).collect()
    }

    #[test]
    fn the_own_words_count_more_than_all_others() {
        let check = |own: &[(u128, f32)], others: &[&[(u128, f32)]], expected: &[(u128, f32)]| {
            let mut fused = list(own);
            let others: Vec<_> = others.iter().map(|other| (list(other), -1.0)).collect();
            beside((&mut fused, -1.0), &others);
            let found: Vec<(u128, f32)> = fused
                .iter()
                .map(|hit| (hit.chunk.0.as_u128(), hit.scores.fused))
                .collect();
            let near = |(found, expected): (&(u128, f32), &(u128, f32))| {
                found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6
            };
            assert!(
                found.len() == expected.len() && found.iter().zip(expected).all(near),
                "{found:?}"
            );
        };
        let own = [(1, 2.0), (2, 0.0)];
        check(&own, &[], &own);
        check(&own, &[&[]], &own);
        check(&own, &[&[(2, 2.0), (1, 0.0)]], &[(1, 1.4), (2, 0.6)]);
        check(&own, &[&[(3, 2.0), (1, 1.0)]], &[(1, 1.7), (3, -0.1), (2, -0.3)]);
        let two: [&[(u128, f32)]; 2] = [&[(3, 2.0)], &[(2, 1.0), (1, 0.0)]];
        check(&own, &two, &[(1, 1.25), (2, 0.0), (3, -0.55)]);
        check(&[], &[&[(3, 2.0)]], &[(3, -0.1)]);
    }
}
