//! What a caller may ask of a search beside its words: counts, facets, order, groups, surroundings.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The most fields whose values are counted.
pub const MAX_FACETS: usize = 20;
/// The most values that are told of one field.
pub const MAX_FACET_VALUES: usize = 100;
/// The most fields of an order.
pub const MAX_SORT: usize = 5;
/// The most passages of one document in a group.
pub const MAX_GROUP: usize = 10;
/// The most chunks before and after a passage.
pub const MAX_NEIGHBOURS: usize = 5;
/// A hundred years.
const MAX_HALF_LIFE_DAYS: f64 = 36_525.0;
/// The longest name of a metadata field, in bytes.
const MAX_FIELD_BYTES: usize = 256;

/// None of these is asked for by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Whether the page is told as a whole: matches counted, titles and headings marked.
    pub whole: bool,
    /// Metadata fields whose values are counted over the matching documents; `*` stands for all of them.
    pub facets: Vec<String>,
    /// Metadata fields that decide the order; the score decides where they are equal.
    pub sort: Vec<Sort>,
    /// One result a document, with up to so many of its passages.
    pub group_size: Option<usize>,
    /// So many chunks before and after each passage.
    pub neighbours: usize,
    /// Newer documents gain.
    pub recency: Option<Recency>,
    /// 0 leaves the order alone; towards 1 a passage like a better one falls back.
    pub diversity: f32,
    /// Whether of passages that say the same only the best is shown.
    pub fold_duplicates: bool,
    /// Other words, by a model, that are searched for beside the query's own.
    pub expand: Option<Expand>,
    /// Whether each step is told with its ranks, and what was dropped.
    pub explain: bool,
}

/// What is asked of which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expand {
    /// What it is to write.
    pub kind: Expansion,
    /// The route to the model; without one the default, or the first that has one.
    pub route: Option<String>,
}

/// What a model is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expansion {
    /// The question in other words.
    Queries,
    /// A passage as an answer might read (Gao et al. 2022, hypothetical document embeddings).
    Passage,
}

impl FromStr for Expansion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "queries" => Ok(Self::Queries),
            "passage" => Ok(Self::Passage),
            other => {
                let detail = format!("`{other}` is nothing that a model could write; use `queries` or `passage`");
                Err(Error::bad_input("/expand", detail))
            }
        }
    }
}

/// One field of an order. Numbers come before strings and those before truth values; a document without the field
/// comes last either way.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The metadata field; of a list its smallest item counts, or its largest when descending.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Newer documents gain: the score becomes (1 - weight) x relevance + weight x 0.5^(age / half-life), both from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Recency {
    /// The metadata field with an ISO 8601 date or seconds since 1970; a document without it counts as very old.
    pub field: String,
    /// The age in days at which the gain is half.
    pub half_life_days: f64,
    /// Share of the score, 0 to 1.
    pub weight: f32,
    /// Seconds since 1970 from which ages are counted.
    pub now: i64,
}

impl Options {
    /// Whether the best candidates do not suffice: all matches decide what is on the page.
    pub fn need_all(&self) -> bool {
        !self.sort.is_empty() || self.group_size.is_some()
    }

    /// Refuses what has no meaning; every fault names its place and what is allowed.
    pub fn check(&self) -> Result<()> {
        most("/facets", "fields", self.facets.len(), MAX_FACETS)?;
        for (at, field) in self.facets.iter().enumerate() {
            named(&format!("/facets/{at}"), field)?;
        }
        most("/sort", "fields", self.sort.len(), MAX_SORT)?;
        for (at, sort) in self.sort.iter().enumerate() {
            named(&format!("/sort/{at}/field"), &sort.field)?;
        }
        if let Some(size) = self.group_size {
            within("/group_size", size, 1..=MAX_GROUP)?;
        }
        within("/neighbours", self.neighbours, 0..=MAX_NEIGHBOURS)?;
        within("/diversity", self.diversity, 0.0..=1.0)?;
        if self.diversity > 0.0 && !self.sort.is_empty() {
            return Err(Error::bad_input(
                "/diversity",
                "`diversity` weighs relevance, which `sort` leaves aside; send one of the two",
            ));
        }
        if self.recency.is_some() && !self.sort.is_empty() {
            return Err(Error::bad_input(
                "/recency",
                "`recency` changes relevance, which `sort` leaves aside; send one of the two",
            ));
        }
        self.recency.as_ref().map_or(Ok(()), Recency::check)
    }
}

impl Recency {
    fn check(&self) -> Result<()> {
        named("/recency/field", &self.field)?;
        within("/recency/weight", self.weight, 0.0..=1.0)?;
        if !(self.half_life_days > 0.0 && self.half_life_days <= MAX_HALF_LIFE_DAYS) {
            let detail = format!(
                "`half_life_days` is {}; it is more than 0 and at most {MAX_HALF_LIFE_DAYS}",
                self.half_life_days
            );
            return Err(Error::bad_input("/recency/half_life_days", detail));
        }
        Ok(())
    }
}

fn most(pointer: &str, what: &str, count: usize, most: usize) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    let detail = format!("{count} {what} are named; at most {most} are accepted");
    Err(Error::bad_input(pointer, detail))
}

fn named(pointer: &str, field: &str) -> Result<()> {
    if (1..=MAX_FIELD_BYTES).contains(&field.len()) {
        return Ok(());
    }
    let detail = format!("a metadata field's name is wanted here, 1 to {MAX_FIELD_BYTES} bytes long");
    Err(Error::bad_input(pointer, detail))
}

fn within<T: PartialOrd + Copy + std::fmt::Display>(
    pointer: &str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let detail = format!("`{name}` is {value}; it goes from {} to {}", range.start(), range.end());
    Err(Error::bad_input(pointer, detail))
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn refuse(options: &Options, pointer: &str) {
        let Err(Error::BadInput { faults, .. }) = options.check() else {
            panic!("{options:?} was accepted");
        };
        assert_eq!(faults[0].pointer, pointer, "{}", faults[0].detail);
    }

    fn recency(half_life_days: f64, weight: f32) -> Options {
        let field = "date".to_owned();
        let now = 0;
        Options {
            recency: Some(Recency {
                field,
                half_life_days,
                weight,
                now,
            }),
            ..Options::default()
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused_at_its_place() {
        let with = |change: &dyn Fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options
        };
        refuse(&with(&|o| o.facets = vec!["a".into(); MAX_FACETS + 1]), "/facets");
        refuse(&with(&|o| o.facets = vec!["a".into(), String::new()]), "/facets/1");
        refuse(&with(&|o| o.group_size = Some(0)), "/group_size");
        refuse(&with(&|o| o.group_size = Some(MAX_GROUP + 1)), "/group_size");
        refuse(&with(&|o| o.neighbours = MAX_NEIGHBOURS + 1), "/neighbours");
        for diversity in [-0.1, 1.1, f32::NAN] {
            refuse(&with(&|o| o.diversity = diversity), "/diversity");
        }
        for half_life in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            refuse(&recency(half_life, 0.2), "/recency/half_life_days");
        }
        refuse(&recency(90.0, 1.5), "/recency/weight");
        assert!(recency(90.0, 0.2).check().is_ok());
    }

    #[test]
    fn what_weighs_relevance_and_sort_exclude_each_other() {
        let mut options = Options {
            diversity: 0.3,
            ..Options::default()
        };
        assert!(options.check().is_ok());
        options.sort.push(Sort {
            field: "date".into(),
            descending: true,
        });
        refuse(&options, "/diversity");
        options.diversity = 0.0;
        assert!(options.check().is_ok());
        options.recency = recency(90.0, 0.2).recency;
        refuse(&options, "/recency");
    }
}
