//! Identifiers that are told from words.

use super::words::{chunk_of, understood};
use super::*;

#[tokio::test]
async fn a_short_name_that_few_texts_have_is_told_from_a_code() {
    let (_folder, collection) = filled(vec![
        replacement("all.md", &["FB-30 and clpC and BrokerLagHigh and ERR_0042"], 0),
        replacement("loose.md", &["fb 30"], 1),
    ])
    .await;
    let all = collection.vectors.ids().await.unwrap();
    let check = |text: &str, uri: &str, expected: (usize, usize)| {
        let asked = understood(&collection, text, &Reader::Everything, false);
        let held = collection.confirm(&asked, &all).unwrap()[&chunk_of(&collection, &all, uri)];
        assert_eq!((held.codes, held.names), expected, "{text} {uri}");
    };
    check("what is FB-30", "all.md", (0, 2));
    check("what is FB-30", "loose.md", (0, 1));
    check("the clpC gene", "all.md", (0, 2));
    check("the clpC gene", "loose.md", (0, 0));
    check("when does BrokerLagHigh fire", "all.md", (2, 0));
    check("ERR_0042 and FB-30", "all.md", (2, 2));
}
