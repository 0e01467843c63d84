//! The second stage: chunks to vectors. A text that is in the index already, wherever it stands, is not embedded again.

use std::collections::{HashMap, HashSet};

use indexer::chunk::{self, Chunking};
use indexer::fingerprint;
use tokio::time::Instant;

use super::IngestRun;
use super::flow::{self, Flow, Task};
use super::publish::Ready;
use super::take::Parsed;
use crate::engine::changes::Change;
use crate::engine::rerank::Indexed;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::index::{Embedding, Replacement, Sketch, TextHash};

/// Chunks that are embedded as one: few enough that the job is seen to move.
const EMBED: usize = 64;
/// Groups at the embedder: while what it made of one is taken up, it works on the other.
const AT_EMBEDDER: usize = 2;

/// A text's vector, and what late interaction compares of it.
pub(super) type Made = (Vec<f32>, Vec<Sketch>);

/// Documents that are embedded together.
pub(super) struct Group {
    parsed: Vec<Parsed>,
    /// Of the chunks of all of them, in their order.
    hashes: Vec<TextHash>,
    made: HashMap<TextHash, Made>,
    /// What the groups before this one make.
    awaited: HashSet<TextHash>,
    /// What nobody has embedded yet.
    fresh: Vec<(TextHash, String)>,
    /// What the embedder is at.
    step: Option<(Vec<TextHash>, Task<Vec<Indexed>>)>,
}

impl Group {
    pub fn task(&mut self) -> Option<&mut Task<Vec<Indexed>>> {
        self.step.as_mut().map(|(_, task)| task)
    }

    pub fn weight(&self) -> usize {
        self.parsed.iter().map(Parsed::weight).sum()
    }

    fn is_done(&self) -> bool {
        self.step.is_none() && self.fresh.is_empty()
    }

    /// The documents with what was made of them.
    fn end(self, wants_tokens: bool) -> Result<(Vec<Ready>, HashMap<TextHash, Made>)> {
        let mut hashes = self.hashes.into_iter();
        let mut ready = Vec::with_capacity(self.parsed.len());
        for Parsed {
            document,
            chunks,
            ticket,
        } in self.parsed
        {
            let texts: Vec<TextHash> = hashes.by_ref().take(chunks.len()).collect();
            let own: Option<Vec<Made>> = texts.iter().map(|text| self.made.get(text).cloned()).collect();
            let own = own.ok_or_else(|| Error::Internal("a chunk was not embedded".into()))?;
            let (vectors, tokens) = own.into_iter().unzip();
            let replacement = Replacement {
                document,
                chunks,
                vectors,
                tokens: if wants_tokens { tokens } else { Vec::new() },
                texts,
            };
            ready.push(Ready::new(replacement, ticket));
        }
        Ok((ready, self.made))
    }
}

impl Flow {
    /// Whether the embedder is to have more: there is enough for a while, or it is idle and nothing more comes soon.
    fn feeds_embedder(&self) -> bool {
        let waiting: usize = self.parsed.iter().map(|one| one.chunks.len()).sum();
        match self.groups.len() {
            0 => waiting >= EMBED || (!self.parsed.is_empty() && self.is_gathered()),
            AT_EMBEDDER.. => false,
            _ => waiting >= EMBED,
        }
    }

    /// The next documents for the embedder.
    fn gathered(&mut self) -> Vec<Parsed> {
        let (mut some, mut chunks) = (Vec::new(), 0);
        while chunks < EMBED
            && let Some(one) = self.parsed.pop_front()
        {
            chunks += one.chunks.len();
            some.push(one);
        }
        self.waiting = (!self.parsed.is_empty()).then(Instant::now);
        some
    }

    /// What was made of that text for documents that are still to be published.
    fn made(&self, text: &TextHash) -> Option<Made> {
        self.made.iter().find_map(|made| made.get(text)).cloned()
    }
}

impl IngestRun {
    /// Lets the embedder have what waits for it.
    pub(super) async fn embed(&mut self) -> Result<()> {
        while self.flow.feeds_embedder() {
            let group = self.group().await?;
            self.flow.groups.push_back(group);
            self.end_groups()?;
        }
        for group in &mut self.flow.groups {
            if group.step.is_some() || group.fresh.is_empty() {
                continue;
            }
            let rest = group.fresh.split_off(group.fresh.len().min(EMBED));
            let (hashes, texts) = std::mem::replace(&mut group.fresh, rest).into_iter().unzip();
            let (engine, collection) = (self.engine.clone(), self.collection.clone());
            let task = flow::begin(async move { engine.embed_passages(&collection, texts).await });
            group.step = Some((hashes, task));
        }
        Ok(())
    }

    /// What the embedder made of a part of the group at that place.
    pub(super) async fn embedded(&mut self, at: usize, embedded: Vec<Indexed>) -> Result<()> {
        let Some((group, (hashes, _))) = self.flow.groups.get_mut(at).and_then(|group| {
            let step = group.step.take()?;
            Some((group, step))
        }) else {
            return Ok(());
        };
        self.record.chunks += hashes.len() as u64;
        self.record.embedded += hashes.len() as u64;
        let embedded = embedded.into_iter().map(|one| (one.vector, one.tokens));
        group.made.extend(hashes.into_iter().zip(embedded));
        self.end_groups()?;
        self.note().await
    }

    /// Makes ready what is embedded, in its order.
    fn end_groups(&mut self) -> Result<()> {
        while self.flow.groups.front().is_some_and(Group::is_done)
            && let Some(group) = self.flow.groups.pop_front()
        {
            for later in &mut self.flow.groups {
                let own = later.awaited.extract_if(|text| group.made.contains_key(text));
                let own = own.map(|text| (text, group.made[&text].clone()));
                later.made.extend(own);
            }
            let (ready, made) = group.end(self.engine.wants_tokens())?;
            for Ready { ticket, .. } in &ready {
                match ticket.change {
                    Change::Added => self.record.added += 1,
                    Change::Moved(_) => self.record.moved += 1,
                    Change::Changed | Change::Lacking | Change::Unchanged => self.record.changed += 1,
                }
                self.record.bytes_done += ticket.bytes;
            }
            self.flow.ready.extend(ready);
            self.flow.since.get_or_insert_with(Instant::now);
            self.flow.made[0].extend(made);
        }
        Ok(())
    }

    /// The next documents for the embedder, with what is known of their texts already.
    async fn group(&mut self) -> Result<Group> {
        let chunking = self.engine.chunking();
        let parsed = self.flow.gathered();
        let texts: Vec<String> = parsed.iter().flat_map(|one| texts(one, chunking)).collect();
        let hashes: Vec<TextHash> = texts.iter().map(|text| fingerprint::text(text)).collect();
        let mut group = Group {
            parsed,
            made: HashMap::new(),
            awaited: HashSet::new(),
            fresh: Vec::new(),
            step: None,
            hashes,
        };
        let mut asked = HashSet::new();
        for (hash, text) in group.hashes.iter().zip(texts) {
            if !asked.insert(*hash) {
                continue;
            }
            if let Some(made) = self.flow.made(hash) {
                group.made.insert(*hash, made);
            } else if self.flow.groups.iter().any(|before| before.hashes.contains(hash)) {
                group.awaited.insert(*hash);
            } else {
                group.fresh.push((*hash, text));
            }
        }
        let fresh: Vec<TextHash> = group.fresh.iter().map(|(hash, _)| *hash).collect();
        group.made.extend(self.kept(fresh).await?);
        group.fresh.retain(|(hash, _)| !group.made.contains_key(hash));
        self.record.chunks += (group.hashes.len() - group.fresh.len()) as u64;
        Ok(group)
    }

    /// What the index has of these texts.
    async fn kept(&self, hashes: Vec<TextHash>) -> Result<HashMap<TextHash, Made>> {
        let collection = self.collection.clone();
        let wants_tokens = self.engine.wants_tokens();
        blocking(move || {
            let found = collection.embedded(&hashes)?.into_iter();
            let whole = |(hash, embedding): (TextHash, Option<Embedding>)| {
                let embedding = embedding?;
                let tokens = embedding.tokens.or((!wants_tokens).then(Vec::new))?;
                Some((hash, (embedding.vector, tokens)))
            };
            Ok(hashes.iter().copied().zip(found).filter_map(whole).collect())
        })
        .await
    }
}

fn texts(parsed: &Parsed, chunking: Chunking) -> impl Iterator<Item = String> + '_ {
    let title = &parsed.document.title;
    let sentences = &parsed.ticket.sentences;
    parsed.chunks.iter().map(move |chunk| {
        let sentence = sentences.get(chunk.ordinal as usize).and_then(Option::as_ref);
        chunking.embedded(title, &chunk.heading_path, &chunk::situated(sentence, &chunk.text))
    })
}
