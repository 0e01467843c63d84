//! Languages: which one a document is in, and the stems and stop words of each. Pure.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use tantivy::tokenizer::{Language as Stems, RawTokenizer, StopWordFilter, TextAnalyzer};
use whatlang::Lang;

use super::analyse;
use crate::types::Document;

/// Bytes of a document that its language is told from.
const SAMPLE_BYTES: usize = 4_000;
/// Languages that a query is stemmed in; documents in rarer ones are found by their very words.
const MOST: usize = 4;

/// ISO 639-1 code, stemmer, and the detector's name of the same language.
const LANGUAGES: &[(&str, Stems, Lang)] = &[
    ("en", Stems::English, Lang::Eng),
    ("ar", Stems::Arabic, Lang::Ara),
    ("da", Stems::Danish, Lang::Dan),
    ("de", Stems::German, Lang::Deu),
    ("el", Stems::Greek, Lang::Ell),
    ("es", Stems::Spanish, Lang::Spa),
    ("fi", Stems::Finnish, Lang::Fin),
    ("fr", Stems::French, Lang::Fra),
    ("hu", Stems::Hungarian, Lang::Hun),
    ("it", Stems::Italian, Lang::Ita),
    ("nb", Stems::Norwegian, Lang::Nob),
    ("nl", Stems::Dutch, Lang::Nld),
    ("pt", Stems::Portuguese, Lang::Por),
    ("ro", Stems::Romanian, Lang::Ron),
    ("ru", Stems::Russian, Lang::Rus),
    ("sv", Stems::Swedish, Lang::Swe),
    ("ta", Stems::Tamil, Lang::Tam),
    ("tr", Stems::Turkish, Lang::Tur),
];

/// English words that say nothing about the topic.
const ENGLISH_STOP_WORDS: &[&str] = &[
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our", "she", "should", "so", "some", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us", "was", "we",
    "were", "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
];

/// A language that has a stemmer. Texts in any other one are treated as English: their words stay nearly as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(usize);

impl Language {
    /// What a text is in when nothing says otherwise.
    pub const ENGLISH: Self = Self(0);

    /// The language that the document's metadata names (`language: de`, `lang: German`), or that its text is in.
    pub fn of(document: &Document) -> Self {
        let named = |key| Self::named(document.metadata.get(key)?.as_str()?);
        let named = named("language").or_else(|| named("lang"));
        named.unwrap_or_else(|| Self::detect(&document.text))
    }

    /// The language that `text` is surely in, or English.
    pub fn detect(text: &str) -> Self {
        let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
        let sure = whatlang::detect(sample).filter(whatlang::Info::is_reliable);
        let known = sure.and_then(|sure| LANGUAGES.iter().position(|(_, _, lang)| *lang == sure.lang()));
        known.map_or(Self::ENGLISH, Self)
    }

    /// By `de`, `de-AT`, `deu` or `German`.
    fn named(name: &str) -> Option<Self> {
        let main = name.split(['-', '_']).next().unwrap_or_default().to_lowercase();
        let is = |(code, _, lang): &(&str, Stems, Lang)| {
            main == *code || main == lang.code() || main == lang.eng_name().to_lowercase()
        };
        LANGUAGES.iter().position(is).map(Self)
    }

    /// By its ISO 639-1 code.
    pub fn of_code(code: &str) -> Option<Self> {
        LANGUAGES.iter().position(|(own, ..)| *own == code).map(Self)
    }

    /// Its ISO 639-1 code.
    pub fn code(self) -> &'static str {
        LANGUAGES[self.0].0
    }

    /// Whether a stem begins with the letter that its word begins with.
    pub fn keeps_beginnings(self) -> bool {
        !matches!(LANGUAGES[self.0].1, Stems::Arabic | Stems::Tamil)
    }

    /// What stems its words; to be used for many.
    pub fn stemmer(self) -> Stemmer {
        Stemmer {
            language: self,
            analyser: STEMMERS[self.0].clone(),
        }
    }

    /// Whether a word, lower case, says nothing about the topic.
    pub fn is_stop(self, word: &str) -> bool {
        if self == Self::ENGLISH {
            return ENGLISH_STOP_WORDS.binary_search(&word).is_ok();
        }
        let filter = STOPS[self.0].clone();
        // The filter leaves nothing of a stop word.
        filter.is_some_and(|mut filter| !filter.token_stream(word).advance())
    }
}

/// Stems the words of one language.
pub struct Stemmer {
    language: Language,
    analyser: TextAnalyzer,
}

impl Stemmer {
    /// The word's stem, folded to ASCII where that is possible.
    pub fn stem(&mut self, word: &analyse::Word) -> String {
        if self.language == Language::ENGLISH {
            return first_token(&mut self.analyser, &word.text);
        }
        // Endings are known by their accents: `ações` is one, `acoes` is none.
        analyse::fold(first_token(&mut self.analyser, word.lower()))
    }
}

/// The languages of a collection that its queries are stemmed in, from how many chunks are in each.
pub fn most_common(mut counted: Vec<(Language, u64)>) -> Vec<Language> {
    // Ties go to the first code, so the order never wavers.
    counted.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
    let mut languages: Vec<Language> = counted.into_iter().map(|(language, _)| language).collect();
    languages.truncate(MOST);
    if languages.is_empty() {
        languages.push(Language::ENGLISH);
    }
    languages
}

/// The languages whose stop words a query uses most: `die` is one in a German question only.
pub fn asked_in(languages: &[Language], words: &[analyse::Word]) -> BTreeSet<Language> {
    if let [only] = languages {
        return BTreeSet::from([*only]);
    }
    let stops = |language: &Language| words.iter().filter(|word| language.is_stop(word.lower())).count();
    let counted: Vec<usize> = languages.iter().map(stops).collect();
    let most = counted.iter().max().copied().unwrap_or_default();
    let with_most = languages.iter().zip(counted).filter(|(_, count)| *count == most);
    with_most.map(|(language, _)| *language).collect()
}

static STEMMERS: LazyLock<Vec<TextAnalyzer>> = LazyLock::new(|| {
    let analyser = |(_, stems, _): &(&str, Stems, Lang)| {
        let stemmer = tantivy::tokenizer::Stemmer::new(*stems);
        TextAnalyzer::builder(RawTokenizer::default()).filter(stemmer).build()
    };
    LANGUAGES.iter().map(analyser).collect()
});

static STOPS: LazyLock<Vec<Option<TextAnalyzer>>> = LazyLock::new(|| {
    let filter = |(_, stems, _): &(&str, Stems, Lang)| {
        let filter = StopWordFilter::new(*stems)?;
        Some(TextAnalyzer::builder(RawTokenizer::default()).filter(filter).build())
    };
    LANGUAGES.iter().map(filter).collect()
});

/// What `analyser` makes of one word.
pub(super) fn first_token(analyser: &mut TextAnalyzer, word: &str) -> String {
    let mut stream = analyser.token_stream(word);
    if stream.advance() {
        std::mem::take(&mut stream.token_mut().text)
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(ENGLISH_STOP_WORDS.is_sorted());
    }

    #[test]
    fn a_language_is_told_from_the_text_or_is_english() {
        let check = |text: &str, code: &str| assert_eq!(Language::detect(text).code(), code, "{text}");
        check(
            "The pilot reads the chart before the ship leaves the harbour in the morning.",
            "en",
        );
        check(
            "Der Lotse liest die Karte, bevor das Schiff am Morgen den Hafen verl\u{e4}sst.",
            "de",
        );
        check(
            "Le pilote lit la carte avant que le navire ne quitte le port au petit matin.",
            "fr",
        );
        check(
            "O piloto l\u{ea} a carta antes que o navio deixe o porto pela manh\u{e3} bem cedo.",
            "pt",
        );
        check(
            "\u{42d}\u{442}\u{43e}\u{442} \u{434}\u{43e}\u{43a}\u{443}\u{43c}\u{435}\u{43d}\u{442} \u{43e}\u{43f}\u{438}\u{441}\u{44b}\u{432}\u{430}\u{435}\u{442}, \u{43a}\u{430}\u{43a} \u{43d}\u{443}\u{436}\u{43d}\u{43e} \u{437}\u{430}\u{440}\u{44f}\u{436}\u{430}\u{442}\u{44c} \u{431}\u{430}\u{442}\u{430}\u{440}\u{435}\u{44e}, \u{447}\u{442}\u{43e}\u{431}\u{44b} \u{43e}\u{43d}\u{430} \u{441}\u{43b}\u{443}\u{436}\u{438}\u{43b}\u{430} \u{434}\u{43e}\u{43b}\u{433}\u{43e}. \u{41b}\u{43e}\u{446}\u{43c}\u{430}\u{43d} \u{447}\u{438}\u{442}\u{430}\u{435}\u{442} \u{43a}\u{430}\u{440}\u{442}\u{443} \u{43f}\u{435}\u{440}\u{435}\u{434} \u{432}\u{44b}\u{445}\u{43e}\u{434}\u{43e}\u{43c} \u{441}\u{443}\u{434}\u{43d}\u{430} \u{438}\u{437} \u{43f}\u{43e}\u{440}\u{442}\u{430}.",
            "ru",
        );
        check("\u{6e2f}\u{53e3}\u{306e}\u{6d77}\u{56f3}\u{3092}\u{8aad}\u{3080}", "en");
        check("ERR_0042", "en");
        check("", "en");
    }

    #[test]
    fn a_language_has_many_names() {
        let check =
            |name: &str, code: Option<&str>| assert_eq!(Language::named(name).map(Language::code), code, "{name}");
        for name in ["de", "de-AT", "DE_ch", "deu", "German", "german"] {
            check(name, Some("de"));
        }
        check("Klingon", None);
        check("", None);
    }

    #[test]
    fn stop_words_tell_the_language_of_a_question() {
        let (english, german) = (Language::ENGLISH, Language::of_code("de").unwrap());
        let check = |text: &str, expected: &[Language]| {
            let found = asked_in(&[english, german], &analyse::words(text));
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{text}");
        };
        check("when did he die", &[english]);
        check("wann wurde die Stadt gebaut", &[german]);
        check("harbour", &[english, german]);
    }
}
