//! What can be typed: identifiers, phrases, exclusions, typos, languages.

use super::*;

#[tokio::test]
async fn a_verbatim_identifier_comes_first() {
    let (_folder, collection) = filled(vec![
        replacement(
            "long.md",
            &["what error does the server report when servers report errors"],
            0,
        ),
        replacement("other.md", &["server error ERR_0043 report"], 1),
        replacement(
            "right.md",
            &["a page about pressure and the code ERR_0042 among many other unrelated things"],
            2,
        ),
        replacement("api.md", &["call chart::reproject or GET /v1/x"], 3),
    ])
    .await;
    let first = |text: &str| words(&collection, text).first().cloned();
    let report = "why does the chart server report the error ERR_0042";
    assert_eq!(first(report).as_deref(), Some("right.md"));
    assert_eq!(first("chart::reproject error server").as_deref(), Some("api.md"));
    assert_eq!(first("server report for /v1/x").as_deref(), Some("api.md"));
}

#[tokio::test]
async fn quotes_ask_for_the_very_words() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["the tide table of the harbour"], 0),
        replacement("b.md", &["a table of the tide"], 1),
    ])
    .await;
    assert_eq!(words(&collection, "\"tide table\" harbour"), ["a.md"]);
    assert_eq!(words(&collection, "\"Table of the tide\""), ["b.md"]);
    assert_eq!(words(&collection, "tide table").len(), 2);
    assert_eq!(words(&collection, "\"of the\"").len(), 2);
    assert_eq!(words(&collection, "of the").len(), 2);
    assert!(words(&collection, "\"harbour tide\"").is_empty());
}

#[tokio::test]
async fn no_text_makes_a_search_fail() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["plain words"], 0)]).await;
    let long = "word1 _x \"a b\" ".repeat(2_000);
    let texts = [
        "\"",
        "\"\"",
        "\"\" \"\"\"",
        "AND OR NOT",
        "body:x^2~",
        "(((",
        "[a TO",
        "\\",
        "*?",
        "+-!",
        "\u{1f600}\u{200d}",
        "\u{5730}\u{56fe}",
        "e\u{301}\u{301}",
        "::",
        "a.b.c::d/e-f_g",
        "...___---",
        &long,
    ];
    for text in texts {
        let hits = asked(&collection, text, &anything(), &everyone());
        collection.passages(&hits, text, &everyone()).unwrap();
    }
}

pub(super) fn understood(collection: &Collection, text: &str, reader: &Reader, typing: bool) -> Asked {
    let input = QueryInput {
        text: text.to_owned(),
        typing,
        ..QueryInput::default()
    };
    collection
        .understand(&Query::parse(input, reader.clone()).unwrap())
        .unwrap()
}

/// Each word that was read as others, and those.
fn corrections(collection: &Collection, text: &str, reader: &Reader) -> Vec<(String, Vec<String>)> {
    let corrections = understood(collection, text, reader, false).corrections.into_iter();
    corrections.map(|one| (one.word, one.read_as)).collect()
}

fn typed(collection: &Collection, text: &str) -> Vec<String> {
    let asked = understood(collection, text, &Reader::Everything, true);
    uris(collection, &collection.lexical(&asked, 10).unwrap())
}

#[tokio::test]
async fn an_identifier_comes_first_however_often_the_other_words_occur() {
    let noise = (0..150).map(|number| replacement(&format!("noise{number}.md"), &["server error report server"], 0));
    let mut batch: Vec<Replacement> = noise.collect();
    let loose = "err 0042, a server error report, a server error report";
    batch.push(replacement("loose.md", &[loose], 1));
    batch.push(replacement(
        "right.md",
        &[&format!("{} ERR_0042", "other things ".repeat(100))],
        1,
    ));
    batch.push(replacement("both.md", &["ERR_0042 and chart::load"], 1));
    let (_folder, collection) = filled(batch).await;
    let found = words(&collection, "server error report ERR_0042");
    let mut first = found[..3].to_vec();
    first.sort();
    assert_eq!(first, ["both.md", "loose.md", "right.md"]);
    assert_eq!(found.len(), 10);
    let asked = understood(&collection, "report ERR_0042 chart::load", &Reader::Everything, false);
    let all = collection.vectors.ids().await.unwrap();
    let held: BTreeMap<_, _> = collection.confirm(&asked, &all).unwrap();
    assert_eq!(held.len(), all.len());
    let held = |uri: &str| held[&chunk_of(&collection, &all, uri)].codes;
    assert_eq!(
        (held("both.md"), held("right.md"), held("loose.md"), held("noise7.md")),
        (4, 2, 1, 0)
    );
}

pub(super) fn chunk_of(collection: &Collection, all: &[ChunkId], uri: &str) -> ChunkId {
    let hits: Vec<Hit> = all
        .iter()
        .map(|chunk| Hit {
            chunk: *chunk,
            score: 0.0,
        })
        .collect();
    let at = uris(collection, &hits).iter().position(|own| own == uri).unwrap();
    all[at]
}

#[tokio::test]
async fn what_is_excluded_is_in_neither_leg() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["reset the password"], 0),
        replacement("b.md", &["reset all Passwords"], 0),
        replacement("c.md", &["reset the clock by hand"], 0),
        replacement("d.md", &["reset with ERR_0042"], 0),
    ])
    .await;
    let check = async |text: &str, expected: &[&str]| {
        let asked = understood(&collection, text, &Reader::Everything, false);
        let mut found = uris(&collection, &collection.lexical(&asked, 10).unwrap());
        found.sort();
        assert_eq!(found, expected, "{text}");
        let near: Vec<ChunkId> = near(&collection, 0).await.into_iter().map(|hit| hit.chunk).collect();
        let held = collection.confirm(&asked, &near).unwrap();
        let hits: Vec<Hit> = held
            .keys()
            .map(|chunk| Hit {
                chunk: *chunk,
                score: 0.0,
            })
            .collect();
        let mut found = uris(&collection, &hits);
        found.sort();
        assert_eq!(found, expected, "{text}");
    };
    check("reset -password", &["c.md", "d.md"]).await;
    check("reset -\"password\"", &["b.md", "c.md", "d.md"]).await;
    check("reset -\"the clock\" -err_0042", &["a.md", "b.md"]).await;
    check("reset \"by hand\" -password", &["c.md"]).await;
    check("reset \"by hand\" -clock", &[]).await;
    assert!(words(&collection, "-password").is_empty());
    assert!(
        understood(&collection, "-password -clock", &everyone(), false)
            .text
            .is_empty()
    );
}

#[tokio::test]
async fn a_field_of_the_collection_makes_a_condition() {
    let fact = |uri: &str, department: &str| {
        let metadata = Metadata::from([
            ("department".to_owned(), department.into()),
            ("year".to_owned(), 2024.into()),
        ]);
        make(uri, &["days of leave std"], 0, (metadata, Vec::new()))
    };
    let (_folder, collection) = filled(vec![fact("a.md", "hr"), fact("b.md", "it"), fact("c.md", "the board")]).await;
    let check = |text: &str, expected: &[&str]| {
        let mut found = words(&collection, text);
        found.sort();
        assert_eq!(found, expected, "{text}");
    };
    check("leave department:hr", &["a.md"]);
    check("leave department:\"the board\"", &["c.md"]);
    check("leave -department:hr", &["b.md", "c.md"]);
    check("department:it", &["b.md"]);
    check("year:2024 -department:it", &["a.md", "c.md"]);
    check(
        "leave std::string days:few http://x department: hr",
        &["a.md", "b.md", "c.md"],
    );
    check("-department:hr", &[]);
    let asked = understood(&collection, "leave department:hr", &everyone(), false);
    assert_eq!(asked.text, "leave");
    assert!(
        collection
            .vector(axis(0), &asked.filter, &everyone(), 10)
            .await
            .unwrap()
            .len()
            == 1
    );
}

#[tokio::test]
async fn a_word_that_no_document_has_is_read_as_its_neighbours() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["the harbour chart shows every harbour"], 0),
        replacement("b.md", &["calibration of the tide gauge ERR_0042"], 1),
        replacement("c.md", &["a shopping cart, 1234 and boats"], 2),
    ])
    .await;
    let check = |text: &str, uri: &str, expected: &[(&str, &[&str])]| {
        let found = corrections(&collection, text, &everyone());
        let seen: Vec<_> = found
            .iter()
            .map(|(word, read)| (word.as_str(), read.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(word, read)| (*word, read.to_vec())).collect();
        assert_eq!(seen, expected, "{text}");
        assert_eq!(
            words(&collection, text).first().map(String::as_str),
            Some(uri),
            "{text}"
        );
    };
    check("Harbuor", "a.md", &[("Harbuor", &["harbour"])]);
    check("hrabour lights", "a.md", &[("hrabour", &["harbour"])]);
    check("calibratoins", "b.md", &[("calibratoins", &["calibration"])]);
    check("gaugge", "b.md", &[("gaugge", &["gauge"])]);
    // Its stem is known.
    check("charted harbours", "a.md", &[]);
    let none = |text: &str| assert_eq!(corrections(&collection, text, &everyone()), [], "{text}");
    none("tde ERR_0043 1235 \"harbuor\" chart_0042 gauge");
    none("xylophone");
    assert!(words(&collection, "\"harbuor\"").is_empty());
}

#[tokio::test]
async fn a_reader_learns_no_word_of_what_he_may_not_read() {
    let (_folder, collection) = filled(vec![
        restricted("secret.md", &["project nightingale begins", "salaries"], 0, &["board"]),
        replacement("open.md", &["projects of the harbour, sold"], 1),
        replacement("gone.md", &["the elephants"], 1),
    ])
    .await;
    collection
        .publish(Vec::new(), vec![DocumentId::of("gone.md")])
        .await
        .unwrap();
    let board = Reader::Principals(vec!["board".into()]);
    assert_eq!(corrections(&collection, "nightingael", &board).len(), 1);
    assert_eq!(corrections(&collection, "nightingael", &everyone()), []);
    assert_eq!(corrections(&collection, "elephnats", &Reader::Everything), []);
    // The word exists for the board alone; the others are told what a word that does not exist is told.
    let read = |reader| {
        corrections(&collection, "projetc", reader)
            .into_iter()
            .map(|(_, read)| read)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (read(&board), read(&everyone())),
        (vec![vec!["project".to_owned()]], Vec::new())
    );
    let read = |reader| corrections(&collection, "salareis", reader).len();
    assert_eq!((read(&board), read(&everyone())), (1, 0));
    let asked = understood(&collection, "nigh", &everyone(), true);
    assert_eq!(asked.marks, "nigh ");
    assert_eq!(understood(&collection, "nigh", &board, true).marks, "nigh nightingale ");
}

#[tokio::test]
async fn the_last_word_may_be_a_beginning() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["harbour lights and harbours"], 0),
        replacement("b.md", &["hard weather ERR_0042"], 1),
        replacement("c.md", &["lights of the coast"], 2),
    ])
    .await;
    assert_eq!(typed(&collection, "lights harb"), ["a.md", "c.md"]);
    assert_eq!(typed(&collection, "harb"), ["a.md"]);
    assert_eq!(typed(&collection, "ERR_00"), ["b.md"]);
    assert_eq!(typed(&collection, "hsrbo"), ["a.md"]);
    assert_eq!(typed(&collection, "weathr"), ["b.md"]);
    for finished in ["harb ", "harb.", "\"harb\"", "harb lights"] {
        assert!(
            !understood(&collection, finished, &everyone(), true)
                .marks
                .contains("harbour"),
            "{finished}"
        );
    }
    assert!(words(&collection, "harbo").is_empty());
}

#[tokio::test]
async fn synonyms_are_searched_for_too() {
    let (folder, collection) = filled(vec![
        replacement("a.md", &["send your resume to us"], 0),
        replacement("b.md", &["the curriculum vitae of a pilot"], 1),
        replacement("c.md", &["vitae curriculum"], 2),
    ])
    .await;
    assert!(words(&collection, "cv").is_empty());
    let groups = serde_json::json!({"synonyms": [["CV", "resumes", "curriculum vitae"]]});
    collection.change_settings(groups).unwrap();
    let check = |collection: &Collection| {
        let mut found = words(collection, "cv");
        found.sort();
        assert_eq!(found, ["a.md", "b.md"]);
        assert!(words(collection, "curriculum vitae").contains(&"a.md".to_owned()));
    };
    check(&collection);
    drop(collection);
    let collection = open(folder.path()).await;
    check(&collection);
    assert_eq!(collection.settings().synonyms.len(), 1);
}

#[tokio::test]
async fn each_document_is_found_in_its_own_language() {
    let (_folder, collection) = filled(vec![
        replacement("en.md", &["The houses stand at the harbour, and nobody knows who has built them so long ago."], 0),
        replacement("de.md", &["Die H\u{e4}user stehen am Hafen, und niemand wei\u{df}, wer sie vor so langer Zeit gebaut hat."], 1),
        replacement("pt.md", &["As informa\u{e7}\u{f5}es sobre o porto n\u{e3}o est\u{e3}o dispon\u{ed}veis para os pilotos desta regi\u{e3}o."], 2),
        replacement("ja.md", &["\u{6e2f}\u{306e}\u{6d77}\u{56f3}\u{306f}\u{6771}\u{4eac}\u{99c5}\u{306e}\u{524d}\u{3067}\u{8cb7}\u{3048}\u{307e}\u{3059}\u{3002}"], 3),
        replacement("th.md", &["\u{e41}\u{e1c}\u{e19}\u{e17}\u{e35}\u{e48}\u{e17}\u{e48}\u{e32}\u{e40}\u{e23}\u{e37}\u{e2d}"], 0),
    ])
    .await;
    let languages: Vec<_> = collection
        .lexical
        .snapshot()
        .languages
        .iter()
        .map(|language| language.code())
        .collect();
    assert_eq!(languages, ["en", "de", "pt"]);
    let check = |text: &str, expected: &str| {
        let found = words(&collection, text);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}: {found:?}");
    };
    check("house", "en.md");
    check("das Haus", "de.md");
    check("Hafens", "de.md");
    check("informa\u{e7}\u{e3}o", "pt.md");
    check("informacoes", "pt.md");
    check("\u{6771}\u{4eac}", "ja.md");
    check("\u{99c5}", "ja.md");
    check("\"\u{6771}\u{4eac}\u{99c5}\"", "ja.md");
    check("\u{e17}\u{e48}\u{e32}\u{e40}\u{e23}\u{e37}\u{e2d}", "th.md");
    assert!(words(&collection, "\"\u{4eac}\u{6771}\"").is_empty());
}

#[tokio::test]
async fn the_work_of_a_query_has_a_bound() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["plain words of the harbour"], 0)]).await;
    let unknown: Vec<String> = (0..2_000_u32).map(|number| format!("xq{}", letters(number))).collect();
    let texts = [
        unknown.join(" "),
        "of the and ".repeat(2_900),
        "\u{1f600} ".repeat(6_000),
        "(a+)+$ .* [a-z]{9999} ".repeat(1_000),
        "\"".repeat(10_000),
        "-\"".repeat(10_000),
        "-\"a b\" ".repeat(4_000),
        format!("-{}", unknown.join("x\" ERR_y -\"")),
        "harbour ".repeat(4_000),
    ];
    for text in texts {
        let text = &text[..text.floor_char_boundary(32_000)];
        let asked = understood(&collection, text, &everyone(), true);
        let sizes = [
            asked.terms.len(),
            asked.phrases.iter().chain(&asked.without).map(Vec::len).sum(),
            asked.without_words.len(),
            asked.verbatim().count(),
        ];
        assert!(sizes.iter().all(|size| *size <= 600), "{sizes:?}");
        assert!(asked.corrections.len() <= 8);
        collection.lexical(&asked, 10).unwrap();
        let all = futures::executor::block_on(collection.vectors.ids()).unwrap();
        collection.confirm(&asked, &all).unwrap();
    }
}

/// A word of its own for each number.
fn letters(number: u32) -> String {
    let digits = number.to_string();
    digits.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}
