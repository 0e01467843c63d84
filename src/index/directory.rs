//! The documents of one commit by number, and their metadata by column: what facets and sorting read instead of JSON.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use super::filter::values;
use crate::types::{DocumentCard, DocumentId, Metadata, Sort};

/// Columns that are kept; there is one for each field that is counted or sorted by.
const COLUMNS: usize = 64;

/// All documents in the order of their ids; a document's number is its place.
pub struct Directory {
    cards: Vec<Arc<DocumentCard>>,
    numbers: HashMap<u64, u32>,
    columns: RwLock<HashMap<String, Arc<Column>>>,
    fields: OnceLock<Vec<String>>,
}

impl Directory {
    /// The directory of `cards`.
    pub fn new(cards: &BTreeMap<DocumentId, Arc<DocumentCard>>) -> Self {
        let numbered = cards.keys().zip(0..);
        Self {
            // 60 bits of the half are a hash's, so that two documents do not share one.
            numbers: numbered.map(|(id, number)| (id.0.as_u64_pair().0, number)).collect(),
            cards: cards.values().cloned().collect(),
            columns: RwLock::default(),
            fields: OnceLock::new(),
        }
    }

    /// The metadata fields, those of most documents first.
    pub fn fields(&self) -> &[String] {
        self.fields.get_or_init(|| {
            let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
            for field in self.cards.iter().flat_map(|card| card.metadata.keys()) {
                *counts.entry(field).or_default() += 1;
            }
            let mut fields: Vec<_> = counts.into_iter().collect();
            fields.sort_by_key(|(field, count)| (Reverse(*count), *field));
            fields.into_iter().map(|(field, _)| field.clone()).collect()
        })
    }

    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.cards.len()
    }

    /// The number of the document whose id begins with `half`.
    pub fn number(&self, half: u64) -> Option<u32> {
        self.numbers.get(&half).copied()
    }

    /// The document of that number.
    pub fn card(&self, number: u32) -> &Arc<DocumentCard> {
        &self.cards[number as usize]
    }

    /// The column of a metadata field, made when first asked for.
    pub fn column(&self, field: &str) -> Arc<Column> {
        let columns = self.columns.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(column) = columns.get(field) {
            return Arc::clone(column);
        }
        drop(columns);
        let column = Arc::new(Column::new(field, &self.cards));
        let mut columns = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        // A field that no document has costs nothing to look at again, and anyone may name a thousand of them.
        if !column.values.is_empty() && columns.len() < COLUMNS {
            columns.insert(field.to_owned(), Arc::clone(&column));
        }
        column
    }
}

/// One metadata field over all documents.
pub struct Column {
    /// Each value once, in order.
    values: Vec<Value>,
    /// Where the values of each document begin in `places`, and at the end its length.
    starts: Vec<u32>,
    /// Places in `values`, ascending for each document.
    places: Vec<u32>,
}

impl Column {
    fn new(field: &str, cards: &[Arc<DocumentCard>]) -> Self {
        let mut all: Vec<(&Value, u32)> = Vec::new();
        for (card, number) in cards.iter().zip(0..) {
            let own = values(card.metadata.get(field)).iter().filter(|value| is_plain(value));
            all.extend(own.map(|value| (value, number)));
        }
        all.sort_by(|left, right| compare(left.0, right.0).then(left.1.cmp(&right.1)));
        all.dedup_by(|left, right| left.1 == right.1 && compare(left.0, right.0).is_eq());
        let mut distinct: Vec<Value> = Vec::new();
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (value, number) in all {
            if distinct.last().is_none_or(|last| compare(last, value).is_ne()) {
                distinct.push(value.clone());
            }
            pairs.push((number, distinct.len() as u32 - 1));
        }
        pairs.sort_unstable();
        let mut starts = Vec::with_capacity(cards.len() + 1);
        for number in 0..=cards.len() as u32 {
            starts.push(pairs.partition_point(|pair| pair.0 < number) as u32);
        }
        Self {
            values: distinct,
            starts,
            places: pairs.into_iter().map(|pair| pair.1).collect(),
        }
    }

    /// Each value once, in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The places in `values` of what a document has, ascending.
    pub fn of(&self, number: u32) -> &[u32] {
        let number = number as usize;
        &self.places[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    /// What to sort a document by, the smallest first; those without the field come last.
    pub fn rank(&self, number: u32, descending: bool) -> u32 {
        let own = self.of(number);
        if descending {
            own.last().map_or(u32::MAX, |last| self.values.len() as u32 - 1 - last)
        } else {
            own.first().map_or(u32::MAX, |first| *first)
        }
    }
}

/// The order of two documents by `sort`, the same as by their ranks in a column.
pub fn order(left: &Metadata, right: &Metadata, sort: &Sort) -> Ordering {
    let key = |metadata: &Metadata| {
        let own = values(metadata.get(&sort.field)).iter().filter(|value| is_plain(value));
        let by = |left: &&Value, right: &&Value| compare(left, right);
        if sort.descending {
            own.max_by(by)
        } else {
            own.min_by(by)
        }
        .cloned()
    };
    match (key(left), key(right)) {
        (Some(left), Some(right)) if sort.descending => compare(&right, &left),
        (Some(left), Some(right)) => compare(&left, &right),
        (left, right) => right.is_some().cmp(&left.is_some()),
    }
}

fn is_plain(value: &Value) -> bool {
    value.is_number() || value.is_string() || value.is_boolean()
}

/// Numbers, then strings by their bytes, then false and true.
pub fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let float = |number: &serde_json::Number| number.as_f64().unwrap_or_default() + 0.0;
            float(left).total_cmp(&float(right))
        }
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => kind(left).cmp(&kind(right)),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn directory(values: &[Value]) -> Directory {
        let mut cards = BTreeMap::new();
        for (at, value) in values.iter().enumerate() {
            let uri = format!("{at}");
            let id = DocumentId::of(&uri);
            let card = DocumentCard {
                id,
                title: uri.clone(),
                uri,
                metadata: Metadata::from([("f".to_owned(), value.clone())]),
                principals: Vec::new(),
                version: String::new(),
                read_as: String::new(),
            };
            cards.insert(id, Arc::new(card));
        }
        Directory::new(&cards)
    }

    /// The documents' own numbers in the order of the field.
    fn sorted(values: &[Value], descending: bool) -> Vec<String> {
        let directory = directory(values);
        let column = directory.column("f");
        let mut numbers: Vec<u32> = (0..directory.count() as u32).collect();
        numbers.sort_by_key(|number| (column.rank(*number, descending), directory.card(*number).uri.clone()));
        let sort = Sort {
            field: "f".into(),
            descending,
        };
        for pair in numbers.windows(2) {
            let (left, right) = (directory.card(pair[0]), directory.card(pair[1]));
            assert!(
                order(&left.metadata, &right.metadata, &sort).is_le(),
                "{left:?} {right:?}"
            );
        }
        numbers
            .iter()
            .map(|number| directory.card(*number).uri.clone())
            .collect()
    }

    #[test]
    fn what_is_missing_comes_last_and_kinds_do_not_mix() {
        let values = [json!("b"), json!(2), json!(null), json!(-1.5), json!("a"), json!(true)];
        assert_eq!(sorted(&values, false), ["3", "1", "4", "0", "5", "2"]);
        assert_eq!(sorted(&values, true), ["5", "0", "4", "1", "3", "2"]);
    }

    #[test]
    fn a_list_sorts_by_the_item_that_the_direction_prefers() {
        let values = [json!([5, 1]), json!([2, 3]), json!([]), json!({"no": 1})];
        assert_eq!(sorted(&values, false), ["0", "1", "2", "3"]);
        assert_eq!(sorted(&values, true), ["0", "1", "2", "3"]);
        assert_eq!(sorted(&[json!([2]), json!([1, 3])], true), ["1", "0"]);
    }

    #[test]
    fn equal_numbers_are_one_value() {
        let directory = directory(&[json!(1), json!(1.0), json!([1, 1]), json!("1")]);
        let column = directory.column("f");
        assert_eq!(column.values().len(), 2, "{:?}", column.values());
        assert_eq!(column.values()[0].as_f64(), Some(1.0));
        assert!((0..4).all(|number| column.of(number).len() == 1));
        assert!(directory.column("g").values().is_empty());
    }
}
