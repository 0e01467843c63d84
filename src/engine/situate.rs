//! Context sentences: a model writes of each chunk where in its document it stands and what it is about. The sentence is
//! embedded with the chunk; it is no text of the document, so nobody is shown it and nothing cites it. It is kept when its
//! document is published.

mod writers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use indexer::chunk::{self, Chunking};
use indexer::fingerprint;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::engine::parsers::Parsed;
use crate::engine::prompt::{self, Surroundings};
use crate::engine::{Engine, expand};
use crate::error::{Error, Result, UpstreamKind};
use crate::gateway::routes::RouteKind;
use crate::gateway::{ChatModel, selector};
use crate::index::Settings;
use crate::index::work::blocking;
use crate::store::{SentenceRecord, Store};
use crate::types::{Chunk, Context, Document, Message, Prompt};
pub(super) use writers::Writers;

/// What the model is given of the document beside the passage, in bytes.
const OUTLINE_BYTES: usize = 1_000;
const BEFORE_BYTES: usize = 1_500;
const AFTER_BYTES: usize = 500;
/// The longest sentence, in bytes: it takes the room of as many of its chunk, of which an embedder reads so much and no more.
const SENTENCE_BYTES: usize = 200;
/// Room for what the model writes.
const MAX_TOKENS: usize = 128;
/// How long it may take for one, where the route does not say less; a model on this machine reads slowly.
const PATIENCE: Duration = Duration::from_mins(2);
/// Sentences that are asked for at once, in a run.
const AT_ONCE: usize = 4;

/// Who writes the sentences of one run.
pub(super) struct Situator {
    store: Store,
    collection: String,
    route: String,
    /// Why there is none is told once a chunk is to have a sentence.
    model: Result<Arc<dyn ChatModel>>,
    places: Semaphore,
    /// Chunks that may still be asked for.
    left: AtomicU64,
    writers: Arc<Writers>,
}

/// A parsed document, the sentence of each of its chunks, and what became of them.
pub(super) struct Situated {
    pub parsed: Parsed,
    pub sentences: Vec<Option<String>>,
    /// Of all that the model is given of each chunk.
    pub keys: Vec<String>,
    pub record: SentenceRecord,
    /// Whether the sentences are those that the document has already.
    pub is_same: bool,
}

impl Engine {
    /// How documents of that collection are cut, and what of a chunk is embedded.
    pub(super) fn chunking_of(&self, settings: &Settings) -> Chunking {
        let set = settings.context_sentences.as_ref();
        Chunking {
            sentences: set.map_or(0, |set| way(&set.route)),
            ..self.chunking()
        }
    }

    /// Who writes the sentences of a run in `collection`; none where none are wished.
    pub(super) fn situator(&self, collection: &str, settings: &Settings) -> Option<Arc<Situator>> {
        let set = settings.context_sentences.clone()?;
        Some(Arc::new(Situator {
            store: self.store().clone(),
            collection: collection.to_owned(),
            model: self.writer_of_sentences(&set.route).cloned(),
            route: set.route,
            places: Semaphore::new(AT_ONCE),
            left: AtomicU64::new(set.chunks),
            writers: Arc::clone(&self.writers),
        }))
    }

    /// The model of that route, or why it writes no sentences.
    pub(super) fn writer_of_sentences(&self, route: &str) -> Result<&Arc<dyn ChatModel>> {
        let at = |error: Error| match error {
            Error::BadInput { detail, .. } => Error::bad_input("/context_sentences/route", detail),
            other => other,
        };
        let (route, _) = selector::choose(self.routes_list(), Some(route)).map_err(at)?;
        if route.kind != RouteKind::Gateway {
            let detail = format!("the route `{}` has no model that could write sentences", route.name);
            return Err(at(Error::bad_input("", detail)));
        }
        self.model(&route.name)
    }
}

/// Tells one way to write sentences from another.
fn way(route: &str) -> u64 {
    let hash = fingerprint::text(&format!("{}\n{route}", prompt::SITUATE_TEXT));
    let (first, _) = hash.as_chunks();
    first.first().map_or(1, |bytes| u64::from_le_bytes(*bytes) | 1)
}

/// Gives the chunks of a parsed document their sentences.
pub(super) async fn situate(situator: Option<Arc<Situator>>, parsed: Parsed, chunking: Chunking) -> Result<Situated> {
    let (Some(situator), Ok(_)) = (situator, &parsed) else {
        return Ok(Situated {
            parsed,
            sentences: Vec::new(),
            keys: Vec::new(),
            record: SentenceRecord::default(),
            is_same: true,
        });
    };
    let own = Arc::clone(&situator);
    let (parsed, keys) = blocking(move || {
        let keys = parsed.as_ref().map(|(document, chunks)| own.keys(document, chunks));
        let keys = keys.unwrap_or_else(|_| Ok(Vec::new()))?;
        Ok((parsed, keys))
    })
    .await?;
    let mut situated = Situated {
        parsed,
        sentences: Vec::new(),
        keys,
        record: SentenceRecord::default(),
        is_same: true,
    };
    if let Ok((document, chunks)) = &mut situated.parsed {
        let (sentences, record) = situator.write((document, chunks), &situated.keys).await?;
        let before = situator.store.sentences(&situator.collection, document.id).await?;
        situated.is_same = before == sentences;
        *chunks = chunk::renamed(document, std::mem::take(chunks), chunking, &sentences);
        (situated.sentences, situated.record) = (sentences, record);
    }
    Ok(situated)
}

impl Situator {
    /// Why the model cannot be asked now.
    pub fn fault(&self) -> Option<Error> {
        self.writer().err()
    }

    fn writer(&self) -> Result<&Arc<dyn ChatModel>> {
        let model = self.model.as_ref().map_err(Clone::clone)?;
        self.writers.check(&self.route, Instant::now())?;
        if self.left.load(Ordering::Relaxed) == 0 {
            return Err(spent());
        }
        Ok(model)
    }

    /// A sentence for each chunk; what fails but the store costs only the sentence.
    async fn write(
        &self,
        (document, chunks): (&Document, &[Chunk]),
        keys: &[String],
    ) -> Result<(Vec<Option<String>>, SentenceRecord)> {
        let kept = self.store.sentences_by_key(&self.collection, keys).await?;
        let (kept, written) = (&kept, &self.writers.written);
        let each = (0..chunks.len()).map(async |at| {
            let (chunk, key) = (&chunks[at], &keys[at]);
            if let Some(kept) = kept.get(key).cloned().or(written.get(key).await) {
                return (Ok(kept), true);
            }
            (written.try_get_with_by_ref(key, self.ask(document, chunk)).await, false)
        });
        let each: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        let (mut sentences, mut record) = (Vec::with_capacity(each.len()), SentenceRecord::default());
        for (outcome, is_kept) in each {
            match &outcome {
                Ok(_) if is_kept => record.kept += 1,
                Ok(_) => record.written += 1,
                Err(error) => {
                    record.missing += 1;
                    record.fault = Some(error.to_string());
                }
            }
            sentences.push(outcome.ok());
        }
        Ok((sentences, record))
    }

    /// The key of all that the model is told of each chunk; computes. What it is told is not held: it is several times the
    /// document.
    fn keys(&self, document: &Document, chunks: &[Chunk]) -> Result<Vec<String>> {
        let mut keys = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let messages = prompt::situation(&surroundings(document, chunk))?;
            let told = messages.iter().map(|message| message.text.as_str());
            let all: Vec<&str> = std::iter::once(self.route.as_str()).chain(told).collect();
            let key = fingerprint::text(&all.join("\n"));
            keys.push(Uuid::from_bytes(key).simple().to_string());
        }
        Ok(keys)
    }

    async fn ask(&self, document: &Document, chunk: &Chunk) -> Result<String> {
        let _place = self.places.acquire().await;
        let model = self.writer()?;
        let one_less = |left: u64| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        taken.map_err(|_| spent())?;
        let messages = prompt::situation(&surroundings(document, chunk))?;
        let written = tokio::time::timeout(PATIENCE, written(model, messages)).await;
        let written = written.unwrap_or_else(|_| {
            let detail = format!("no sentence within {} s", PATIENCE.as_secs());
            Err(Error::upstream(UpstreamKind::TimedOut, None, detail))
        });
        self.writers.note(&self.route, &written, Instant::now());
        written
    }
}

fn spent() -> Error {
    let detail = "as many were asked for as `context_sentences.chunks` lets a run; the next one goes on";
    Error::Unavailable(detail.to_owned())
}

async fn written(model: &Arc<dyn ChatModel>, messages: Vec<Message>) -> Result<String> {
    let prompt = Prompt {
        messages,
        question: String::new(),
        context: Context::default(),
        max_tokens: MAX_TOKENS,
        run: Uuid::now_v7().to_string(),
    };
    let written = expand::written(model, prompt, SENTENCE_BYTES).await?;
    let sentence = sentence(&written);
    if sentence.is_empty() {
        return Err(Error::Unavailable("the model wrote no sentence".to_owned()));
    }
    Ok(sentence)
}

/// One line, without the quotes around it; nothing where there is no word.
fn sentence(written: &str) -> String {
    let words: Vec<&str> = written.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_matches(|c: char| c.is_whitespace() || "\"“”„«»".contains(c));
    if !line.contains(char::is_alphanumeric) {
        return String::new();
    }
    line[..line.floor_char_boundary(SENTENCE_BYTES)].to_owned()
}

fn surroundings<'a>(document: &'a Document, chunk: &'a Chunk) -> Surroundings<'a> {
    let (text, span) = (&document.text, &chunk.span);
    let before = text.ceil_char_boundary(span.start.saturating_sub(BEFORE_BYTES));
    let after = text.floor_char_boundary(span.end.saturating_add(AFTER_BYTES).min(text.len()));
    let mut outline = String::new();
    for heading in &document.headings {
        let line = format!("{} {}\n", "#".repeat(heading.level.into()), heading.title);
        if outline.len() + line.len() > OUTLINE_BYTES {
            outline.push_str("..");
            break;
        }
        outline.push_str(&line);
    }
    Surroundings {
        title: &document.title,
        outline,
        before: text[before..span.start].trim(),
        text: &chunk.text,
        after: text[span.end..after].trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_line_without_quotes() {
        let check = |written: &str, expected: &str| assert_eq!(sentence(written), expected);
        check(" \"On leave,\n in 2025.\" ", "On leave, in 2025.");
        check("„Über Urlaub.“", "Über Urlaub.");
        check("...\n-", "");
        check("", "");
        assert_eq!(sentence(&"ö".repeat(300)).len(), 200);
    }

    #[test]
    fn another_route_is_another_way_and_none_is_no_way() {
        assert_eq!(way("a"), way("a"));
        assert!(way("a") != way("b") && way("a") != 0);
    }

    #[test]
    fn a_chunk_is_shown_with_what_stands_around_it_within_bounds() {
        let heading = |title: &str, start| indexer::types::Heading {
            title: title.to_owned(),
            level: 2,
            start,
        };
        let (before, after) = ("ä".repeat(2_000), "ö".repeat(2_000));
        let text = format!("{before} the middle {after}");
        let start = before.len() + 1;
        let mut replacement = crate::index::tests::replacement("a.md", &[&text], 0);
        replacement.document.headings = (0..200).map(|at| heading("About words", at)).collect();
        let chunk = Chunk {
            text: "the middle".to_owned(),
            span: start..start + 10,
            ..replacement.chunks.remove(0)
        };
        let around = surroundings(&replacement.document, &chunk);
        assert_eq!((around.before.len(), around.after.len()), (1_498, 498));
        assert!(around.outline.starts_with("## About words\n") && around.outline.ends_with("\n.."));
        assert!(around.outline.len() <= OUTLINE_BYTES + 2);
    }
}
