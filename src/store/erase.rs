//! Forgetting a document: what answers quoted of it, and where its words stood.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sqlx::{Row, Sqlite, Transaction};

use super::rows::{self, StoredCitation};
use super::{Store, failed, sentences, traces};
use crate::error::Result;
use crate::types::DocumentId;

/// Stands where words from an erased document stood.
const REMOVED: &str = "[removed]";
const WHAT: &str = "cannot erase the document from the conversations";

impl Store {
    /// Takes all of the `document` of `collection` out of the stored answers, their traces and what was written of it, and
    /// returns how many messages changed. The same URI in another collection is another document and stays.
    ///
    /// Its passages leave the sources; its citations lose quote and source range and become `removed`; the words
    /// that they supported become `[removed]`. Ranges of the other citations still cover what they covered.
    pub async fn erase_document(&self, collection: &str, document: DocumentId) -> Result<u64> {
        self.erase_documents(collection, &[document]).await
    }

    /// The same for several documents, all or none.
    pub async fn erase_documents(&self, collection: &str, documents: &[DocumentId]) -> Result<u64> {
        let found = "select message, json_extract(passage, '$.number') from sources \
                     where json_extract(passage, '$.collection') = ?1 and document = ?2";
        let gone = "delete from sources where json_extract(passage, '$.collection') = ?1 and document = ?2";
        let documents: Vec<String> = documents.iter().map(ToString::to_string).collect();
        self.erase([found, gone], collection, &documents).await
    }

    /// The same for all documents of `collection`.
    pub async fn erase_collection(&self, collection: &str) -> Result<u64> {
        let found = "select message, json_extract(passage, '$.number') from sources \
                     where json_extract(passage, '$.collection') = ?1 and ?2 = ''";
        let gone = "delete from sources where json_extract(passage, '$.collection') = ?1 and ?2 = ''";
        self.erase([found, gone], collection, &[String::new()]).await
    }

    /// The documents whose words stand in stored answers and traces, with their collections.
    pub async fn quoted(&self) -> Result<Vec<(String, DocumentId)>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select json_extract(passage, '$.collection') as collection, document from sources \
             where collection is not null and document is not null \
             union select collection, document from trace_passages where json_extract(passage, '$.removed') is null",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed("cannot tell what is quoted"))?;
        let known = |(collection, document): (String, String)| Some((collection, document.parse().ok()?));
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Erases the sources that the first statement finds and the second one deletes, both with the collection and each
    /// of `documents`.
    async fn erase(&self, [found, gone]: [&'static str; 2], collection: &str, documents: &[String]) -> Result<u64> {
        let mut transaction = self.begin(WHAT).await?;
        let mut numbers: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for document in documents {
            // A citation has the number of its source, and the source knows its collection.
            let sources: Vec<(String, i64)> = sqlx::query_as(found)
                .bind(collection)
                .bind(document)
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed(WHAT))?;
            for (message, number) in sources {
                numbers.entry(message).or_default().insert(number);
            }
            sqlx::query(gone)
                .bind(collection)
                .bind(document)
                .execute(&mut *transaction)
                .await
                .map_err(failed(WHAT))?;
            traces::erase(&mut transaction, collection, document)
                .await
                .map_err(failed(WHAT))?;
            sentences::erase(&mut transaction, collection, document)
                .await
                .map_err(failed(WHAT))?;
        }
        for (message, numbers) in &numbers {
            erase_from(&mut transaction, message, numbers)
                .await
                .map_err(failed(WHAT))?;
        }
        transaction.commit().await.map_err(failed(WHAT))?;
        self.empty_log(WHAT).await?;
        Ok(numbers.len() as u64)
    }

    /// The write-ahead log still holds the old pages. False where a reader is in the way; the next erasure tries again.
    pub(super) async fn empty_log(&self, what: &'static str) -> Result<bool> {
        let busy: i64 = sqlx::query_scalar("pragma wal_checkpoint(truncate)")
            .fetch_one(&self.pool)
            .await
            .map_err(failed(what))?;
        if busy != 0 {
            tracing::warn!("a reader kept the write-ahead log from being emptied after an erasure");
        }
        Ok(busy == 0)
    }
}

/// Rewrites one message and the ranges of all its citations; those with one of `numbers` are erased.
async fn erase_from(
    transaction: &mut Transaction<'_, Sqlite>,
    message: &str,
    numbers: &BTreeSet<i64>,
) -> sqlx::Result<()> {
    let text: String = sqlx::query_scalar("select text from messages where id = ?")
        .bind(message)
        .fetch_one(&mut **transaction)
        .await?;
    let found = sqlx::query("select * from citations where message = ? order by ordinal")
        .bind(message)
        .fetch_all(&mut **transaction)
        .await?;
    let mut citations: Vec<(i64, StoredCitation)> = Vec::with_capacity(found.len());
    for row in &found {
        citations.push((row.try_get("ordinal")?, rows::citation(row)?));
    }
    let erased = citations
        .iter()
        .map(|(_, citation)| citation)
        .filter(|citation| !citation.removed && numbers.contains(&(citation.number as i64)))
        .map(|citation| citation.answer_range.clone());
    let cuts = merge(&text, erased.collect());
    // Ranges of sentences would not fit any more, and what they lack may be the erased words.
    sqlx::query("update messages set text = ?, sentences = null where id = ?")
        .bind(cut(&text, &cuts))
        .bind(message)
        .execute(&mut **transaction)
        .await?;
    for (ordinal, citation) in citations {
        let range = shift(&citation.answer_range, &cuts);
        sqlx::query("update citations set answer_start = ?, answer_end = ? where message = ? and ordinal = ?")
            .bind(range.start as i64)
            .bind(range.end as i64)
            .bind(message)
            .bind(ordinal)
            .execute(&mut **transaction)
            .await?;
    }
    for number in numbers {
        sqlx::query(
            "update citations set quote = null, source_start = null, source_end = null, removed = 1 \
             where message = ? and number = ?",
        )
        .bind(message)
        .bind(number)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Orders `ranges` of `text`, joins those that overlap and widens them to whole characters; empty ones go.
fn merge(text: &str, ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = ranges
        .into_iter()
        .map(|range| text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end))
        .filter(|range| !range.is_empty())
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// `text` with `[removed]` in place of each of `cuts`, which are in order and apart.
fn cut(text: &str, cuts: &[Range<usize>]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for range in cuts {
        kept.push_str(&text[from..range.start]);
        kept.push_str(REMOVED);
        from = range.end;
    }
    kept.push_str(&text[from..]);
    kept
}

/// Where `range` lies after `cuts`; an end inside a cut goes to that end of its `[removed]`.
fn shift(range: &Range<usize>, cuts: &[Range<usize>]) -> Range<usize> {
    let mut start = range.start as isize;
    let mut end = range.end as isize;
    for cut in cuts {
        let change = REMOVED.len() as isize - cut.len() as isize;
        if range.start >= cut.end {
            start += change;
        } else if range.start > cut.start {
            start -= (range.start - cut.start) as isize;
        }
        if range.end >= cut.end {
            end += change;
        } else if range.end > cut.start {
            end += change + (cut.end - range.end) as isize;
        }
    }
    start.max(0) as usize..end.max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, erased: &[&str], kept: &[(&str, &str)], expected: &str) {
        let place = |words: &str| {
            let start = text.find(words).expect("the words are in the text");
            start..start + words.len()
        };
        let cuts = merge(text, erased.iter().map(|words| place(words)).collect());
        let after = cut(text, &cuts);
        assert_eq!(after, expected);
        for (before, now) in kept {
            assert_eq!(&after[shift(&place(before), &cuts)], *now, "the range of {before:?}");
        }
    }

    #[test]
    fn words_go_and_the_other_ranges_still_cover_theirs() {
        let text = "Größe 4 ☃ [1]. Fünf Tage [2]. Ärger ab 9 [3].";
        let kept = [("Größe 4 ☃", "Größe 4 ☃"), ("Ärger ab 9", "Ärger ab 9")];
        check(
            text,
            &["Fünf Tage"],
            &kept,
            "Größe 4 ☃ [1]. [removed] [2]. Ärger ab 9 [3].",
        );
        let kept = [("Fünf Tage", "Fünf Tage"), ("Größe 4 ☃", "[removed]")];
        let expected = "[removed] [1]. Fünf Tage [2]. [removed] [3].";
        check(text, &["Ärger ab 9", "Größe 4 ☃"], &kept, expected);
    }

    #[test]
    fn ranges_that_overlap_a_cut_cover_its_replacement() {
        check(
            "abcdefgh",
            &["cdef"],
            &[("bcd", "b[removed]"), ("efg", "[removed]g")],
            "ab[removed]gh",
        );
        check(
            "abcdefgh",
            &["cde", "def"],
            &[("de", "[removed]"), ("ab", "ab")],
            "ab[removed]gh",
        );
        check("abcdefgh", &["cd", "ef"], &[("gh", "gh")], "ab[removed][removed]gh");
        check(
            "abcdefgh",
            &["cd"],
            &[("abcdefgh", "ab[removed]efgh")],
            "ab[removed]efgh",
        );
    }

    #[test]
    fn a_range_inside_a_character_or_past_the_end_does_no_harm() {
        let text = "aéb";
        let (inside, past) = (2..3, 3..99);
        assert_eq!(cut(text, &merge(text, vec![inside])), "a[removed]b");
        assert_eq!(cut(text, &merge(text, vec![past])), "aé[removed]");
        assert_eq!(cut(text, &merge(text, vec![50..99, 1..1])), text);
    }
}
