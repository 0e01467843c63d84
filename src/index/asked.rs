//! A reader's words as one collection understands them: stems, corrections, synonyms, completions, conditions.

use std::collections::BTreeSet;
use std::ops::Range;

use tantivy::schema::Field;

use super::analyse::{self, Word};
use super::language::{self, Language};
use super::lexical::{Fields, Snapshot};
use super::synonyms::Synonyms;
use super::syntax::{self, Parsed, Without};
use super::vocabulary::{Known, Vocabulary};
use crate::error::Result;
use crate::types::{Correction, Filter, Query, Reader};

/// A question of 32 KB would visit every posting; what comes after these words changes little.
const MAX_TERMS: usize = 256;
const MAX_IDENTIFIERS: usize = 32;
const MAX_PHRASES: usize = 32;
/// Words of one query that are looked for in the neighbourhood: each is a walk through the vocabulary.
const MAX_CORRECTED: usize = 8;
/// Chunks that may hold a name such as `FB-30` or `BrokerLagHigh` for it to be sought verbatim: `IL-6` and `GitHub` are
/// words where every other text has them.
const RARE: u64 = 10;
/// What a word is worth that the reader did not type.
const CORRECTED: f32 = 0.7;
const SYNONYM: f32 = 0.8;
const COMPLETED: f32 = 0.5;

/// A query that is understood; `Collection::understand` makes it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What the vector leg embeds: the words without exclusions and conditions; empty when nothing is asked for.
    pub text: String,
    /// The caller's condition and those that were typed.
    pub filter: Filter,
    /// On whose behalf.
    pub reader: Reader,
    /// Words that were read as others.
    pub corrections: Vec<Correction>,
    /// The words to be marked in a passage.
    pub marks: String,
    /// Terms that add to the score; a passage has at least one of them or of `synonyms`.
    pub(super) terms: Vec<Weighed>,
    /// Several words that add to the score, in their order.
    pub(super) synonyms: Vec<(Vec<String>, f32)>,
    /// What every passage holds, unstemmed, in this order.
    pub(super) phrases: Vec<Vec<String>>,
    /// What no passage holds.
    pub(super) without: Vec<Vec<String>>,
    /// Words that no passage holds, each with its other forms.
    pub(super) without_words: Vec<String>,
    /// Passages with one of these come before all others.
    pub(super) codes: Vec<Code>,
    /// Passages with one of these gain on others.
    pub(super) names: Vec<Code>,
    /// Whether a condition was typed: without words, it lists what it admits.
    pub(super) lists: bool,
}

/// A term and what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weighed {
    pub field: Field,
    pub text: String,
    pub weight: f32,
}

/// An identifier that is looked for verbatim, and its words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Code {
    pub identifier: String,
    pub words: Vec<String>,
}

impl Asked {
    /// Whether a hit of the vector leg may have to go: it lacks a phrase, or holds what is excluded.
    pub fn is_demanding(&self) -> bool {
        !(self.phrases.is_empty() && self.without.is_empty() && self.without_words.is_empty())
    }

    /// Whether a hit of the vector leg has to be looked at: it may have to go, or hold an identifier.
    pub fn is_strict(&self) -> bool {
        self.is_demanding() || self.verbatim().next().is_some()
    }

    /// All that is looked for verbatim.
    pub(super) fn verbatim(&self) -> impl Iterator<Item = &Code> {
        self.codes.iter().chain(&self.names)
    }
}

/// Reads `query` with the words that `snapshot` has.
pub(super) fn understand(snapshot: &Snapshot, synonyms: &Synonyms, query: &Query) -> Result<Asked> {
    let vocabulary = Vocabulary::new(snapshot, query.reader());
    let mut parsed = syntax::parse(query.text(), &|name| vocabulary.is_field(name));
    for condition in &mut parsed.conditions {
        syntax::in_any_case(condition, &|field| snapshot.directory().column(field));
    }
    let understanding = Understanding {
        fields: snapshot.fields,
        languages: &snapshot.languages,
        vocabulary,
        units: analyse::units(&parsed.text),
        asked: Asked {
            text: String::new(),
            filter: query.filter().clone(),
            reader: query.reader().clone(),
            corrections: Vec::new(),
            marks: String::new(),
            terms: Vec::new(),
            synonyms: Vec::new(),
            phrases: Vec::new(),
            without: Vec::new(),
            without_words: Vec::new(),
            codes: Vec::new(),
            names: Vec::new(),
            lists: parsed
                .conditions
                .iter()
                .any(|condition| !matches!(condition, Filter::Not(_))),
        },
        parsed,
    };
    understanding.finish(synonyms, query)
}

/// A query that is being read.
struct Understanding<'a> {
    fields: Fields,
    languages: &'a [Language],
    vocabulary: Vocabulary<'a>,
    parsed: Parsed,
    units: Vec<Word>,
    asked: Asked,
}

impl Understanding<'_> {
    fn finish(mut self, synonyms: &Synonyms, query: &Query) -> Result<Asked> {
        let unfinished = if query.typing() { self.unfinished() } else { None };
        self.words(synonyms, unfinished.as_ref())?;
        if let Some(word) = unfinished {
            self.complete(&word)?;
        }
        self.identifiers()?;
        self.strictness()?;
        if !self.parsed.conditions.is_empty() {
            let mut all = vec![self.asked.filter];
            all.append(&mut self.parsed.conditions);
            all.retain(|filter| !filter.is_empty());
            self.asked.filter = Filter::All(all);
        }
        let words = self.parsed.text.trim();
        self.asked.text = if words.is_empty() && self.asked.lists {
            query.text().to_owned()
        } else {
            words.to_owned()
        };
        // Beside what was typed, not in its place: a word that no document has may still be close to one in meaning.
        for correction in &self.asked.corrections {
            let read_as = correction.read_as.first();
            self.asked.text.extend([" ", read_as.map_or("", String::as_str)]);
        }
        Ok(self.asked)
    }

    /// Terms of the words that are no stop words, or of all when there are no others.
    fn words(&mut self, synonyms: &Synonyms, unfinished: Option<&Word>) -> Result<()> {
        let stopping = language::asked_in(self.languages, &self.units);
        let stop = |word: &Word| !word.unspaced && stopping.iter().any(|language| language.is_stop(word.lower()));
        let units = std::mem::take(&mut self.units);
        let mut kept: Vec<&Word> = units.iter().filter(|word| !stop(word)).collect();
        let only_stops = kept.is_empty();
        if only_stops {
            kept.extend(&units);
        }
        let mut seen = BTreeSet::new();
        kept.retain(|word| seen.insert(word.text.as_str()));
        kept.truncate(MAX_TERMS);
        let fixed = self.fixed();
        for word in kept {
            self.mark(&word.text);
            let terms = if only_stops {
                vec![(self.fields.exact, word.text.clone())]
            } else {
                self.terms_of(word)?
            };
            let typo = terms.is_empty() && unfinished != Some(word) && !synonyms.knows(&word.text);
            self.add(terms, 1.0);
            if typo && !fixed.iter().any(|range| overlap(range, &word.range)) {
                self.correct(word)?;
            }
        }
        for words in synonyms.of(&units) {
            self.synonym(words)?;
        }
        self.units = units;
        Ok(())
    }

    /// Parts of the text that are never read as something else.
    fn fixed(&self) -> Vec<Range<usize>> {
        let identifiers = analyse::identifier_ranges(&self.parsed.text);
        let codes = identifiers
            .into_iter()
            .filter(|(identifier, _)| analyse::is_code(identifier));
        codes
            .map(|(_, range)| range)
            .chain(self.parsed.quoted.iter().cloned())
            .collect()
    }

    /// The stems of the word that the collection has; without any, the word itself if it has that.
    fn terms_of(&self, word: &Word) -> Result<Vec<(Field, String)>> {
        let mut terms: Vec<(Field, String)> = Vec::new();
        let (body, exact) = (self.fields.body, self.fields.exact);
        if word.unspaced {
            // Pairs are in the body; a character alone is usually a part of one there.
            let field = if word.text.chars().count() > 1 { body } else { exact };
            terms.push((field, word.text.clone()));
            return Ok(terms);
        }
        for language in self.languages {
            let stem = language.stemmer().stem(word);
            if !terms.iter().any(|(_, known)| *known == stem) && self.vocabulary.holds(body, &stem)? {
                terms.push((body, stem));
            }
        }
        if terms.is_empty() && self.vocabulary.holds(exact, &word.text)? {
            terms.push((exact, word.text.clone()));
        }
        Ok(terms)
    }

    fn add(&mut self, terms: Vec<(Field, String)>, weight: f32) {
        for (field, text) in terms {
            // What was typed comes first and keeps its weight.
            if !self
                .asked
                .terms
                .iter()
                .any(|term| term.field == field && term.text == text)
            {
                self.asked.terms.push(Weighed { field, text, weight });
            }
        }
    }

    fn mark(&mut self, word: &str) {
        self.asked.marks.push_str(word);
        self.asked.marks.push(' ');
    }

    fn add_known(&mut self, known: &[Known], weight: f32) -> Result<()> {
        for Known { word, weight: share } in known {
            self.mark(word);
            let terms = self.terms_of(&Word::folded(word.clone()))?;
            self.add(terms, weight * share);
        }
        Ok(())
    }

    fn correct(&mut self, word: &Word) -> Result<()> {
        let lettered = word.text.chars().all(char::is_alphabetic);
        if !lettered || self.asked.corrections.len() == MAX_CORRECTED {
            return Ok(());
        }
        let near = self.vocabulary.near(&word.text)?;
        if near.is_empty() {
            return Ok(());
        }
        self.add_known(&near, CORRECTED)?;
        self.asked.corrections.push(Correction {
            word: self.parsed.text[word.range.clone()].to_owned(),
            read_as: near.into_iter().map(|known| known.word).collect(),
        });
        Ok(())
    }

    fn synonym(&mut self, words: &[String]) -> Result<()> {
        for word in words {
            self.mark(word);
        }
        if let [word] = words {
            let terms = self.terms_of(&Word::folded(word.clone()))?;
            self.add(terms, SYNONYM);
        } else {
            self.asked.synonyms.push((words.to_vec(), SYNONYM));
        }
        Ok(())
    }

    /// The last word, unless a space or a mark ends it.
    fn unfinished(&self) -> Option<Word> {
        let last = self.units.last().filter(|word| !word.unspaced)?;
        let open = last.range.end == self.parsed.text.len();
        open.then(|| last.clone())
    }

    /// The word may be the beginning of another one.
    fn complete(&mut self, word: &Word) -> Result<()> {
        let languages = self.languages;
        let stop = |word: &str| languages.iter().any(|language| language.is_stop(word));
        let mut known = self.vocabulary.completions(&word.text, &stop)?;
        // `ERR_00` begins an identifier as well as its last word a word.
        let identifier = analyse::identifier_ranges(&self.parsed.text).pop();
        let identifier = identifier.filter(|(name, range)| range.end == word.range.end && *name != word.text);
        if let Some((identifier, _)) = identifier {
            known.extend(self.vocabulary.completions(&identifier, &stop)?);
        }
        if known.is_empty() {
            return self.correct(word);
        }
        self.add_known(&known, COMPLETED)
    }

    fn identifiers(&mut self) -> Result<()> {
        let mut found = analyse::identifiers(&self.parsed.text);
        found.truncate(MAX_IDENTIFIERS);
        let boost = 2.0 + self.asked.terms.len().min(MAX_IDENTIFIERS) as f32;
        for identifier in found {
            let count = self.vocabulary.count(self.fields.exact, &identifier)?;
            let code = analyse::is_code(&identifier);
            let name = !code && analyse::is_mixed(&identifier) && (1..=RARE).contains(&count);
            if count > 0 {
                let weight = if code || name { boost } else { 1.0 };
                self.asked.terms.push(Weighed {
                    field: self.fields.exact,
                    text: identifier.clone(),
                    weight,
                });
            }
            if code || name {
                self.seek(identifier, code);
            }
        }
        // `BrokerLagHigh` is a word like others to the analyser.
        let humps = |word: &Word| analyse::humps(&self.parsed.text[word.range.clone()]);
        let words = self.units.iter().map(|word| (word.text.clone(), humps(word)));
        let humped: Vec<_> = words.filter(|(_, humps)| *humps > 0).take(MAX_IDENTIFIERS).collect();
        for (word, humps) in humped {
            if (1..=RARE).contains(&self.vocabulary.count(self.fields.exact, &word)?) {
                // `clpC` may be one word among others; nobody writes three as one but in a name.
                self.seek(word, humps > 1);
            }
        }
        Ok(())
    }

    fn seek(&mut self, identifier: String, code: bool) {
        // As a whole: highlights tell it from others that have a word of it.
        self.mark(&identifier);
        let words = exact_words(&identifier);
        let list = if code {
            &mut self.asked.codes
        } else {
            &mut self.asked.names
        };
        let sought = Code { identifier, words };
        if !list.contains(&sought) {
            list.push(sought);
        }
    }

    fn strictness(&mut self) -> Result<()> {
        let text = &self.parsed.text;
        let quoted = self.parsed.quoted.iter().map(|range| exact_words(&text[range.clone()]));
        self.asked.phrases = quoted.filter(|words| !words.is_empty()).take(MAX_PHRASES).collect();
        for without in &self.parsed.without {
            let (Without::Word(text) | Without::Phrase(text)) = without;
            let words = exact_words(text);
            match (without, words.as_slice()) {
                (_, []) => {}
                (Without::Word(_), [word]) if self.asked.without_words.len() < MAX_TERMS => {
                    self.asked.without_words.push(word.clone());
                    self.asked
                        .without_words
                        .extend(self.vocabulary.forms(word, self.languages)?);
                }
                _ if self.asked.without.len() < MAX_PHRASES => self.asked.without.push(words),
                _ => {}
            }
        }
        Ok(())
    }
}

fn overlap(left: &Range<usize>, right: &Range<usize>) -> bool {
    left.start < right.end && right.start < left.end
}

fn exact_words(text: &str) -> Vec<String> {
    let words = analyse::words(text).into_iter().take(MAX_TERMS);
    words.map(|word| word.text).collect()
}
