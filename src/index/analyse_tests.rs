//! Tests of the analyser.

use super::*;

#[test]
fn terms_are_stemmed_and_folded_and_know_their_place() {
    let check = |text: &str, expected: &[(&str, &str, bool)]| {
        let found = terms(text);
        let seen: Vec<_> = found
            .iter()
            .map(|term| (term.text.as_str(), &text[term.range.clone()], term.stop))
            .collect();
        assert_eq!(seen, expected, "{text}");
    };
    check("The Charts", &[("the", "The", true), ("chart", "Charts", false)]);
    check("Caf\u{e9}s", &[("cafe", "Caf\u{e9}s", false)]);
    check("cafe\u{301}s", &[("cafe", "cafe\u{301}s", false)]);
    check("\u{ff23}harts", &[("chart", "\u{ff23}harts", false)]);
    check(
        "chart::load_all",
        &[("chart", "chart", false), ("load", "load", false), ("all", "all", true)],
    );
    check("v3.4.1", &[("v3.4.1", "v3.4.1", false)]);
    check("", &[]);
}

#[test]
fn words_of_scripts_without_spaces_are_pairs_of_characters() {
    let check = |text: &str, expected: &[&str]| {
        let seen: Vec<_> = terms(text).into_iter().map(|term| term.text).collect();
        assert_eq!(seen, expected, "{text}");
    };
    check("\u{6771}\u{4eac}\u{99c5}", &["\u{6771}\u{4eac}", "\u{4eac}\u{99c5}"]);
    check("\u{6771}", &["\u{6771}"]);
    check("\u{6771} \u{4eac}", &["\u{6771}", "\u{4eac}"]);
    check("API\u{6771}\u{4eac}2", &["api", "\u{6771}\u{4eac}", "2"]);
    check("\u{30c7}\u{30fc}\u{30bf}", &["\u{30c7}\u{30fc}", "\u{30fc}\u{30bf}"]);
    check("\u{c11c}\u{c6b8}\u{c5d0}", &["\u{c11c}\u{c6b8}", "\u{c6b8}\u{c5d0}"]);
    check(
        "\u{e17}\u{e30}\u{e40}\u{e25}",
        &["\u{e17}\u{e30}", "\u{e30}\u{e40}", "\u{e40}\u{e25}"],
    );
    // Half-width letters are the usual ones.
    check("\u{ff76}\u{ff9e}\u{ff77}", &["\u{30ac}\u{30ad}"]);
}

#[test]
fn each_language_has_its_stems() {
    let check = |code: &str, text: &str, expected: &str| {
        let language = Language::of_code(code).unwrap();
        let stems: BTreeSet<_> = terms_in(text, language).into_iter().map(|term| term.text).collect();
        assert_eq!(stems, BTreeSet::from([expected.to_owned()]), "{text}");
    };
    check("en", "chart charts charting", "chart");
    check("de", "Haus H\u{e4}user H\u{e4}usern", "haus");
    check("fr", "continuer continu\u{e9} continu\u{e9}es", "continu");
    check("pt", "informa\u{e7}\u{e3}o informa\u{e7}\u{f5}es", "inform");
    check(
        "ru",
        "\u{43a}\u{43d}\u{438}\u{433}\u{430} \u{43a}\u{43d}\u{438}\u{433}\u{438}",
        "\u{43a}\u{43d}\u{438}\u{433}",
    );
    let german = Language::of_code("de").unwrap();
    let stops: Vec<bool> = terms_in("f\u{fc}r den Hafen", german)
        .iter()
        .map(|term| term.stop)
        .collect();
    assert_eq!(stops, [true, true, false]);
}

#[test]
fn identifiers_are_found_whole() {
    let check = |text: &str, expected: &[&str]| assert_eq!(identifiers(text), expected, "{text}");
    check("what is ERR_0042?", &["err_0042"]);
    check("call chart::reproject() now.", &["chart::reproject"]);
    check("(v3.4.1), HMI-7731-B; 0x1F", &["v3.4.1", "hmi-7731-b", "0x1f"]);
    check("GET /v1/x", &["/v1/x"]);
    check("plain words. And: more", &[]);
    check("ERR_1 err_1", &["err_1"]);
    check("... --- // _ :: -- @ + #", &[]);
    check("use --dry-run, --force", &["--dry-run", "dry-run", "--force"]);
    check("C++ and F# or C#, 10+ CD4+ #include", &["c++", "f#", "c#", "cd4"]);
    check("ask ops@port.example.", &["ops@port.example"]);
    check("\u{7b2c}3\u{7ae0} v2.1\u{7248}", &["v2.1"]);
}

#[test]
fn codes_are_told_from_words() {
    let check = |text: &str, expected: bool| {
        for identifier in identifiers(text) {
            assert_eq!(is_code(&identifier), expected, "{identifier}");
        }
    };
    for code in [
        "ERR_0042",
        "foo::bar",
        "v1.2.3",
        "v1.2",
        "HMI-7731-B",
        "/v1/x",
        "config.toml",
        "os.path.join",
        "C2065",
        "0x80070005",
        "192.168.0.1",
        "2025-03-18",
        "ops@port.example",
        "88410237",
    ] {
        check(code, true);
        assert_eq!(identifiers(code).len(), 1, "{code}");
    }
    for word in [
        "well-known",
        "2025",
        "IL-6",
        "CD4",
        "e.g. i.e.",
        "and/or",
        "p53",
        "C++",
        "3.5",
        "1990-2000",
        "COVID-19",
    ] {
        check(word, false);
    }
    assert!(is_code("--force"));
    assert!(is_mixed("fb-30") && !is_mixed("well-known") && !is_mixed("2025"));
    for (word, expected) in [("BrokerLagHigh", 2), ("clpC", 1), ("Broker", 0), ("EUR", 0), ("lag", 0)] {
        assert_eq!(humps(word), expected, "{word}");
    }
}

#[test]
fn highlights_of_several_languages_do_not_overlap() {
    let languages = [Language::ENGLISH, Language::of_code("de").unwrap()];
    let text = "Die H\u{e4}user am Hafen \u{6771}\u{4eac}\u{99c5}";
    let wanted = wanted("haus hafen \u{6771}\u{4eac}\u{99c5}", &languages);
    let marked: Vec<_> = highlights(text, &wanted, &languages)
        .into_iter()
        .map(|range| &text[range])
        .collect();
    assert_eq!(marked, ["H\u{e4}user", "Hafen", "\u{6771}\u{4eac}\u{99c5}"]);
}

#[test]
fn a_part_of_an_identifier_is_not_marked_in_another_one() {
    let check = |query: &str, text: &str, expected: &[&str]| {
        let languages = [Language::ENGLISH];
        let marked = highlights(text, &wanted(query, &languages), &languages);
        let marked: Vec<_> = marked.into_iter().map(|range| &text[range]).collect();
        assert_eq!(marked, expected, "{query}");
    };
    let text = "ERR_0042 and ERR_0053, see err 42 and /errors/ERR_0042.";
    check("ERR_0042", text, &["ERR", "0042", "err", "ERR", "0042"]);
    // Who asks for the part alone gets it wherever it is.
    check("err", text, &["ERR", "ERR", "err", "ERR"]);
    check("the error ERR_0053", "an error: ERR_0042", &["error"]);
    check("FB-30", "FB-30 and FB-40 of FB", &["FB", "30", "FB"]);
}

#[test]
fn a_word_whose_stem_begins_otherwise_is_marked_too() {
    let check = |code: &str, query: &str, text: &str| {
        let languages = [Language::of_code(code).unwrap()];
        let marked = highlights(text, &wanted(query, &languages), &languages);
        assert_eq!(
            marked.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>(),
            [text]
        );
    };
    check(
        "ar",
        "\u{643}\u{62a}\u{627}\u{628}",
        "\u{627}\u{644}\u{643}\u{62a}\u{627}\u{628}",
    );
    check("en", "die", "dying");
    check("de", "\u{dc}bung", "\u{dc}bungen");
    check("tr", "\u{130}stanbul", "\u{130}stanbul");
}
