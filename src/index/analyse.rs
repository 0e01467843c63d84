//! Text to words and terms: the one analyser for indexing, searching and highlighting. Pure.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use tantivy::tokenizer::{AsciiFoldingFilter, RawTokenizer, TextAnalyzer};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::language::{Language, first_token};

/// Longer words and identifiers are not indexed: nobody types them.
const MAX_TERM_BYTES: usize = 256;

/// A word as the body field knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Lower case, stemmed, folded to ASCII; of a script without spaces two characters.
    pub text: String,
    /// Byte range of the word in the text.
    pub range: Range<usize>,
    /// Whether it is a stop word, which the body field leaves out.
    pub stop: bool,
}

/// A word as the exact field knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Lower case and folded to ASCII.
    pub text: String,
    /// Lower case with its accents, where it has some.
    accented: Option<String>,
    /// Byte range of the word in the text.
    pub range: Range<usize>,
    /// Whether it is a character, or two, of a script that puts no spaces between words.
    pub unspaced: bool,
}

impl Word {
    /// A word that is known by its folded form only.
    pub fn folded(text: String) -> Self {
        let range = 0..text.len();
        Self {
            text,
            accented: None,
            range,
            unspaced: false,
        }
    }

    /// Lower case with its accents.
    pub fn lower(&self) -> &str {
        self.accented.as_deref().unwrap_or(&self.text)
    }
}

/// The terms of an English `text` in their order; stop words are kept and marked.
pub fn terms(text: &str) -> Vec<Term> {
    terms_in(text, Language::ENGLISH)
}

/// The terms of `text` in their order; stop words are kept and marked.
pub fn terms_in(text: &str, language: Language) -> Vec<Term> {
    let mut stemmer = language.stemmer();
    let found = units(text).into_iter().map(|word| Term {
        stop: language.is_stop(word.lower()),
        text: if word.unspaced { word.text } else { stemmer.stem(&word) },
        range: word.range,
    });
    found.collect()
}

/// The words of `text`; of scripts without spaces, every two characters that stand together, and those that stand alone.
pub fn units(text: &str) -> Vec<Word> {
    pairs(words(text))
}

fn pairs(words: Vec<Word>) -> Vec<Word> {
    if !words.iter().any(|word| word.unspaced) {
        return words;
    }
    let joined = |left: &Word, right: &Word| left.unspaced && right.unspaced && left.range.end == right.range.start;
    let mut units = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let follows = at > 0 && joined(&words[at - 1], word);
        match words.get(at + 1).filter(|next| joined(word, next)) {
            Some(next) => units.push(Word {
                text: format!("{}{}", word.text, next.text),
                range: word.range.start..next.range.end,
                ..word.clone()
            }),
            None if follows => {}
            None => units.push(word.clone()),
        }
    }
    units
}

/// The words of `text`, not stemmed; of scripts without spaces, every character.
pub fn words(text: &str) -> Vec<Word> {
    words_that(text, |_| true)
}

/// Those of the words that `may` count as they stand in the text.
fn words_that(text: &str, may: impl Fn(&str) -> bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut push = |start: usize, part: &str| {
        if part.len() > MAX_TERM_BYTES || !may(part) {
            return;
        }
        let lower = lower(part);
        let folded = fold(lower.clone());
        if !folded.is_empty() {
            words.push(Word {
                accented: (lower != folded).then_some(lower),
                text: folded,
                range: start..start + part.len(),
                unspaced: part.starts_with(is_unspaced),
            });
        }
    };
    for (start, word) in text.unicode_word_indices() {
        // As most are.
        if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            push(start, word);
            continue;
        }
        for (inner, part) in parts(word) {
            push(start + inner, part);
        }
    }
    words
}

/// Whether an English word, as `words` gives it, says nothing about the topic.
pub fn is_stop(word: &str) -> bool {
    Language::ENGLISH.is_stop(word)
}

/// Names and numbers that are looked for verbatim, lower case, each once, in their order.
///
/// They have a digit or one of `_`, `::`, `.`, `-`, `/`, `@` inside: `ERR_0042`, `chart::reproject`, `v3.4.1`,
/// `/v1/x`; or they are like `--dry-run` and `C++`.
pub fn identifiers(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (identifier, _) in identifier_ranges(text) {
        if seen.insert(identifier.clone()) {
            found.push(identifier);
        }
    }
    found
}

/// The identifiers of `text` with their byte ranges.
pub fn identifier_ranges(text: &str) -> Vec<(String, Range<usize>)> {
    let inside = |c: char| (c.is_alphanumeric() && !is_unspaced(c)) || "_:.-/@+#".contains(c);
    let mut found = Vec::new();
    for piece in text.split(|c| !inside(c)) {
        let end = piece.trim_end_matches(['.', ':', '-', '/', '@']);
        let core = end.trim_start_matches(['.', ':', '-', '@', '+', '#']);
        let bare = core.trim_end_matches(['+', '#']);
        // `C++` and `F#`, but `10+` and `CD4+` are numbers and more.
        let signed = core.len() - bare.len() <= 2 && bare.ends_with(char::is_alphabetic);
        let core = if signed { core } else { bare };
        let flag = end.len() == core.len() + 2 && end.starts_with("--");
        let start = core.as_ptr() as usize - text.as_ptr() as usize;
        if flag && core.starts_with(char::is_alphabetic) && core.len() < MAX_TERM_BYTES {
            found.push((end.to_lowercase(), start - 2..start + core.len()));
        }
        if is_identifier(core) {
            found.push((core.to_lowercase(), start..start + core.len()));
        }
    }
    found
}

fn is_identifier(core: &str) -> bool {
    let marked = core.contains(|c: char| c.is_numeric() || "_.-/@+#".contains(c)) || core.contains("::");
    let named = core.contains(char::is_alphanumeric);
    let long = core.len() >= 3 || core.ends_with(['+', '#']);
    marked && named && long && core.len() <= MAX_TERM_BYTES
}

/// `ERR_0042` is what the reader came for, whatever else is said; `well-known`, `2025` and `IL-6` are words among
/// others: weighing them as codes costs a point of nDCG on `SciFact`.
pub fn is_code(identifier: &str) -> bool {
    let digits = identifier.chars().filter(char::is_ascii_digit).count();
    let joints = identifier.matches(['-', '.', '/']).count();
    let lettered = identifier.contains(char::is_alphabetic);
    // Of `config.toml` and `os.path`, but not of `e.g`, each part has two letters.
    let dotted = || {
        let mut parts = identifier
            .split('.')
            .map(|part| part.chars().filter(|c| c.is_alphabetic()).count());
        joints > 0 && identifier.contains('.') && parts.all(|letters| letters >= 2)
    };
    identifier.contains(['_', '@'])
        || identifier.contains("::")
        || identifier.starts_with("--")
        || identifier.starts_with('/')
        || (lettered && digits >= 4)
        || (lettered && digits >= 3 && joints > 0)
        || (lettered && digits >= 2 && identifier.contains('.'))
        || (!lettered && digits >= 6 && joints == 0)
        || (!lettered && digits >= 3 && joints >= 2)
        || dotted()
}

/// Whether letters and digits are mixed, as in `FB-30` and `IL-6`: a code where it is rare.
pub fn is_mixed(identifier: &str) -> bool {
    identifier.contains(char::is_alphabetic) && identifier.contains(char::is_numeric)
}

/// How often a capital follows a small letter: twice in `BrokerLagHigh`.
pub fn humps(word: &str) -> usize {
    let small = word.chars().map(char::is_lowercase);
    small
        .zip(word.chars().skip(1))
        .filter(|(small, next)| *small && next.is_uppercase())
        .count()
}

/// What of a query highlights mark.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// All terms but stop words, or those when there is nothing else.
    terms: BTreeSet<String>,
    /// The identifiers.
    codes: BTreeSet<String>,
    /// Their words: `err` of `ERR_0042` means nothing within `ERR_0053`.
    parts: BTreeSet<String>,
}

/// What highlights mark for `query`.
pub fn wanted(query: &str, languages: &[Language]) -> Wanted {
    let mut all = BTreeSet::new();
    let mut telling = BTreeSet::new();
    for language in languages {
        for term in terms_in(query, *language) {
            if !term.stop {
                telling.insert(term.text.clone());
            }
            all.insert(term.text);
        }
    }
    let codes = identifiers(query).into_iter().filter(|one| is_coded(one));
    let codes: BTreeSet<String> = codes.collect();
    let parts = codes.iter().flat_map(|code| words(code)).map(|word| word.text);
    Wanted {
        terms: if telling.is_empty() { all } else { telling },
        parts: parts.collect(),
        codes,
    }
}

fn is_coded(identifier: &str) -> bool {
    is_code(identifier) || is_mixed(identifier)
}

/// Where other identifiers stand than those of `wanted`.
fn foreign(text: &str, wanted: &Wanted) -> Vec<Range<usize>> {
    if wanted.parts.is_empty() {
        return Vec::new();
    }
    let own = |one: &str| wanted.codes.iter().any(|code| one.contains(code));
    let others = identifier_ranges(text).into_iter();
    let others = others.filter(|(one, _)| is_coded(one) && !own(one));
    others.map(|(_, range)| range).collect()
}

/// The byte ranges of `text` whose terms are wanted, in their order; those that touch are one. Parts of an identifier
/// that was asked for are not marked in another one.
pub fn highlights(text: &str, wanted: &Wanted, languages: &[Language]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let foreign = foreign(text, wanted);
    let within = |word: &Word| {
        let inside = |range: &Range<usize>| range.start <= word.range.start && word.range.end <= range.end;
        wanted.parts.contains(&word.text) && foreign.iter().any(inside)
    };
    let firsts: BTreeSet<u8> = wanted.terms.iter().filter_map(|term| term.bytes().next()).collect();
    let all = !languages.iter().all(|language| language.keeps_beginnings());
    // Stemming costs most of the time: an ASCII word that begins otherwise is none of the wanted ones.
    let may = |word: &str| all || !word.is_ascii() || firsts.contains(&word.as_bytes()[0].to_ascii_lowercase());
    let units = pairs(words_that(text, may));
    for language in languages {
        let mut stemmer = language.stemmer();
        for word in &units {
            let is_wanted = if word.unspaced {
                wanted.terms.contains(&word.text)
            } else {
                wanted.terms.contains(&stemmer.stem(word))
            };
            if is_wanted && !within(word) {
                found.push(word.range.clone());
            }
        }
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether `c` belongs to a script that puts no spaces between words (or, Korean, puts whole phrases between them).
pub fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{1100}'..='\u{11ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

/// Lower case, with one way of writing each letter: `e` and an accent are one, full-width letters are usual ones.
fn lower(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    word.to_lowercase().nfkc().collect()
}

/// Letters without their accents, where ASCII has them.
pub(super) fn fold(word: String) -> String {
    if word.is_ascii() {
        return word;
    }
    let folded = first_token(&mut FOLDER.clone(), &word);
    // An accent that goes with no letter of its own stands alone.
    folded.chars().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).collect()
}

static FOLDER: LazyLock<TextAnalyzer> = LazyLock::new(|| {
    TextAnalyzer::builder(RawTokenizer::default())
        .filter(AsciiFoldingFilter)
        .build()
});

/// Unicode keeps `a_b`, `a:b` and `a.b` whole; a reader looks for either half. Numbers such as `3.4` stay whole.
fn parts(word: &str) -> Vec<(usize, &str)> {
    if word.contains(is_unspaced) {
        return characters(word);
    }
    let bytes = word.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let cuts = match byte {
            b'_' | b':' => true,
            b'.' => !(digit(at.checked_sub(1)) && digit(Some(at + 1))),
            _ => false,
        };
        if cuts {
            parts.push((start, &word[start..at]));
            start = at + 1;
        }
    }
    parts.push((start, &word[start..]));
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

/// Each character of a script without spaces, and what stands between them.
fn characters(word: &str) -> Vec<(usize, &str)> {
    let mut parts: Vec<(usize, &str)> = Vec::new();
    let mut mixed = false;
    for (at, character) in word.grapheme_indices(true) {
        let other = !character.starts_with(is_unspaced);
        match parts.last_mut() {
            Some((start, part)) if mixed && other => *part = &word[*start..at + character.len()],
            _ => parts.push((at, character)),
        }
        mixed = other;
    }
    parts.retain(|(_, part)| part.contains(char::is_alphanumeric));
    parts
}

#[cfg(test)]
#[path = "analyse_tests.rs"]
mod tests;
