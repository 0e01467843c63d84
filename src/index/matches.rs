//! Everything that matches a query, where the best few do not suffice: totals, facets, orders and groups.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use tantivy::query::{BooleanQuery, EmptyQuery, EnableScoring, Occur, Query, Weight};
use tantivy::{DocAddress, DocSet, TERMINATED};
use uuid::Uuid;

use super::directory::Column;
use super::lexical::{Snapshot, failed};
use super::{Asked, Collection, ask};
use crate::error::Result;
use crate::types::{ChunkId, DocumentCard, Facet, Filter, Reader, Sort};

/// What counts as a match.
#[derive(Clone, Copy, Debug)]
pub struct Matching<'a> {
    /// The query as the collection understands it.
    pub asked: &'a Asked,
    /// Whether its words count; otherwise everything that its conditions admit matches.
    pub has_words: bool,
    /// What matches by meaning though it lacks the words: the vector leg's hits.
    pub also: &'a [ChunkId],
}

/// All matches of one query in one commit.
pub struct Matches {
    snapshot: Arc<Snapshot>,
    rows: Vec<Row>,
}

/// One matching chunk.
#[derive(Clone, Copy)]
struct Row {
    owner: u32,
    score: f32,
    at: DocAddress,
}

/// A match with its document.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Which chunk.
    pub chunk: ChunkId,
    /// Its document.
    pub document: Arc<DocumentCard>,
    /// As `rescore` left it.
    pub score: f32,
}

/// The best matches of one document.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// What stands for it.
    pub best: Ranked,
    /// The next best.
    pub more: Vec<ChunkId>,
    /// How many there are.
    pub total: usize,
}

impl Collection {
    /// How many chunks match, and whether these are all; counting ends at about `most`.
    pub fn count(&self, matching: &Matching<'_>, most: usize) -> Result<(usize, bool)> {
        let snapshot = self.lexical.snapshot();
        let query = snapshot.matching(matching);
        let mut count = 0;
        let weight = query.weight(snapshot.unscored()).map_err(failed)?;
        snapshot.walk(&*weight, |_, _, _| {
            count += 1;
            if count < most {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok((count, count < most))
    }

    /// All matches with their lexical scores; computes, so call it from a blocking thread.
    pub fn matches(&self, matching: &Matching<'_>) -> Result<Matches> {
        let snapshot = self.lexical.snapshot();
        let directory = Arc::clone(snapshot.directory());
        let query = snapshot.matching(matching);
        let mut rows = Vec::new();
        // The chunks of a document lie next to each other.
        let mut last = (0, None);
        let weight = query.weight(snapshot.scored()).map_err(failed)?;
        snapshot.walk(&*weight, |at, owner, score| {
            if last.0 != owner {
                last = (owner, directory.number(owner));
            }
            rows.extend(last.1.map(|owner| Row { owner, score, at }));
            ControlFlow::Continue(())
        })?;
        Ok(Matches { snapshot, rows })
    }

    /// The documents of `chunks`, of those that exist and that `reader` may read.
    pub fn owners(&self, chunks: &[ChunkId], reader: &Reader) -> Result<HashMap<ChunkId, Arc<DocumentCard>>> {
        let snapshot = self.lexical.snapshot();
        let directory = snapshot.directory();
        let query = ask::among(snapshot.fields, chunks, &Filter::default(), snapshot.reader(reader));
        let mut owners = HashMap::with_capacity(chunks.len());
        let weight = query.weight(snapshot.unscored()).map_err(failed)?;
        snapshot.walk(&*weight, |at, owner, _| {
            if let (Some(id), Some(number)) = (snapshot.id_at(at), directory.number(owner)) {
                owners.insert(id, Arc::clone(directory.card(number)));
            }
            ControlFlow::Continue(())
        })?;
        Ok(owners)
    }
}

impl Snapshot {
    fn matching(&self, matching: &Matching<'_>) -> Box<dyn Query> {
        let Matching { asked, has_words, also } = *matching;
        let reader = self.reader(&asked.reader);
        if !has_words {
            return ask::admitted(self.fields, asked, reader);
        }
        let words = ask::query(self.fields, asked, reader);
        let also = (!also.is_empty()).then(|| ask::among(self.fields, also, &asked.filter, reader));
        match (words, also) {
            (Some(words), Some(also)) => {
                Box::new(BooleanQuery::new(vec![(Occur::Should, words), (Occur::Should, also)]))
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Box::new(EmptyQuery),
        }
    }

    fn scored(&self) -> EnableScoring<'_> {
        EnableScoring::enabled_from_statistics_provider(self, &self.searcher)
    }

    fn unscored(&self) -> EnableScoring<'_> {
        EnableScoring::disabled_from_searcher(&self.searcher)
    }

    /// Shows `row` each matching chunk: where it lies, the half of its document's id and its score.
    fn walk(&self, weight: &dyn Weight, mut row: impl FnMut(DocAddress, u64, f32) -> ControlFlow<()>) -> Result<()> {
        for (segment, place) in self.searcher.segment_readers().iter().zip(0..) {
            let owners = segment.fast_fields().u64("owner").map_err(failed)?;
            let mut matching = weight.scorer(segment, 1.0).map_err(failed)?;
            let mut at = matching.doc();
            while at != TERMINATED {
                let owner = owners.first(at).unwrap_or(0);
                let held = owner != 0 && !segment.is_deleted(at);
                if held && row(DocAddress::new(place, at), owner, matching.score()).is_break() {
                    return Ok(());
                }
                at = matching.advance();
            }
        }
        Ok(())
    }
}

impl Matches {
    /// How many chunks match.
    pub fn passages(&self) -> usize {
        self.rows.len()
    }

    /// How many documents have a matching chunk.
    pub fn documents(&self) -> usize {
        self.seen().into_iter().filter(|seen| *seen).count()
    }

    /// Gives each match the score of `known`, and the others what `rest` makes of their lexical one; removes `gone`.
    pub fn rescore(&mut self, known: &HashMap<ChunkId, f32>, rest: impl Fn(f32) -> f32, gone: &HashSet<ChunkId>) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain_mut(|row| {
            let id = self.id(row);
            row.score = known.get(&id).copied().unwrap_or_else(|| rest(row.score));
            !gone.contains(&id)
        });
        self.rows = rows;
    }

    /// The metadata fields of the collection, those of most documents first.
    pub fn fields(&self) -> &[String] {
        self.snapshot.directory().fields()
    }

    /// How many matching documents have each value of `field`; the `most` frequent values.
    pub fn facet(&self, field: &str, most: usize) -> Facet {
        let column = self.snapshot.directory().column(field);
        let mut counts = vec![0_usize; column.values().len()];
        for (number, _) in (0..).zip(self.seen()).filter(|(_, seen)| *seen) {
            for place in column.of(number) {
                counts[*place as usize] += 1;
            }
        }
        let mut places: Vec<usize> = (0..counts.len()).filter(|place| counts[*place] > 0).collect();
        // Places are in the order of the values.
        places.sort_unstable_by(|left, right| counts[*right].cmp(&counts[*left]).then(left.cmp(right)));
        let truncated = places.len() > most;
        places.truncate(most);
        let values = places
            .into_iter()
            .map(|place| (column.values()[place].clone(), counts[place]));
        Facet {
            field: field.to_owned(),
            values: values.collect(),
            truncated,
        }
    }

    /// The first `k` by `sort`, then by score, then by id.
    pub fn top(&self, sort: &[Sort], k: usize) -> Vec<Ranked> {
        let sort = self.sorting(sort);
        let mut places: Vec<usize> = (0..self.rows.len()).collect();
        first(&mut places, k, |left, right| {
            self.compare(&sort, &self.rows[*left], &self.rows[*right])
        });
        places.into_iter().map(|place| self.ranked(&self.rows[place])).collect()
    }

    /// The first `k` documents by their best matches, each with at most `size` of them.
    pub fn groups(&self, sort: &[Sort], k: usize, size: usize) -> Vec<Grouped> {
        let sort = self.sorting(sort);
        let mut bests: Vec<Option<(Row, usize)>> = vec![None; self.snapshot.directory().count()];
        for row in &self.rows {
            let best = &mut bests[row.owner as usize];
            *best = match *best {
                Some((held, total)) if self.compare(&[], &held, row).is_le() => Some((held, total + 1)),
                Some((_, total)) => Some((*row, total + 1)),
                None => Some((*row, 1)),
            };
        }
        let mut bests: Vec<(Row, usize)> = bests.into_iter().flatten().collect();
        first(&mut bests, k, |left, right| self.compare(&sort, &left.0, &right.0));
        let mut members: HashMap<u32, Vec<Row>> = bests.iter().map(|best| (best.0.owner, Vec::new())).collect();
        for row in &self.rows {
            if let Some(rows) = members.get_mut(&row.owner) {
                rows.push(*row);
            }
        }
        let grouped = bests.into_iter().map(|(best, total)| {
            let mut rows = members.remove(&best.owner).unwrap_or_default();
            first(&mut rows, size, |left, right| self.compare(&[], left, right));
            Grouped {
                best: self.ranked(&best),
                more: rows.iter().skip(1).map(|row| self.id(row)).collect(),
                total,
            }
        });
        grouped.collect()
    }

    /// Which documents have a match, by their numbers.
    fn seen(&self) -> Vec<bool> {
        let mut seen = vec![false; self.snapshot.directory().count()];
        for row in &self.rows {
            seen[row.owner as usize] = true;
        }
        seen
    }

    fn sorting(&self, sort: &[Sort]) -> Vec<(Arc<Column>, bool)> {
        let columns = sort.iter();
        columns
            .map(|one| (self.snapshot.directory().column(&one.field), one.descending))
            .collect()
    }

    fn compare(&self, sort: &[(Arc<Column>, bool)], left: &Row, right: &Row) -> Ordering {
        for (column, descending) in sort {
            let rank = |row: &Row| column.rank(row.owner, *descending);
            match rank(left).cmp(&rank(right)) {
                Ordering::Equal => {}
                order => return order,
            }
        }
        // Ties go to the smaller id, so the order never wavers.
        let by_id = || self.id(left).cmp(&self.id(right));
        right.score.total_cmp(&left.score).then_with(by_id)
    }

    fn id(&self, row: &Row) -> ChunkId {
        self.snapshot.id_at(row.at).unwrap_or(ChunkId(Uuid::nil()))
    }

    fn ranked(&self, row: &Row) -> Ranked {
        Ranked {
            chunk: self.id(row),
            document: Arc::clone(self.snapshot.directory().card(row.owner)),
            score: row.score,
        }
    }
}

/// Keeps the first `k` in order.
fn first<T>(list: &mut Vec<T>, k: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if k == 0 {
        list.clear();
    }
    if k < list.len() {
        list.select_nth_unstable_by(k - 1, &compare);
        list.truncate(k);
    }
    list.sort_unstable_by(compare);
}
